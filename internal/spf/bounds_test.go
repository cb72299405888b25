package spf_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"rmilter/internal/dns"
	"rmilter/internal/dns/dnstest"
	"rmilter/internal/spf"
	"rmilter/test/suites"
)

// A fake answers from a table and counts what it is asked.
type fake struct {
	texts map[string]string
	err   error
	asked map[string]int
}

func (f *fake) Lookup(ctx context.Context, name string, t dns.Type) (dns.Answer, error) {
	if f.asked == nil {
		f.asked = map[string]int{}
	}
	f.asked[name+" "+t.String()]++
	if f.err != nil {
		return dns.Answer{}, f.err
	}
	if err := ctx.Err(); err != nil {
		return dns.Answer{}, &dns.Error{Name: name, Type: t, Kind: dns.Canceled, Err: err}
	}
	if txt, ok := f.texts[name]; ok && t == dns.TypeTXT {
		return dns.Answer{Texts: []string{txt}}, nil
	}
	return dns.Answer{}, &dns.Error{Name: name, Type: t, Kind: dns.NotFound}
}

// TestFaults sees that a failure of the DNS is temperror, never fail and never none.
func TestFaults(t *testing.T) {
	for name, fault := range map[string]dnstest.Fault{
		"drop": dnstest.Drop, "servfail": dnstest.ServFail, "refused": dnstest.Refused, "bare": dnstest.Bare,
		"referral": dnstest.Referral, "no TCP": dnstest.TruncateNoTCP, "cut twice": dnstest.TruncateTwice,
		"garbage": dnstest.Garbage, "short": dnstest.Short, "pointers": dnstest.Pointers,
	} {
		for at, typ := range map[string]string{"example.org": "TXT", "inc.example": "TXT", "a.example": "A", "mx.example": "MX", "ex.example": "A"} {
			t.Run(name+" "+at, func(t *testing.T) {
				s := dnstest.Start(t, `
					example.org TXT "v=spf1 include:inc.example a:a.example mx:mx.example exists:ex.example -all"
					inc.example TXT "v=spf1 ip4:198.51.100.1"
					a.example   A   198.51.100.1
					mx.example  MX  10 a.example
				`)
				s.Script(at, typ, fault)
				got := spf.Check(t.Context(), suites.Resolver(t, s), ask(local4, "x", "u@example.org"))
				if got.Code != spf.TempError || got.Reason == "" {
					t.Errorf("got %v, want temperror with a reason", got)
				}
			})
		}
	}
	t.Run("truncated", func(t *testing.T) {
		s := dnstest.Start(t, `example.org TXT "v=spf1 ip4:192.0.2.1 -all"`)
		s.Script("example.org", "TXT", dnstest.Truncate)
		if got := spf.Check(t.Context(), suites.Resolver(t, s), ask(local4, "x", "u@example.org")); got.Code != spf.Pass {
			t.Errorf("got %v, want pass", got)
		}
	})
}

// TestForeignError sees that an error of another kind is no "not found".
func TestForeignError(t *testing.T) {
	f := &fake{err: errors.New("broken")}
	if got := spf.Check(t.Context(), f, ask(local4, "x", "u@example.org")); got.Code != spf.TempError {
		t.Errorf("got %v, want temperror", got)
	}
}

// TestEnded sees that an ended context gives temperror, also where the RFC has a failure
// of the DNS overlooked.
func TestEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := &fake{texts: map[string]string{"example.org": "v=spf1 ptr -all"}}
	l := lookup(func(_ context.Context, name string, typ dns.Type) (dns.Answer, error) {
		a, err := f.Lookup(ctx, name, typ)
		cancel()
		return a, err
	})
	if got := spf.Check(ctx, l, ask(local4, "x", "u@example.org")); got.Code != spf.TempError {
		t.Errorf("got %v, want temperror", got)
	}
	budget := lookup(func(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
		if typ == dns.TypePTR {
			return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.OverBudget}
		}
		return f.Lookup(ctx, name, typ)
	})
	if got := spf.Check(t.Context(), budget, ask(local4, "x", "u@example.org")); got.Code != spf.TempError {
		t.Errorf("over budget: got %v, want temperror", got)
	}
}

type lookup func(context.Context, string, dns.Type) (dns.Answer, error)

func (l lookup) Lookup(ctx context.Context, name string, t dns.Type) (dns.Answer, error) {
	return l(ctx, name, t)
}

// TestOnce sees that each question is asked once, with ten terms and macros.
func TestOnce(t *testing.T) {
	f := &fake{texts: map[string]string{
		"example.org": "v=spf1 include:i.example include:i.example exists:%{p}.x.example ptr ptr include:i.example -all exp=%{p}.e.example",
		"i.example":   "v=spf1 ip4:198.51.100.1",
	}}
	got := spf.Check(t.Context(), f, ask(local4, "x", "u@example.org"))
	if got.Code != spf.Fail {
		t.Fatalf("got %v, want fail", got)
	}
	for q, n := range f.asked {
		if n != 1 {
			t.Errorf("%s was asked %d times", q, n)
		}
	}
	if got.Queries != len(f.asked) || got.Terms != 6 {
		t.Errorf("got %d queries and %d terms, want %d and 6", got.Queries, got.Terms, len(f.asked))
	}
}

// TestTooLong sees what happens to records and names that are too large.
func TestTooLong(t *testing.T) {
	f := &fake{texts: map[string]string{"example.org": "v=spf1 " + strings.Repeat("ip4:198.51.100.1 ", 1000) + "-all"}}
	if got := spf.Check(t.Context(), f, ask(local4, "x", "u@example.org")); got.Code != spf.PermError {
		t.Errorf("long record: got %v, want permerror", got)
	}
	f = &fake{texts: map[string]string{"example.org": "v=spf1 exists:" + strings.Repeat("%{l}.", 2000) + "x.example -all exp=e.example", "e.example": strings.Repeat("%{l}\x20", 1000)}}
	got := spf.Check(t.Context(), f, ask(local4, "x", strings.Repeat("l", 60)+"@example.org"))
	if got.Code != spf.Fail || len(got.Explanation) != 500 {
		t.Errorf("long macros: got %v with %d bytes of explanation, want fail with 500", got, len(got.Explanation))
	}
	for q := range f.asked {
		if name, _, _ := strings.Cut(q, " "); len(name) > 253 {
			t.Errorf("a name of %d bytes was asked: %s", len(name), name)
		}
	}
	// Three labels of 60 and "x.example" have 192 bytes, four have 253.
	if want := strings.Repeat(strings.Repeat("l", 60)+".", 4) + "x.example A"; f.asked[want] != 1 {
		t.Errorf("%q wasn't asked, but %v", want, f.asked)
	}
}

// TestPrintable sees that nothing of a stranger gets out unprintable.
func TestPrintable(t *testing.T) {
	f := &fake{texts: map[string]string{"example.org": "v=spf1 -all exp=e.example", "e.example": "%{h} %{s}", "bad.example": "v=spf1 \x1b[31m\r\n"}}
	for _, from := range []string{"\"a\\\r\\\nb\"@example.org", "\xff\xfe@example.org", "x@bad.example"} {
		got := spf.Check(t.Context(), f, ask(local4, "h\r\nelo\x1b", from))
		for _, s := range []string{got.Explanation, got.Reason, got.Record, got.String()} {
			if strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
				t.Errorf("%q: got %q", from, s)
			}
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	s := dnstest.Start(b, `
		example.org      TXT "v=spf1 include:_spf1.example.org include:_spf2.example.org -all"
		_spf1.example.org TXT "v=spf1 ip4:198.51.100.0/24 ip4:203.0.113.0/24 ip6:2001:db8:1::/48 ~all"
		_spf2.example.org TXT "v=spf1 ip4:198.51.100.0/24 ip4:192.0.2.0/24 ~all"
	`)
	r := suites.Resolver(b, s)
	q := ask(local4, "mx.example.org", "user@example.org")
	if got := spf.Check(b.Context(), r, q); got.Code != spf.Pass || got.Terms != 2 {
		b.Fatal(fmt.Sprint(got))
	}
	for b.Loop() {
		spf.Check(b.Context(), r, q)
	}
}
