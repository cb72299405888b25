package spf_test

import (
	"errors"
	"math/rand/v2"
	"net"
	"strings"
	"testing"

	blitiri "blitiri.com.ar/go/spf"

	"rmilter/internal/dns"
	"rmilter/internal/dns/dnstest"
	"rmilter/internal/spf"
	"rmilter/test/suites"
)

// A maker makes records at random.
type maker struct {
	*rand.Rand
	wrong bool // the record has a term that is no valid one
}

func (m *maker) pick(list ...string) string { return list[m.IntN(len(list))] }

func (m *maker) bad(list ...string) string {
	m.wrong = true
	return m.pick(list...)
}

func (m *maker) term() string {
	q := m.pick("", "", "+", "-", "~", "?")
	domain := m.pick(":a.example", ":mx.example", ":alias.example", ":four.example/24", ":none.example", ":www.%{d2}", ":%{d}", ":a.example.", "", "")
	switch m.IntN(13) {
	case 0, 1:
		return q + "a" + domain
	case 2, 3:
		return q + "mx" + strings.TrimSuffix(domain, "/24")
	case 4, 5:
		return q + m.pick("include:", "INCLUDE:") + m.pick("pass.example", "fail.example", "soft.example", "neutral.example", "none.example", "twice.example", "loop.example", "down.example", "open.example", "two.example")
	case 6, 7:
		return q + m.pick("ip4:192.0.2.0/24", "ip4:192.0.2.1", "ip4:198.51.100.0/24", "ip6:2001:db8::/32", "ip6:2001:db8::1/128")
	case 8:
		return q + "exists:" + m.pick("%{ir}.list.example", "%{l}.by.example.org", "a.example", "%{l1r-}.example")
	case 9:
		return q + m.pick("ptr", "ptr:example.org", "ptr:example.net")
	case 10:
		return m.pick("x=y", "", q+"all", "redirect="+m.pick("pass.example", "none.example", "fail.example", "down.example"))
	case 11:
		return q + m.pick("a/24", "a//64", "mx/8//64", "all")
	}
	if m.IntN(4) > 0 {
		return q + "a:four.example"
	}
	return q + m.bad("mx/33", "nonsense", "ip4", "ip4:", "all:x", "redirect:x.example", "exists:%{d0}.x", "ip4:1.2.3", "ip4:192.0.2.1/33", "a:x", "exists:%{c}.example", "include")
}

// TestOracle compares with another implementation over records made at random. The other
// one reads a record only as far as it needs it, in contrast to RFC 7208, section 4.6, so
// for broken records it is no measure. It counts every lookup without an answer, not
// every term, in contrast to section 4.6.4; and it asks for both kinds of addresses, so
// that for an IPv6 client a name with an IPv4 address alone is an answer.
func TestOracle(t *testing.T) {
	s := dnstest.Start(t, zone)
	s.AddTXT("two.example", "v=spf1 include:pass.example include:soft.example mx:mx.example ?all")
	s.Script("down.example", "", dnstest.ServFail)
	m := &maker{Rand: rand.New(rand.NewPCG(7208, 1))}
	compared, broken, void := 0, 0, 0
	for range 1000 {
		record := "v=spf1"
		m.wrong = false
		redirects := 0
		for range 1 + m.IntN(5) {
			term := m.term()
			record += " " + term
			if strings.HasPrefix(term, "redirect=") {
				redirects++
			}
		}
		m.wrong = m.wrong || redirects > 1
		s.Remove("example.org", "TXT")
		s.AddTXT("example.org", record)
		ip := m.pick(local4, local4, local6, "198.51.100.1", "203.0.113.50")
		res := suites.Resolver(t, s)
		got := spf.Check(t.Context(), res, ask(ip, "x.example", "user@example.org"))
		want, err := blitiri.CheckHostWithSender(net.ParseIP(ip), "x.example", "user@example.org",
			blitiri.WithResolver(dns.Net{Lookuper: res}), blitiri.WithContext(t.Context()))
		res.Close()
		if m.wrong {
			broken++
			want = blitiri.PermError
		}
		switch {
		case string(got.Code) == string(want):
			compared++
		case errors.Is(err, blitiri.ErrVoidLookupLimitReached) && got.Code != spf.PermError,
			got.Void > 2 && strings.Contains(ip, ":"):
			void++
		default:
			t.Errorf("%s\n\tfor %s: got %v, the other says %s (%v)", record, ip, got, want, err)
		}
	}
	t.Logf("%d equal, of them %d broken records; %d differ by void lookups", compared, broken, void)
	if compared < 900 {
		t.Errorf("only %d of 1000 could be compared", compared)
	}
}
