package mail_test

import (
	"fmt"
	"strings"
	"testing"

	"rmilter/internal/htmltext"
	"rmilter/internal/mail"
)

// A large text in front doesn't hide what stands behind it.
func TestTextShare(t *testing.T) {
	large := strings.Repeat("x ", 5000)
	part := func(header, body string) string { return "--b\n" + header + "\n" + body + "\n" }
	raw := "Content-Type: multipart/mixed; boundary=b\n\n" + part("Content-Disposition: attachment\n", large) + part("", large) +
		part("Content-Type: text/html\n", "<p>seen</p>") + part("Content-Type: text/html\n", "<p>"+large)
	m := mail.Parse([]byte(raw), mail.Limits{TextBytes: 12_000})
	var got []int
	for _, p := range m.Parts()[1:] {
		got = append(got, len(p.Text()))
	}
	// Each has its 375 bytes, the rest goes to what is shown, in order.
	if want := []int{375, 10_000, 11, 12_000 - 375 - 10_000 - 11}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("texts: got %v bytes, want %v", got, want)
	}
	if d := m.Defect(mail.TextLimit); d.Count != 2 {
		t.Errorf("defect: got %+v, want 2", d)
	}
	if !strings.Contains(m.VisibleText(), "seen") {
		t.Errorf("visible text lacks what stands behind: %.50q", m.VisibleText())
	}
}

// The kinds of links in HTML are those of htmltext.
func TestLinkKinds(t *testing.T) {
	for k := htmltext.Anchor; k <= htmltext.Style; k++ {
		if got := mail.LinkKind(k).String(); got != k.String() {
			t.Errorf("kind %d: got %s, want %v", k, got, k)
		}
	}
	for k, want := range map[mail.LinkKind]string{mail.LinkText: "text", mail.LinkAddress: "address", mail.LinkName: "name", mail.LinkObfuscated: "obfuscated", mail.LinkObfuscated + 1: "?"} {
		if k.String() != want {
			t.Errorf("kind %d: got %v, want %s", k, k, want)
		}
	}
}

func TestMessageID(t *testing.T) {
	for _, c := range []struct {
		in, id string
		ok     bool
	}{
		{"<a@b>", "a@b", true}, {" <a.b+c=d@[192.0.2.1]>\t", "a.b+c=d@[192.0.2.1]", true}, {"(c) <a@b> (d)", "a@b", true},
		{"a@b", "a@b", false}, {"<a@b", "a@b", false}, {"<a@b> <c@d>", "a@b", false}, {"<a b@c>", "a b@c", false}, {"<a@b@c>", "a@b@c", false},
		{"<ab>", "ab", false}, {"<@b>", "@b", false}, {"<a@>", "a@", false}, {"<>", "", false}, {"", "", false}, {"(never closed <a@b>", "(never closed <a@b", false},
	} {
		id, ok := mail.ParseMessageID(c.in)
		if id != c.id || ok != c.ok {
			t.Errorf("ParseMessageID(%q): got %q %t, want %q %t", c.in, id, ok, c.id, c.ok)
		}
	}
	if id, ok := mail.Parse([]byte("Subject: x\n\n"), mail.Limits{}).MessageID(); id != "" || ok {
		t.Errorf("no Message-ID: got %q %t", id, ok)
	}
}

func TestHeaderFields(t *testing.T) {
	h := mail.Parse([]byte("A: =?utf-8?Q?one?=\nB: 2\na: three\n\n"), mail.Limits{}).Header()
	if got := fmt.Sprint(h.Texts("a"), h.Values("A"), len(h.Fields("a")), h.Texts("x") == nil); got != "[one three] [=?utf-8?Q?one?= three] 2 true" {
		t.Errorf("got %s", got)
	}
	f, ok := h.Field("b")
	if !ok || f.Value() != "2" {
		t.Errorf("Field: got %+v %t", f, ok)
	}
	if _, ok := h.Field("c"); ok {
		t.Error("Field: found what isn't there")
	}
}
