package checks

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/mail"
)

// from returns a message with the From fields given.
func from(fields ...string) *mail.Message {
	var b strings.Builder
	for _, f := range fields {
		b.WriteString("From: " + f + "\n")
	}
	return mail.Parse([]byte(b.String()+"\nHello\n"), mail.DefaultLimits)
}

func TestAuthors(t *testing.T) {
	for _, c := range []struct {
		from []string
		want string // domains, then what else is to say
	}{
		{nil, "(No From header)"},
		{[]string{"Joe"}, "(No domain in From header)"},
		{[]string{"Joe <joe@Example.org.>"}, "example.org"},
		{[]string{"joe@example..org"}, "example.org mended"},
		{[]string{"joe@.example.org"}, "example.org mended"},
		{[]string{"joe@b\u00fccher.example <joe@b\u00fccher.example>"}, "xn--bcher-kva.example"},
		{[]string{"Joe @ Home <joe@example.org>"}, "example.org"},
		{[]string{"Joe @home <joe@example.org>"}, "example.org"},
		{[]string{`"joe@example.net" <joe@example.org>`}, "example.org"},
		{[]string{`"joe@example.net <joe@example.org>`}, "example.org example.net"},
		{[]string{`"a\"@example.net" <joe@example.org>`}, "example.org"},
		{[]string{"joe@example.org (at (a@example.net))"}, "example.org"},
		{[]string{"joe@example.org (at (a@example.net)"}, "example.org example.net"},
		{[]string{"joe@example.net. Joe <joe@example.org>"}, "example.org example.net example.net.joe"},
		{[]string{"joe@example.net\u3002 joe@example.org"}, "example.org example.net example.net.joe"},
		{[]string{"a@example.org, b@example.org", "c@example.net"}, "example.org example.net"},
		{[]string{"a@a.example, a@b.example, a@c.example, a@d.example, a@e.example, a@A.example"}, "a.example b.example c.example d.example e.example"},
		{[]string{"a@a.example, a@b.example, a@c.example, a@d.example", "a@e.example, a@f.example"}, "a.example b.example c.example d.example e.example more"},
		{[]string{"joe@[192.0.2.1]"}, "[192.0.2.1]"},
	} {
		a := authorsOf(from(c.from...))
		got := slices.Clone(a.domains)
		if a.reason != "" {
			got = append(got, "("+a.reason+")")
		}
		if a.mended {
			got = append(got, "mended")
		}
		if a.more {
			got = append(got, "more")
		}
		if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.from, diff)
		}
		if a.fields != len(c.from) {
			t.Errorf("%q: got %d fields, want %d", c.from, a.fields, len(c.from))
		}
	}
}

func FuzzAuthors(f *testing.F) {
	for _, s := range []string{"Joe <joe@example.org>", "<ceo@bank.example> <x@evil.example>", `"a\"@x.example" (b@c.example) d@e..example, =?utf-8?q?f=40g.example?=`, "a@\u3002b. c .d@", "a@a.b,a@c.d,a@e.f,a@g.h,a@i.j,a@k.l"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsAny(s, "\r\n") {
			return
		}
		a := authorsOf(from(s))
		if len(a.domains) > maxAuthors || (len(a.domains) == 0) != (a.reason != "") {
			t.Fatalf("%q: got %d domains, reason %q", s, len(a.domains), a.reason)
		}
		for i, d := range a.domains {
			if d == "" || strings.Trim(d, ".") != d || strings.Contains(d, "..") || slices.Contains(a.domains[:i], d) {
				t.Errorf("%q: got the domain %q", s, d)
			}
		}
		// A bad entry beside it hides none of the authors.
		b := authorsOf(from(s, "<x@y.example> <z@y.example>"))
		for _, d := range a.domains {
			if !b.more && !slices.Contains(b.domains, d) {
				t.Errorf("%q: %q is gone", s, d)
			}
		}
	})
}
