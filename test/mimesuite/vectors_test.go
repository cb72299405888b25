package mimesuite

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/idna"

	"rmilter/internal/htmltext"
	"rmilter/internal/mail"
	"rmilter/internal/mime"
)

// vectors reads one list of a file of vectors-rspamd: pairs of input and expectation.
func vectors(t *testing.T, file, list string, least int) [][]json.RawMessage {
	t.Helper()
	var lists map[string]json.RawMessage
	b := read(t, filepath.Join(shared(t, "conformance/vectors-rspamd"), file))
	if err := json.Unmarshal(b, &lists); err != nil {
		t.Fatal(err)
	}
	var cases [][]json.RawMessage
	if err := json.Unmarshal(lists[list], &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < least {
		t.Fatalf("%s: %d cases, want %d at least", file, len(cases), least)
	}
	return cases
}

// value reads a JSON value.
func value[T any](t *testing.T, raw json.RawMessage) (v T) {
	t.Helper()
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

type wantMailbox struct {
	Valid                    *bool
	Name, User, Domain, Addr *string
}

func TestVectorsMimeAddr(t *testing.T) {
	for _, c := range vectors(t, "mime_addr.json", "cases", 20) {
		in := value[string](t, c[0])
		var want []wantMailbox
		if string(c[1]) != "{}" {
			want = value[[]wantMailbox](t, c[1])
		}
		got := mail.ParseMailboxes(in)
		if len(got) != len(want) {
			t.Errorf("%q: got %d mailboxes, want %d", in, len(got), len(want))
			continue
		}
		for i, w := range want {
			g := got[i]
			addr := g.Address.Key()
			if g.Address.Domain == "" {
				addr = ""
			}
			if w.Valid != nil && g.Valid != *w.Valid || w.Domain != nil && g.Address.Domain != *w.Domain ||
				w.User != nil && g.Address.Local != *w.User || w.Addr != nil && addr != *w.Addr {
				t.Errorf("%q: got %+v", in, g)
			}
			// Words before a comma or semicolon without an address of their own belong to
			// the display name here, because a reader sees them there.
			words, _, _ := strings.Cut(in, "<")
			if w.Name != nil && g.Name != *w.Name && (!strings.ContainsAny(words, ",;") || g.Name != strings.TrimSpace(words)) {
				t.Errorf("%q: got name %q, want %q", in, g.Name, *w.Name)
			}
		}
	}
}

func TestVectorsSMTPAddr(t *testing.T) {
	for _, c := range vectors(t, "smtp_addr.json", "cases_valid", 15) {
		in, want := value[string](t, c[0]), value[wantMailbox](t, c[1])
		got := mail.ParseAddress(in)
		if want.User != nil && got.Local != *want.User {
			t.Errorf("%q: got local part %q, want %q", in, got.Local, *want.User)
		}
		if want.Domain != nil {
			domain, err := idna.Lookup.ToASCII(*want.Domain)
			if err != nil {
				t.Fatal(err)
			}
			if got.Domain != domain {
				t.Errorf("%q: got domain %q, want %q", in, got.Domain, domain)
			}
		}
		if in == "<>" && !got.IsNull() {
			t.Errorf("%q: got %+v, want the null path", in, got)
		}
	}
	// ParseAddress takes all of these, as the MTA has taken them; in a header they
	// aren't valid.
	var lists struct {
		Invalid []string `json:"cases_invalid"`
	}
	if err := json.Unmarshal(read(t, filepath.Join(shared(t, "conformance/vectors-rspamd"), "smtp_addr.json")), &lists); err != nil {
		t.Fatal(err)
	}
	for _, in := range lists.Invalid {
		got := mail.ParseMailboxes(in)
		if len(got) != 1 || got[0].Valid {
			t.Errorf("%q: got %+v, want one that isn't valid", in, got)
		}
	}
}

func TestVectorsAddr(t *testing.T) {
	reasons := map[string]string{
		"[::]":       "the unspecified address is that of no host",
		"IPv6:[::1]": "brackets stand around the tag (RFC 5321, section 4.1.3)",
	}
	for _, c := range vectors(t, "addr.json", "cases", 15) {
		in, want := value[string](t, c[0]), value[bool](t, c[1])
		if strings.HasSuffix(in, "/socket") {
			want = false // a socket is no address literal
		}
		literal := "[" + strings.TrimSuffix(strings.TrimPrefix(in, "["), "]") + "]"
		got := mail.ParseMailboxes("joe@" + literal)
		valid := len(got) == 1 && got[0].Valid
		if differs := valid != want; differs != (reasons[in] != "") {
			t.Errorf("%q: got %t, want %t (%s)", in, valid, want, reasons[in])
		}
	}
}

func TestVectorsDate(t *testing.T) {
	for _, c := range vectors(t, "smtp_date.json", "cases", 20) {
		in := value[string](t, c[0])
		got, err := mail.ParseDate(in)
		if len(c) == 1 {
			if err == nil {
				t.Errorf("%q: got %v, want an error", in, got)
			}
			continue
		}
		if want := value[int64](t, c[1]); err != nil || got.Unix() != want {
			t.Errorf("%q: got %d %v, want %d", in, got.Unix(), err, want)
		}
	}
}

func TestVectorsRFC2047(t *testing.T) {
	for _, c := range vectors(t, "rfc2047.json", "cases", 6) {
		in, want := value[string](t, c[0]), value[string](t, c[1])
		if got := (mail.Field{Raw: in}).Text(); got != strings.TrimSpace(want) && got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestVectorsEncodings(t *testing.T) {
	for _, c := range vectors(t, "quoted_printable.json", "cases", 5) {
		want, in := value[string](t, c[0]), value[string](t, c[1])
		if got, bad := mime.AppendQuotedPrintable(nil, []byte(in)); string(got) != want || bad > 0 {
			t.Errorf("quoted-printable %q: got %q and %d faults, want %q", in, got, bad, want)
		}
	}
	for _, list := range []string{"cases", "cases2"} {
		for _, c := range vectors(t, "base64.json", list, 7) {
			want, in := value[string](t, c[0]), value[string](t, c[1])
			if got, bad := mime.AppendBase64(nil, in); string(got) != want || bad > 0 {
				t.Errorf("base64 %q: got %q and %d faults, want %q", in, got, bad, want)
			}
		}
	}
}

func TestVectorsHTML(t *testing.T) {
	for _, c := range vectors(t, "html.json", "cases", 6) {
		in, want := value[string](t, c[0]), strings.TrimSpace(value[string](t, c[1]))
		if got := htmltext.Parse(in, htmltext.Limits{}).Text; got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestVectorsHTMLURLs(t *testing.T) {
	for _, c := range vectors(t, "get_html_urls.json", "schemeless_cases", 10) {
		in, want := value[string](t, c[0]), value[string](t, c[1])
		m := mail.Parse([]byte("Content-Type: text/html\n\n<a href=\""+in+"\">x</a>"), mail.Limits{})
		if got := m.Links(); len(got) != 1 || got[0].URL != want {
			t.Errorf("%q: got %+v, want %q", in, got, want)
		}
	}
}

func TestVectorsURL(t *testing.T) {
	for _, c := range vectors(t, "url.json", "cases", 15) {
		in, want := value[string](t, c[0]), value[[]string](t, c[1])
		m := mail.Parse([]byte("Content-Type: text/plain; charset=utf-8\n\n"+in+"\n"), mail.Limits{})
		got := m.Links()
		if len(got) != 1 {
			t.Errorf("%q: got %+v, want one link", in, got)
			continue
		}
		for _, w := range want {
			if !strings.Contains(strings.ToLower(got[0].URL), strings.ToLower(w)) {
				t.Errorf("%q: got %q, want %q in it", in, got[0].URL, w)
			}
		}
	}
}
