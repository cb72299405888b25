package dnslist

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"time"

	"rmilter/internal/dns"
	"rmilter/internal/mail"
)

// due tells whether it is time for a test.
func (z *zone) due(now time.Time) bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.roll(now)
	return z.state != Off && !now.Before(z.next)
}

// lookAtResolver turns the list off if it refuses to answer the resolver, or on again.
func (z *zone) lookAtResolver(now time.Time) (netip.Addr, bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.list.Closed != "" {
		return netip.Addr{}, false
	}
	if z.list.PublicRefused {
		for _, server := range z.w.env.Resolvers(z.list.Zone) {
			if isPublicResolver(server.Addr()) {
				z.clear()
				z.set(Off, "it refuses to answer the public resolver "+server.Addr().String(), now)
				return server.Addr(), true
			}
		}
	}
	if z.state == Off {
		z.set(Untested, "", now)
		z.next = time.Time{}
	}
	return netip.Addr{}, false
}

// test tests the list, or waits for the test that is running.
func (z *zone) test(ctx context.Context) {
	z.mu.Lock()
	if running := z.running; running != nil {
		z.mu.Unlock()
		select {
		case <-running:
		case <-ctx.Done():
		}
		return
	}
	done := make(chan struct{})
	z.running = done
	l := z.list
	z.mu.Unlock()
	v := z.verdict(ctx, l)
	z.mu.Lock()
	defer z.mu.Unlock()
	z.running = nil
	close(done)
	z.settle(v, ctx.Err() != nil)
}

// A verdict is how a test ended.
type verdict struct {
	outcome outcome
	fault   string // what is wrong with the list; "" when nothing is
	after   time.Duration
}

// settle takes the verdict over. A test that had no answer changes nothing: it may be our
// own resolver that has none. The caller holds mu.
func (z *zone) settle(v verdict, cut bool) {
	now := z.w.env.Now()
	if z.state == Off {
		return
	}
	if v.outcome == failed || v.outcome == local {
		if cut && v.outcome == local {
			return // whoever wanted the test has left
		}
		z.next = now.Add(soon)
		if z.state == Untested {
			z.reason = "the test had no answer"
		}
		if z.state != OK && v.outcome == failed && z.othersAnswer() && z.raised == "" {
			z.raised = v.fault
			z.raise("out", v.fault+"; it isn't asked until a test succeeds")
		}
		return
	}
	z.tested = now
	if v.fault != "" {
		z.out(v.fault, v.after, false)
		return
	}
	z.fine(now)
}

// othersAnswer tells whether another list has answered since this one fell silent, so that
// it isn't our resolver that doesn't.
func (z *zone) othersAnswer() bool {
	if z.failing.IsZero() {
		return false
	}
	since := z.failing.UnixNano()
	for _, other := range z.w.force.Load().order {
		if other != z && other.lastAnswer.Load() >= since {
			return true
		}
	}
	return false
}

// verdict asks for what is listed for sure and for what is not.
func (z *zone) verdict(ctx context.Context, l *List) verdict {
	if l.Untested {
		return verdict{}
	}
	var clean, listed verdict
	var both sync.WaitGroup
	both.Go(func() { clean = z.ask(ctx, l, l.TestClean, z.isClean) })
	both.Go(func() { listed = z.ask(ctx, l, l.TestListed, z.isListed) })
	both.Wait()
	if clean.fault != "" && clean.outcome != failed {
		return clean
	}
	if listed.outcome != answered || listed.fault != "" {
		return listed
	}
	return clean
}

// A point is a question of a test with its answer.
type point struct {
	list *List
	what string // the address or name that was asked about
	name string // the whole question
	dns.Answer
}

// ask asks about a test point and has the answer judged.
func (z *zone) ask(ctx context.Context, l *List, what string, judge func(context.Context, point) verdict) verdict {
	if what == "" {
		return verdict{}
	}
	name, ok := l.under(testLabels(what))
	if !ok {
		return verdict{fault: "the name of its test point is too long", after: retest}
	}
	began := z.w.env.Now()
	a, err := z.w.env.DNS.Lookup(ctx, name, dns.TypeA)
	o := z.note(a, err, z.w.env.Now().Sub(began))
	through := ", asked through " + z.server(a.Server)
	switch {
	case o == refused:
		return verdict{outcome: o, fault: "answers REFUSED" + through, after: soon}
	case o != answered:
		return verdict{outcome: o, fault: "it doesn't answer (" + string(dns.KindOf(err)) + through + ")"}
	case a.Stale:
		return verdict{outcome: failed, fault: "it doesn't answer" + through}
	}
	for _, addr := range a.Addrs {
		if isAnswer(addr) && l.blocks(addr) {
			z.countBlocked()
			return verdict{fault: "answers " + refusal(addr) + through, after: retest}
		}
	}
	return judge(ctx, point{l, what, name, a})
}

// isClean judges what was said of what isn't listed.
func (z *zone) isClean(ctx context.Context, p point) verdict {
	if len(p.Addrs) == 0 {
		return verdict{}
	}
	fault := "it lists everything: " + p.what + ", which never is, has the answer " + p.Addrs[0].String()
	if text := z.text(ctx, z.w.env.DNS, p.name); text != "" {
		fault += " (\"" + text + "\")"
	}
	return verdict{fault: fault + ", asked through " + z.server(p.Server), after: retest}
}

// isListed judges what was said of what is listed for sure.
func (z *zone) isListed(_ context.Context, p point) verdict {
	for _, a := range p.Addrs {
		if isAnswer(a) {
			return verdict{}
		}
	}
	if len(p.Addrs) > 0 {
		return verdict{fault: "it has the answer " + p.Addrs[0].String() + ", which is none of a list, asked through " + z.server(p.Server), after: retest}
	}
	fault := "its test point " + p.what + " isn't listed, asked through " + z.server(p.Server) +
		": the list has closed, or the resolver drops answers within 127.0.0.0/8"
	if p.list.Key.IsSet() {
		fault += ", or the key is wrong"
	}
	return verdict{fault: fault, after: retest}
}

// testLabels returns a test point as it is asked for. An IPv4 address written as an IPv6
// address is asked for as one (RFC 5782, section 5).
func testLabels(what string) string {
	a, err := netip.ParseAddr(what)
	if err != nil {
		return what
	}
	if !a.Is4In6() {
		return dns.ReverseLabels(a)
	}
	const digits = "0123456789abcdef"
	var b strings.Builder
	bytes := a.As16()
	for i := len(bytes) - 1; i >= 0; i-- {
		b.WriteByte(digits[bytes[i]&15])
		b.WriteByte('.')
		b.WriteByte(digits[bytes[i]>>4])
		if i > 0 {
			b.WriteByte('.')
		}
	}
	return b.String()
}

// maxText is how much of a text of a list is shown.
const maxText = 200

// text returns what a list says in words about a question, in printable ASCII, "" for
// nothing.
func (z *zone) text(ctx context.Context, resolver dns.Lookuper, name string) string {
	began := z.w.env.Now()
	a, err := resolver.Lookup(ctx, name, dns.TypeTXT)
	z.note(a, err, z.w.env.Now().Sub(began))
	if len(a.Texts) == 0 {
		return ""
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	return mail.PrintableASCII(z.list.Mask(a.Texts[0]), maxText)
}

// isQuota tells whether a text says that we asked too much or in a wrong way.
func isQuota(text string) bool {
	text = strings.ToLower(text)
	for _, word := range [...]string{"quota", "exceed", "rate limit", "too many", "open resolver", "public resolver", "public dns", "denied", "not authori", "unauthori", "refused"} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// refusal returns an answer that says that we get none, with what it means.
func refusal(a netip.Addr) string {
	b := a.As4()
	if b[1] != 255 || b[2] != 255 {
		return a.String() + " instead of telling"
	}
	switch b[3] {
	case 252:
		return a.String() + " (the list's name is misspelt)"
	case 254:
		return a.String() + " (asked by a public resolver)"
	case 255:
		return a.String() + " (asked too often)"
	}
	return a.String() + " instead of telling"
}

func (z *zone) countBlocked() {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.counts.blocked++
}

// server is through for who doesn't hold mu.
func (z *zone) server(a netip.AddrPort) string {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.through(a)
}
