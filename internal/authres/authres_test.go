package authres_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/authres"
)

// full is a header with every method that there is.
func full() authres.Header {
	return authres.Header{ID: "mx.example.com", Results: []authres.Result{
		{Method: "dkim", Value: "pass", Comment: "2048-bit key", Props: []authres.Prop{
			{"header", "d", "example.org"}, {"header", "s", "sel"}, {"header", "a", "rsa-sha256"}, {"header", "i", "@mail.example.org"}, {"header", "b", "aB3/+x=="}}},
		{Method: "dkim", Value: "fail", Reason: "bad body hash", Props: []authres.Prop{{"header", "d", "example.net"}}},
		{Method: "spf", Value: "softfail", Comment: "example.org: 192.0.2.1 matches ~all (why; not)", Props: []authres.Prop{{"smtp", "mailfrom", "joe+x@example.org"}, {"smtp", "helo", "mx.example.org"}}},
		{Method: "dmarc", Value: "pass", Comment: "p=REJECT sp=NONE dis=NONE", Props: []authres.Prop{{"header", "from", "example.org"}}},
		{Method: "arc", Value: "pass", Comment: "i=2", Props: []authres.Prop{{"header", "oldest-pass", "0"}}},
		{Method: "auth", Value: "pass", Props: []authres.Prop{{"smtp", "auth", "joe@example.com"}}},
		{Method: "iprev", Value: "pass", Props: []authres.Prop{{"policy", "iprev", "2001:db8::1"}}},
	}}
}

func TestFormat(t *testing.T) {
	const want = "mx.example.com;\n" +
		"\tdkim=pass (2048-bit key) header.d=example.org header.s=sel\n" +
		"\theader.a=rsa-sha256 header.i=@mail.example.org header.b=\"aB3/+x==\";\n" +
		"\tdkim=fail reason=\"bad body hash\" header.d=example.net;\n" +
		"\tspf=softfail (example.org: 192.0.2.1 matches ~all \\(why; not\\))\n" +
		"\tsmtp.mailfrom=joe+x@example.org smtp.helo=mx.example.org;\n" +
		"\tdmarc=pass (p=REJECT sp=NONE dis=NONE) header.from=example.org;\n" +
		"\tarc=pass (i=2) header.oldest-pass=0;\n" +
		"\tauth=pass smtp.auth=joe@example.com;\n" +
		"\tiprev=pass policy.iprev=\"2001:db8::1\""
	got := full().Format()
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for i, line := range strings.Split(authres.Name+": "+got, "\n") {
		if len(strings.ReplaceAll(line, "\t", "        ")) > 78 {
			t.Errorf("line %d is too long: %s", i, line)
		}
	}
	if diff := cmp.Diff(full().Results, authres.Parse(got).Results); diff != "" {
		t.Errorf("parsed back: -want +got\n%s", diff)
	}
	if got := (authres.Header{ID: "mx.example.com"}).Format(); got != "mx.example.com; none" {
		t.Errorf("without results: got %q", got)
	}
	if h := authres.Parse("mx.example.com; none"); h.ID != "mx.example.com" || len(h.Results) != 0 || h.Broken {
		t.Errorf("none parsed back: got %+v", h)
	}
}

// TestHostileValues sees that no value gets out of its place.
func TestHostileValues(t *testing.T) {
	for name, v := range map[string]string{
		"line end": "a\r\nX-Injected: 1", "semicolon": "x; dkim=pass", "quote": `a"; dkim=pass; b="`, "backslash": `a\`, "comment": "a) dkim=pass (b",
		"empty": "", "nul": "a\x00b", "broken UTF-8": "a\xff\xfe", "UTF-8": "ü@bücher.example", "at": "a@b@c", "dots": "..@example.org", "long": strings.Repeat("x", 5000),
	} {
		for _, u := range []bool{false, true} {
			h := authres.Header{ID: "mx.example.com", UTF8: u, Results: []authres.Result{{Method: "spf", Value: "pass", Comment: v, Reason: v, Props: []authres.Prop{{"smtp", "mailfrom", v}}}}}
			s := h.Format()
			if strings.ContainsAny(strings.ReplaceAll(s, "\n\t", ""), "\r\n\x00") || !utf8.ValidString(s) || !u && strings.IndexFunc(s, func(r rune) bool { return r > '~' }) >= 0 {
				t.Errorf("%s: got %q", name, s)
			}
			back := authres.Parse(s)
			if len(back.Results) != 1 || back.Broken || back.ID != h.ID || len(back.Results[0].Props) != 1 || back.Results[0].Method != "spf" {
				t.Errorf("%s: %q was read as %+v", name, s, back)
			}
		}
	}
	h := authres.Header{ID: "mx.example.com", Results: []authres.Result{{Method: "spf", Value: "pass", Props: []authres.Prop{{"smtp", "mailfrom", "ü@example.org"}}}}}
	if got := authres.Parse(h.Format()).Results[0].Prop("smtp", "mailfrom"); got != "example.org" {
		t.Errorf("a local part in UTF-8: got %q, want the domain alone", got)
	}
	h.UTF8 = true
	if got := authres.Parse(h.Format()).Results[0].Prop("smtp", "mailfrom"); got != "ü@example.org" {
		t.Errorf("a local part in UTF-8: got %q, want all", got)
	}
}

// TestParse reads what is found in the wild.
func TestParse(t *testing.T) {
	spf := func(value, comment string, props ...authres.Prop) authres.Result {
		return authres.Result{Method: "spf", Value: value, Comment: comment, Props: props}
	}
	mailfrom := authres.Prop{"smtp", "mailfrom", "joe@example.org"}
	for name, c := range map[string]struct {
		value string
		want  authres.Header
	}{
		"empty":     {"", authres.Header{}},
		"id alone":  {"mx.example.com", authres.Header{ID: "mx.example.com"}},
		"version":   {" mx.example.com 1 ; none", authres.Header{ID: "mx.example.com", Version: "1"}},
		"quoted id": {`"mx.example.com" (a (nested) comment; with = all); spf=pass`, authres.Header{ID: "mx.example.com", Results: []authres.Result{spf("pass", "")}}},
		"comment with a semicolon": {"mx.example.com;\r\n       spf=pass (example.com: domain of joe@example.org; designates 192.0.2.1) smtp.mailfrom=joe@example.org;\r\n       dmarc=pass (p=NONE sp=NONE dis=NONE) header.from=example.org",
			authres.Header{ID: "mx.example.com", Results: []authres.Result{spf("pass", "example.com: domain of joe@example.org; designates 192.0.2.1", mailfrom),
				{Method: "dmarc", Value: "pass", Comment: "p=NONE sp=NONE dis=NONE", Props: []authres.Prop{{"header", "from", "example.org"}}}}}},
		"no id": {"spf=pass (sender IP is 192.0.2.1)\r\n smtp.mailfrom=joe@example.org; dmarc=pass action=none\r\n header.from=example.org;compauth=pass reason=100",
			authres.Header{Results: []authres.Result{spf("pass", "sender IP is 192.0.2.1", mailfrom),
				{Method: "dmarc", Value: "pass", Props: []authres.Prop{{"", "action", "none"}, {"header", "from", "example.org"}}}, {Method: "compauth", Value: "pass", Reason: "100"}}}},
		"spaces and comments": {"mx.example.com ; (x) spf (y) = (z) PASS ( w ) SMTP.MailFrom = \"joe\"@example.org",
			authres.Header{ID: "mx.example.com", Results: []authres.Result{spf("pass", "x", mailfrom)}}},
		"unquoted specials": {"mx.example.com; dkim=pass header.i=@example.org header.b=aB3/+x== header.s=a",
			authres.Header{ID: "mx.example.com", Results: []authres.Result{{Method: "dkim", Value: "pass", Props: []authres.Prop{{"header", "i", "@example.org"}, {"header", "b", "aB3/+x=="}, {"header", "s", "a"}}}}}},
		"quoted specials": {`mx.example.com; spf=fail reason="a; \"b\" (c)" smtp.mailfrom=joe@example.org`,
			authres.Header{ID: "mx.example.com", Results: []authres.Result{{Method: "spf", Value: "fail", Reason: `a; "b" (c)`, Props: []authres.Prop{mailfrom}}}}},
		"version of a method": {"mx.example.com; spf/1=pass", authres.Header{ID: "mx.example.com", Results: []authres.Result{spf("pass", "")}}},
		"final semicolon":     {"mx.example.com; spf=pass;", authres.Header{ID: "mx.example.com", Results: []authres.Result{spf("pass", "")}}},
		"nonsense between":    {"mx.example.com; hello; spf=pass what =x", authres.Header{ID: "mx.example.com", Broken: true, Results: []authres.Result{spf("pass", "", authres.Prop{"", "what", "x"})}}},
		"comment without end": {"mx.example.com; spf=pass (what; dkim=pass", authres.Header{ID: "mx.example.com", Broken: true, Results: []authres.Result{spf("pass", "what; dkim=pass")}}},
		"quote without end":   {`mx.example.com; spf=pass reason="what; dkim=pass`, authres.Header{ID: "mx.example.com", Broken: true, Results: []authres.Result{{Method: "spf", Value: "pass", Reason: "what; dkim=pass"}}}},
		"only signs":          {";;;===()\"\"", authres.Header{Broken: true}},
	} {
		got := authres.Parse(c.value)
		if name == "only signs" {
			got.Results = nil
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
	if got := authres.Parse(strings.Repeat("a=b;", 1000)); len(got.Results) != 100 || !got.Broken {
		t.Errorf("many results: got %d, broken %v", len(got.Results), got.Broken)
	}
	if got := authres.Parse("x; spf=pass" + strings.Repeat(" a.b=c", 1000)); len(got.Results[0].Props) != 32 || !got.Broken {
		t.Errorf("many properties: got %d, broken %v", len(got.Results[0].Props), got.Broken)
	}
	if got := authres.Parse("x; spf=pass " + strings.Repeat("(", 1000) + strings.Repeat(")", 1000) + " a.b=c"); !got.Broken {
		t.Error("deep comments aren't broken")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(full().Format())
	f.Add(`"mx" 1 (a(b)); dkim/1 = pass (c;d) reason="x\"y" header.d = a@b ; none`)
	f.Add("spf=pass;;; (x")
	f.Add("/=")
	f.Fuzz(func(t *testing.T, s string) {
		h := authres.Parse(s)
		if len(h.Results) > 100 {
			t.Fatalf("%d results", len(h.Results))
		}
		h.UTF8 = utf8.ValidString(s)
		if h.ID == "" || strings.ContainsAny(h.ID, "=") {
			h.ID = "mx.example.com"
		}
		out := h.Format()
		if strings.ContainsAny(strings.ReplaceAll(out, "\n\t", ""), "\r\n\x00") {
			t.Fatalf("%q became %q", s, out)
		}
		again := authres.Parse(out)
		if again.Broken != false && !h.Broken || len(again.Results) != len(h.Results) {
			t.Fatalf("%q became %q: %d results, then %d", s, out, len(h.Results), len(again.Results))
		}
	})
}
