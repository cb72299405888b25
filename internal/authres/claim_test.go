package authres_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"rmilter/internal/authres"
)

func TestServiceID(t *testing.T) {
	for _, c := range []struct {
		name, want string
		ok         bool
	}{
		{"mx.example.com", "mx.example.com", true},
		{"mx.example.com.", "mx.example.com", true},
		{"MX_1.Example.com", "MX_1.Example.com", true},
		{"localhost", "localhost", true},
		{"bücher.example", "xn--bcher-kva.example", true},
		{"Bücher。example", "xn--bcher-kva.example", true},
		{"xn--bcher-kva.example", "xn--bcher-kva.example", true},
		{"", "", false},
		{".", "", false},
		{"mx..example.com", "", false},
		{"mx.example.com..", "", false},
		{".example.com", "", false},
		{"my id", "", false},
		{"a;b", "", false},
		{"mx(x)", "", false},
		{`"mx"`, "", false},
		{"a@mx.example.com", "", false},
		{"a@bücher.example", "", false},
		{"bücher>.example", "", false},
		{"mx/1", "", false},
		{"mx\x00", "", false},
		{"mx\xff", "", false},
		{"[192.0.2.1]", "", false},
		{strings.Repeat("x", 64), "", false},
		{strings.Repeat("ü", 64), "", false},
		{strings.Repeat("x.", 127) + "x", "", false},
	} {
		if got, ok := authres.ServiceID(c.name); got != c.want || ok != c.ok {
			t.Errorf("%.80q: got %q, %v, want %q, %v", c.name, got, ok, c.want, c.ok)
		}
	}
}

func TestClaims(t *testing.T) {
	for id, values := range map[string]map[string]bool{
		"mx.example.com": {
			"mx.example.com; spf=pass":                                        true,
			"MX.Example.COM; spf=pass":                                        true,
			"mx.example.com. ; spf=pass":                                      true,
			"mx.example.com 1; spf=pass":                                      true,
			"mx.example.com":                                                  true,
			"mx.example.com; none":                                            true,
			`"mx.example.com"; spf=pass`:                                      true,
			`"mx\.example.com"; spf=pass`:                                     true,
			"(hello) mx.example.com (x); spf=pass":                            true,
			"\r\n mx.example.com\r\n\t;\r\n spf=pass":                         true,
			"mx.example.com spf=pass":                                         true,
			"mx.example.com, spf=pass":                                        true,
			"mx.example.com(; spf=pass":                                       true,
			"(mx.example.com; spf=pass":                                       true,
			`"mx.example.com; spf=pass`:                                       true,
			`"mx.example.com"x; spf=pass`:                                     true,
			`"mx.example.com""y"; spf=pass`:                                   true,
			`"mx.exam""ple.com"; spf=pass`:                                    true,
			`mx.ex"ample".com; spf=pass`:                                      true,
			`" mx.example.com "; spf=pass`:                                    true,
			`"mx.example.com;"; spf=pass`:                                     true,
			`"mx.example.net"mx.example.com; spf=pass`:                        true,
			"mx.example.com,; spf=pass":                                       true,
			"mx.example.com:; spf=pass":                                       true,
			"mx.example.com=; spf=pass":                                       true,
			"mx.example.com=1; spf=pass":                                      true,
			"mx.example.com/1; spf=pass":                                      true,
			"<mx.example.com>; spf=pass":                                      true,
			"[mx.example.com]; spf=pass":                                      true,
			"joe@mx.example.com; spf=pass":                                    true,
			`mx.example.com\; spf=pass`:                                       true,
			"mx.example.com..; spf=pass":                                      true,
			".mx.example.com; spf=pass":                                       true,
			"mx(x).example.com; spf=pass":                                     true,
			"mx.exa(x(y))mple.com(; spf=pass":                                 true,
			`"("x mx.example(.).com; spf=pass`:                                true,
			`"("x mx(.).example.com; spf=pass`:                                true,
			"mx.example.com\x01; spf=pass":                                    true,
			"mx.exam\x00ple.com; spf=pass":                                    true,
			"mx.example.com\xff; spf=pass":                                    true,
			"mx.example.com\u0085; spf=pass":                                  true,
			"; mx.example.com; spf=pass":                                      true,
			"; ; none; mx.example.com; spf=pass":                              true,
			"; spf=pass; mx.example.com":                                      false,
			"mx.example.net mx.example.com; spf=pass":                         true,
			"mx.example.net 1 mx.example.com; spf=pass":                       true,
			"mx.example.net/1 (mx.example.com); spf=pass":                     true,
			"(mx.example.com) mx.example.net; spf=pass":                       true,
			"ｍｘ.example.com; spf=pass":                                        true,
			"MX。example｡com; spf=pass":                                        true,
			"m\u00adx.exam\u200bple.com; spf=pass":                            true,
			"mx.example.com，; spf=pass":                                       true,
			"spf=pass smtp.mailfrom=x@mx.example.com":                         false,
			"mx.example.net; spf=pass":                                        false,
			"mx.example.net, spf=pass":                                        false,
			"a.mx.example.com; spf=pass":                                      false,
			"a-mx.example.com; spf=pass":                                      false,
			"a-mx.example.com, spf=pass":                                      false,
			"mx.example.com.example; spf=pass":                                false,
			"mx.example.com.example:25; spf=pass":                             false,
			"mx.example; spf=pass":                                            false,
			"mx.example.comx; spf=pass":                                       false,
			"mx.example.com-x; spf=pass":                                      false,
			"mx.example.comü,; spf=pass":                                      false,
			"mx.example.com\u0308; spf=pass":                                  false,
			"example.com; spf=pass (mx.example.com)":                          false,
			"mx.example.net; x=mx.example.com":                                false,
			"mx.example.net; mx.example.com; spf=pass":                        false,
			"mx.example.net (mx.example.com) 1; spf=pass":                     false,
			`"mx.example.net"; spf=pass`:                                      false,
			"":                                                                false,
			"mx.example.com;" + strings.Repeat("x", 100_000):                  true,
			"(" + strings.Repeat("x", 100_000) + ") mx.example.com; spf=pass": true,
			strings.Repeat("(", 100_000) + " mx.example.com; spf=pass":        true,
			strings.Repeat(" ", 100_000) + "mx.example.com; spf=pass":         true,
			strings.Repeat("x ", 100_000) + "mx.example.com; spf=pass":        true,
			strings.Repeat("x;", 100_000) + "mx.example.com; spf=pass":        false,
			strings.Repeat(";", 100_000) + "mx.example.com; spf=pass":         true,
			strings.Repeat("m\u00adx.example.co", 20) + "m:; spf=pass":        false,
			strings.Repeat("ü", 300) + "; spf=pass":                           false,
			strings.Repeat("ü", 300) + ":; spf=pass":                          true,
			strings.Repeat(".", 3000) + "ｍｘ.example.com" + strings.Repeat(".", 3000) + "; spf=pass": true,
			"mx.example.com" + strings.Repeat("\u00ad", 100_000) + ": ; x; a=b":                     true,
		},
		"xn--bcher-kva.xn--bcher-kva.example": {
			"bücher.bücher.example; spf=pass":                 true,
			"BÜCHER.XN--BCHER-KVA.example 1; spf=pass":        true,
			"xn--bcher-kva.bu\u0308cher.example; spf=pass":    true,
			"xn--bcher-kva.xn--bcher-kva.example,; spf=pass":  true,
			"bücher.xn--bcher-kva.example:; spf=pass":         true,
			`"b?cher.b?cher.example"; spf=pass`:               false,
			"bücher.bucher.example; spf=pass":                 false,
			"bücher.bücher.example.example; spf=pass":         false,
			"a.xn--bcher-kva.xn--bcher-kva.example; spf=pass": false,
		},
		"HOST": {"host; spf=pass": true, "host=; spf=pass": true, "host=pass; spf=pass": true, "spf=pass host": false, `"host"=pass`: true, "(host) spf=pass": true, "hosts=pass": false},
		"":     {"; spf=pass": false, "": false, "x": false},
	} {
		s := authres.ServiceOf(id)
		for value, want := range values {
			if got := s.Claims(value); got != want {
				t.Errorf("%s: %.60q: got %v, want %v", id, value, got, want)
			}
		}
	}
}

// hostile are values whose ids are in Unicode, of about a kilobyte each, or of the size of
// a header.
func hostile() map[string]string {
	random := rand.New(rand.NewPCG(1, 2))
	word := func(n int) string {
		r := make([]rune, n)
		for i := range r {
			r[i] = 0x4e00 + random.Int32N(20_000)
		}
		return string(r)
	}
	words := make([]string, 58)
	for i := range words {
		words[i] = word(340)
	}
	return map[string]string{
		"one id":     word(340) + "; none",
		"58 words":   strings.Join(words, " ") + "; none",
		"long word":  word(20_000) + ",; none",
		"comments":   strings.Repeat("(x)ü", 10_000) + "; none",
		"opening":    strings.Repeat("(", 50_000) + "ü",
		"quotes":     strings.Repeat(`"ü\`, 10_000) + "; none",
		"semicolons": strings.Repeat(";", 50_000) + "ü",
		"marks":      strings.Repeat("\u0308\u0301", 10_000) + "; none",
		"A-labels":   "ü.xn--" + strings.Repeat("a", 50_000) + "; none",
	}
}

// TestClaimsWork counts what a hostile field costs: a conversion of its words would
// allocate for each.
func TestClaimsWork(t *testing.T) {
	s := authres.ServiceOf("mx.example.com")
	for name, value := range hostile() {
		// The race detector allocates, too.
		if got := testing.AllocsPerRun(5, func() { s.Claims(value) }); got > 60 {
			t.Errorf("%s: got %v allocations, want at most 60", name, got)
		}
	}
}

func BenchmarkClaims(b *testing.B) {
	s := authres.ServiceOf("mx.example.com")
	values := hostile()
	values["ours"] = "mx.example.com; spf=pass smtp.mailfrom=joe@example.org"
	values["another's"] = "mx.example.org; spf=pass smtp.mailfrom=joe@example.org"
	for name, value := range values {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(value)))
			b.ReportAllocs()
			for b.Loop() {
				s.Claims(value)
			}
		})
	}
}

// FuzzClaims sees that whatever a field looks like, it claims to be ours when our name is
// put in front of it or a reader gets our name from it, and that what we write does.
func FuzzClaims(f *testing.F) {
	for _, v := range []string{"mx.example.com; spf=pass", `"mx"(x).example.com\;=`, "; mx.example.com,", "ｍｘ.example.com", "x=y; ü", "(((", "mx.example.net 1; none"} {
		f.Add(v)
	}
	const id = "mx.example.com"
	s := authres.ServiceOf(id)
	f.Fuzz(func(t *testing.T, value string) {
		if h := authres.Parse(value); strings.EqualFold(h.ID, id) && !s.Claims(value) {
			t.Errorf("%q is read as ours and kept", value)
		}
		for _, first := range []string{id + ";", `"` + id + `";`, id + " ", id + ",", id + "(", id + "=", `"` + id + `"`, "<" + id + ">", ";" + id + ";", "(" + id + ")"} {
			if !s.Claims(first + value) {
				t.Errorf("%q begins with our id and is kept", first+value)
			}
		}
		if first, _, _ := strings.Cut(value, ";"); strings.EqualFold(strings.Trim(first, " \t\r\n\"."), id) && !s.Claims(value) {
			t.Errorf("%q: ours up to the first semicolon, and kept", value)
		}
		if honest := "mx.example.org; " + value; s.Claims(honest) {
			t.Errorf("%q is of another and removed", honest)
		}
		h := authres.Header{ID: id, Results: authres.Parse(value).Results}
		if !s.Claims(h.Format()) {
			t.Errorf("%q is ours and kept", h.Format())
		}
	})
}
