package checks

import (
	"strings"
	"testing"

	"rmilter/internal/mail"
)

func TestRecipients(t *testing.T) {
	to := func(s ...string) string { return "To: " + strings.Join(s, ", ") + "\n\n" }
	sorted := strings.Split("ann@example.org bob@example.org carl@example.net dave@example.org eve@example.net fred@example.org gus@example.com", " ")
	alike := strings.Split("joe9@example.org joe1@example.com joey@example.net joel@example.org joe2@example.net zoe@example.org amy@example.org", " ")
	runFixtures(t, Recipients, []fixture{
		{"none", nil, "\n", ""},
		{"seven, sorted", nil, to(sorted...), "SORTED_RECIPS{7}"},
		{"six, sorted", nil, to(sorted[1:]...), ""},
		{"sorted over To and Cc", nil, "To: " + strings.Join(sorted[:3], ",") + "\nCc: " + strings.Join(sorted[3:], ",") + "\n\n", "SORTED_RECIPS{7}"},
		{"one out of order", nil, to(append([]string{"zoe@example.org"}, sorted...)...), ""},
		{"one twice", nil, to(append([]string{sorted[0]}, sorted...)...), ""},
		{"sorted by our user", trust(mail.Authenticated), to(sorted...), ""},
		{"sorted, by a list", nil, "List-Id: <l.example.org>\nPrecedence: list\n" + to(sorted...), ""},
		{"alike", nil, to(alike...), "SUSPICIOUS_RECIPS{4 of 7}"},
		{"alike, not enough", nil, to(append(alike, "bob@example.org")...), ""},
		{"alike, six", nil, to(alike[:6]...), ""},
		{"alike and sorted", nil, to("joe1@example.org", "joe2@example.org", "joe3@example.org", "joe4@example.org", "joe5@example.org", "joe6@example.org", "joe7@example.org"), "SORTED_RECIPS{7} SUSPICIOUS_RECIPS{6 of 7}"},
		{"short names", nil, to("a@b", "a@c", "a@d", "a@e", "a@f", "a@g", "a@h"), "SORTED_RECIPS{7}"},
		{"a company", nil, to(people(200)), ""},
	})
}
