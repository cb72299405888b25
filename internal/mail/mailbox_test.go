package mail_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"rmilter/internal/mail"
)

// TestObsoleteSpace has white space within addresses (RFC 5322, section 4.4), which must
// not hide them from lists.
func TestObsoleteSpace(t *testing.T) {
	for in, want := range map[string]string{
		"x <joe@example. com>":            "joe@example.com",
		"x <joe @ example.com>":           "joe@example.com",
		"x <joe.\t smith@example .com>":   "joe.smith@example.com",
		"x <joe@example.\r\n com>":        "joe@example.com",
		"x <joe smith@example.com>":       "joe smith@example.com",
		"x <\"joe . smith\"@example.com>": "joe . smith@example.com",
	} {
		list := mail.ParseMailboxes(in)
		if len(list) != 1 {
			t.Errorf("%q: got %d mailboxes, want 1", in, len(list))
			continue
		}
		a := list[0].Address
		if got := a.Local + "@" + a.Domain; got != want || list[0].Valid != strings.Contains(in, `"`) {
			t.Errorf("%q: got %s, valid %t, want %s", in, got, list[0].Valid, want)
		}
	}
}

// The golden message "addresses" shows the usual forms.
func TestParseMailboxes(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"", nil},
		{" , ,; ", nil},
		{"a@example.com", []string{`"" <a@example.com> bare`}},
		{"Joe<a@example.com>", []string{`"Joe" <a@example.com>`}},
		{`"a@b" <a@example.com>`, []string{`"a@b" <a@example.com> quoted`}},
		{`"never closed <a@example.com>`, []string{`"\"never closed" <a@example.com> quoted`}},
		{`a@example.com "behind"`, []string{`"" <a@example.com "behind"> invalid bare`}},
		{"<a@example.com> behind", []string{`"" <a@example.com> invalid`}},
		{"<a@example.com", []string{`"" <a@example.com> invalid`}},
		{"Joe <a@example.com> <b@example.com>", []string{`"Joe <a@example.com>" <b@example.com>`}},
		{"Joe (with (nested) comment) <a@example.com>", []string{`"Joe" <a@example.com> comment="with (nested) comment"`}},
		{"(only a comment)", []string{`"" <> invalid bare comment="only a comment"`}},
		{"(never closed a@example.com", []string{`"" <> invalid bare comment="never closed a@example.com"`}},
		{"<>", []string{`"" <> invalid`}},
		{"MAILER-DAEMON", []string{`"MAILER-DAEMON" <MAILER-DAEMON> invalid bare`}},
		{"a@[192.0.2.1], b@[IPv6:2001:db8::1], c@[nonsense]", []string{`"" <a@[192.0.2.1]> bare`, `"" <b@[ipv6:2001:db8::1]> bare`, `"" <c@[nonsense]> invalid bare`}},
		{"a..b@example.com, .a@example.com, a@example..com, a b@example.com, \"a b\"@example.com", []string{
			`"" <a..b@example.com> invalid bare`, `"" <.a@example.com> invalid bare`, `"" <a@example..com> invalid bare`, `"a" <b@example.com> invalid bare`, `"" <"a b"@example.com> bare`}},
		{"Friends: a@example.com; Foes: b@example.com, c@example.com;, d@example.com", []string{
			`"" <a@example.com> bare group="Friends"`, `"" <b@example.com> bare group="Foes"`, `"" <c@example.com> bare group="Foes"`, `"" <d@example.com> bare`}},
		{"Doe, Jane, Dr. <a@example.com>, b@example.com", []string{`"Doe, Jane, Dr." <a@example.com>`, `"" <b@example.com> bare`}},
		{"one, two, b@example.com", []string{`"one, two" <"one, two"> invalid bare`, `"" <b@example.com> bare`}},
		{"one, <b@example.com>", []string{`"one" <b@example.com>`}},
		{"Shop , <b@example.com>, c@example.com", []string{`"Shop" <b@example.com>`, `"" <c@example.com> bare`}},
		{"\"shop@example.org\", <b@example.com>", []string{`"shop@example.org" <b@example.com> quoted`}},
		{"=?utf-8?Q?Shop?=, Inc <b@example.com>", []string{`"Shop, Inc" <b@example.com>`}},
		{"a@example.com, <b@example.com>", []string{`"" <a@example.com> bare`, `"" <b@example.com>`}},
		{"=?utf-8?Q?Caf=C3=A9=2C_the?= <a@example.com>, =?utf-8?Q?x?=", []string{`"Café, the" <a@example.com>`, `"x" <=?utf-8?Q?x?=> invalid bare`}},
		{"\"=?utf-8?Q?quoted?=\" <a@example.com>", []string{`"quoted" <a@example.com> quoted`}},
		{"Joe\t  Q <a@example.com>", []string{`"Joe Q" <a@example.com>`}},
		{"joe@localhost", []string{`"" <joe@localhost> bare`}},
		{"mailto:joe@example.com", []string{`"" <joe@example.com> bare group="mailto"`}},
		{"a@example.com b@example.com", []string{`"a@example.com" <b@example.com> invalid bare`}},
	} {
		var got []string
		for _, b := range mail.ParseMailboxes(c.in) {
			got = append(got, dumpMailbox(b))
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("ParseMailboxes(%q):\ngot  %s\nwant %s", c.in, strings.Join(got, "\n     "), strings.Join(c.want, "\n     "))
		}
	}
}

func TestMailboxesBounded(t *testing.T) {
	many := strings.Repeat("a@example.com,", 20_000)
	if got := len(mail.ParseMailboxes(many)); got != 10_000 {
		t.Errorf("got %d mailboxes, want 10000", got)
	}
	for _, s := range []string{strings.Repeat("a, ", 10_000), `"` + strings.Repeat("a, ", 10_000) + `"`, strings.Repeat("x", 20_000)} {
		got := mail.ParseMailboxes(s + " <a@example.com>")
		if last := got[len(got)-1]; last.Address.Key() != "a@example.com" || !last.Valid {
			t.Errorf("behind %.10q…: got %+v", s, last)
		}
	}
	m := mail.Parse([]byte("To: a@example.com\nto: b@example.com\n\n"), mail.Limits{})
	if got := m.Mailboxes("TO"); len(got) != 2 || got[1].Address.Local != "b" {
		t.Errorf("two fields: got %+v", got)
	}
	if got := m.Mailboxes("Cc"); got != nil {
		t.Errorf("no field: got %+v", got)
	}
}

func FuzzMailboxes(f *testing.F) {
	for _, s := range []string{
		`"Doe, Jane" <jane@example.com>, list: a@b, c@d;, (x) e@f (y), <@r:g@h>`, "=?utf-8?Q?a=40b?= <c@d>", `"\`, "a(b(c", "x:y:z;", "Doe, Jane <j@x>", "[a:b],<a,b>", "=?utf-8?B?PGFAYj4=?=",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, b := range mail.ParseMailboxes(s) {
			if !utf8.ValidString(b.Name) || !utf8.ValidString(b.Comment) || !utf8.ValidString(b.Group) {
				t.Errorf("%q: not UTF-8: %+v", s, b)
			}
			if b.Valid && (b.Address.Local == "" || b.Address.Domain == "" || b.Address.IsNull()) {
				t.Errorf("%q: valid without an address: %+v", s, b)
			}
			if len(b.Address.Local) > 512 || len(b.Address.Domain) > 255 || len(b.Raw) > len(s) {
				t.Errorf("%q: too long: %+v", s, b)
			}
		}
	})
}
