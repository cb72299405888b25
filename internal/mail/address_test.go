package mail_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"rmilter/internal/mail"
)

func TestParseAddress(t *testing.T) {
	for _, c := range []struct{ in, local, domain, key, shown string }{
		{"<>", "", "", "", "<>"},
		{"", "", "", "", "<>"},
		{"< >", "", "", "", "<>"},
		{"<alice@example.com>", "alice", "example.com", "alice@example.com", "<alice@example.com>"},
		{"alice@example.com", "alice", "example.com", "alice@example.com", "<alice@example.com>"},
		{" <alice@example.com> ", "alice", "example.com", "alice@example.com", "<alice@example.com>"},
		{"<alice@example.com", "alice", "example.com", "alice@example.com", "<alice@example.com>"},
		{"alice@example.com>", "alice", "example.com", "alice@example.com", "<alice@example.com>"},
		{"<alice@example.com><>", "alice", "example.com", "alice@example.com", "<alice@example.com>"},
		{`"Alice B" <alice@example.com>`, "alice", "example.com", "alice@example.com", "<alice@example.com>"},
		{"<Alice@EXAMPLE.Com>", "Alice", "example.com", "alice@example.com", "<Alice@example.com>"},
		{"<alice@example.com.>", "alice", "example.com", "alice@example.com", "<alice@example.com>"},
		{"<root>", "root", "", "root", "<root>"},
		{"MAILER-DAEMON", "MAILER-DAEMON", "", "mailer-daemon", "<MAILER-DAEMON>"},
		{"<alice@>", "alice", "", "alice", "<alice>"},
		{"<@example.com>", "", "example.com", "@example.com", `<""@example.com>`},
		{`<""@example.com>`, "", "example.com", "@example.com", `<""@example.com>`},
		{"<@>", "@", "", "@", `<"@">`},
		{`""`, `""`, "", `""`, `<"\"\"">`},
		{"<@a.example,@b.example:alice@example.com>", "alice", "example.com", "alice@example.com", "<alice@example.com>"},
		{"<@[IPv6:2001:db8::1]:alice@example.com>", "alice", "example.com", "alice@example.com", "<alice@example.com>"},
		{"<@a.example:>", "", "", "", "<>"},
		{`<"alice"@example.com>`, "alice", "example.com", "alice@example.com", "<alice@example.com>"},
		{`<"alice b"@example.com>`, "alice b", "example.com", "alice b@example.com", `<"alice b"@example.com>`},
		{`<"a@b"@example.com>`, "a@b", "example.com", "a@b@example.com", `<"a@b"@example.com>`},
		{`<"<>"@example.com>`, "<>", "example.com", "<>@example.com", `<"<>"@example.com>`},
		{`"\""@example.com`, `"`, "example.com", `"@example.com`, `<"\""@example.com>`},
		{`@\@`, `@\`, "", `@\`, `<"@\\">`},
		{`<a@"b@c">`, `a@"b`, `c"`, `a@"b@c"`, `<"a@\"b"@c">`},
		{`<a\@b@example.com>`, "a@b", "example.com", "a@b@example.com", `<"a@b"@example.com>`},
		{`<"alice@example.com>`, `"alice`, "example.com", `"alice@example.com`, `<"\"alice"@example.com>`},
		{`<alice\`, `alice\`, "", `alice\`, `<"alice\\">`},
		{"<a@b@example.com>", "a@b", "example.com", "a@b@example.com", `<"a@b"@example.com>`},
		{"<alice@[192.0.2.1]>", "alice", "[192.0.2.1]", "alice@[192.0.2.1]", "<alice@[192.0.2.1]>"},
		{"<alice@[IPv6:2001:DB8::1]>", "alice", "[ipv6:2001:db8::1]", "alice@[ipv6:2001:db8::1]", "<alice@[ipv6:2001:db8::1]>"},
		{"<José@Bücher.example>", "José", "xn--bcher-kva.example", "josé@xn--bcher-kva.example", "<José@xn--bcher-kva.example>"},
		{"<ÄB@example.com>", "ÄB", "example.com", "äb@example.com", "<ÄB@example.com>"},
		{"<alice@straße.example>", "alice", "xn--strae-oqa.example", "alice@xn--strae-oqa.example", "<alice@xn--strae-oqa.example>"},
		{"<alice@例え。テスト>", "alice", "xn--r8jz45g.xn--zckzah", "alice@xn--r8jz45g.xn--zckzah", "<alice@xn--r8jz45g.xn--zckzah>"},
		{"<alice@XN--BCHER-KVA.example>", "alice", "xn--bcher-kva.example", "alice@xn--bcher-kva.example", "<alice@xn--bcher-kva.example>"},
		{"<alice@_dmarc.bücher.example>", "alice", "_dmarc.xn--bcher-kva.example", "alice@_dmarc.xn--bcher-kva.example", "<alice@_dmarc.xn--bcher-kva.example>"},
		// A full-width "＠" must not become an "@".
		{"<alice@evil＠Example.com>", "alice", "xn--evilexample-6s25d.com", "alice@xn--evilexample-6s25d.com", "<alice@xn--evilexample-6s25d.com>"},
		{"<alice@b\xfccher.EXAMPLE>", "alice", "b\xfccher.example", "alice@b\xfccher.example", "<alice@b?cher.example>"},
		{"<a\x00\r\nb@example.com>", "a\x00\r\nb", "example.com", "a\x00\r\nb@example.com", `<"a???b"@example.com>`},
	} {
		a := mail.ParseAddress(c.in)
		if a.Local != c.local || a.Domain != c.domain || a.Key() != c.key || a.String() != c.shown {
			t.Errorf("ParseAddress(%q): got %q %q, key %q, shown %s; want %q %q, key %q, shown %s",
				c.in, a.Local, a.Domain, a.Key(), a.String(), c.local, c.domain, c.key, c.shown)
		}
		if null := c.local == "" && c.domain == ""; a.IsNull() != null {
			t.Errorf("ParseAddress(%q).IsNull: got %t, want %t", c.in, a.IsNull(), null)
		}
		if c.in != "<>" && a.Raw != c.in {
			t.Errorf("ParseAddress(%q).Raw: got %q", c.in, a.Raw)
		}
	}
}

func TestParseAddressNull(t *testing.T) {
	for _, in := range []string{"<>", ""} {
		if got := mail.ParseAddress(in); got != (mail.Address{}) {
			t.Errorf("ParseAddress(%q): got %+v, want the zero Address", in, got)
		}
	}
	if got := (mail.Address{}).String(); got != "<>" {
		t.Errorf("zero Address: got %s, want <>", got)
	}
}

func TestParseAddressBounds(t *testing.T) {
	long := "<" + strings.Repeat("é", 5000) + "@" + strings.Repeat("d.", 5000) + "example>"
	a := mail.ParseAddress(long)
	if a.Raw != long {
		t.Error("Raw was changed")
	}
	if got := len(a.Local); got != 512 || !utf8.ValidString(a.Local) {
		t.Errorf("Local: got %d bytes, valid UTF-8 %t; want 512 and true", got, utf8.ValidString(a.Local))
	}
	if got := len(a.Domain); got != 255 {
		t.Errorf("Domain: got %d bytes, want 255", got)
	}
	if a := mail.ParseAddress("alice@" + strings.Repeat("ü", 5000)); len(a.Domain) > 255 {
		t.Errorf("Domain: got %d bytes, want at most 255", len(a.Domain))
	}
}

// TestLongLabels wants a name left alone whose labels can't be in the DNS: its conversion
// costs the square of its length.
func TestLongLabels(t *testing.T) {
	for _, c := range [][2]string{
		{strings.Repeat("例", 80) + ".example", strings.Repeat("例", 80) + ".example"},
		{"xn--" + strings.Repeat("a", 60) + ".Bücher.example", "xn--" + strings.Repeat("a", 60) + ".bücher.example"},
		{strings.Repeat("ü", 54) + ".example", "xn--" + asciiOf(t, strings.Repeat("ü", 54)) + ".example"},
		{strings.Repeat("u\u0308", 54), "xn--" + asciiOf(t, strings.Repeat("ü", 54))},
	} {
		if got := mail.ParseAddress("a@" + c[0]).Domain; got != c[1] {
			t.Errorf("%s: got %s, want %s", c[0], got, c[1])
		}
	}
}

// asciiOf returns a label as the library writes it, without the prefix.
func asciiOf(t *testing.T, label string) string {
	t.Helper()
	a, err := idna.Lookup.ToASCII(label)
	if err != nil || len(a) > 63 {
		t.Fatalf("%s: got %s, %v", label, a, err)
	}
	return strings.TrimPrefix(a, "xn--")
}

func TestStrip(t *testing.T) {
	for _, c := range []struct{ local, delimiter, want string }{
		{"alice+news", "+", "alice"},
		{"alice+news+more", "+", "alice"},
		{"alice", "+", "alice"},
		{"alice+", "+", "alice"},
		{"+alice", "+", "+alice"},
		{"+alice+news", "+", "+alice+news"},
		{"alice-news+x", "+-", "alice"},
		{"alice+news-x", "+-", "alice"},
		{"alice+news", "", "alice+news"},
		{"owner-list", "-", "owner"},
		{"list-request", "-", "list"},
		{"MAILER-DAEMON", "-", "MAILER-DAEMON"},
		{"double-bounce", "-", "double-bounce"},
		{"", "+", ""},
	} {
		if got := (mail.Address{Local: c.local}).Strip(c.delimiter); got != c.want {
			t.Errorf("Strip(%q) of %q: got %q, want %q", c.delimiter, c.local, got, c.want)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"<>", "<a@b.example>", `<"a@\"b"@c.example>`, "<@a,@b:c@d>", "<é@ü.example>", "a\x00@\xff", "<@[IPv6:::1]:x@y>", `\`, `"`, "<@>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		a := mail.ParseAddress(raw)
		if raw != "<>" && a.Raw != raw {
			t.Errorf("Raw: got %q, want %q", a.Raw, raw)
		}
		if len(a.Local) > 512 || len(a.Domain) > 255 {
			t.Errorf("not bounded: %d and %d bytes", len(a.Local), len(a.Domain))
		}
		if strings.Contains(a.Domain, "@") {
			t.Errorf("domain with @: %q", a.Domain)
		}
		for i := range len(a.Domain) {
			if c := a.Domain[i]; c >= 'A' && c <= 'Z' {
				t.Errorf("domain in upper case: %q", a.Domain)
			}
		}
		shown := a.String()
		if !utf8.ValidString(shown) || strings.ContainsAny(shown, "\r\n\x00\x1b") {
			t.Errorf("String not printable: %q", shown)
		}
		if got := a.Strip("+-"); !strings.HasPrefix(a.Local, got) || (got == "") != (a.Local == "") {
			t.Errorf("Strip of %q: got %q", a.Local, got)
		}
		// What is shown of a clean address is read as the same address.
		if b := mail.ParseAddress(shown); utf8.ValidString(a.Local) && !strings.Contains(shown, "?") && a.Local != "" && b.Key() != a.Key() && len(a.Local) < 500 && !strings.ContainsAny(a.Domain, ` "\<>`) {
			t.Errorf("read again: got %q, want %q", b.Key(), a.Key())
		}
	})
}

// FuzzUnicodeDomain wants of every name in Unicode what the library makes of it, unless a
// label of that is too long.
func FuzzUnicodeDomain(f *testing.F) {
	for _, s := range []string{"bücher", "例え。テスト", "xn--bcher-kva.ü", "ｍｘ.ｘｎ－－bcher-kva", "a_b.é", "\u00ad\u0308", "ßς\u200d", "אב1.ü", "\U0001f600-", "\ufdfa", "Ünïcode-ümlaut"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 200 || strings.ContainsAny(s, "@<>\\\" \t\r\n") {
			return
		}
		ascii, long := true, false
		for _, r := range s {
			ascii = ascii && r < 0x80
		}
		if ascii || !utf8.ValidString(s) {
			return
		}
		want, _ := idna.Lookup.ToASCII(strings.TrimRight(s, "."))
		for label := range strings.SplitSeq(want, ".") {
			long = long || len(label) > 63
		}
		if long || want == "" || len(want) > 255 || strings.Trim(strings.ToLower(want), "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
			return
		}
		if got := mail.ParseAddress("a@" + s).Domain; got != strings.ToLower(strings.TrimRight(want, ".")) {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	})
}
