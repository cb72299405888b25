package filter

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDocumentedLine wants the log line of docs/operations.md to have the keys of a
// real one, in their order, and each of them to be explained.
func TestDocumentedLine(t *testing.T) {
	b, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(b)
	line := regexp.MustCompile(`(?m)^[0-9a-f]{10}: action=.*$`).FindString(doc)
	if line == "" {
		t.Fatal("docs/operations.md shows no log line")
	}
	var want, got []string
	for _, p := range new(Result).Pairs() {
		want = append(want, p.Key)
		if !regexp.MustCompile(`(?m)^\| [a-z_, ]*\b` + p.Key + `\b`).MatchString(doc) {
			t.Errorf("docs/operations.md doesn't explain the key %s", p.Key)
		}
	}
	for _, m := range regexp.MustCompile(` ([a-z_]+)=`).FindAllStringSubmatch(line, -1) {
		got = append(got, m[1])
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("keys of the documented line (-want +got):\n%s", d)
	}
	for _, flag := range []string{"ours", "whitelist", "client_whitelist", "oversize", "spool", "failed", "shutdown", "draining", "crowded", "answer_lost", "rcpt_refused", "checks_failed"} {
		if !strings.Contains(doc, "`"+flag) {
			t.Errorf("docs/operations.md doesn't explain the flag %s", flag)
		}
	}
}
