package dnslist_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"rmilter/internal/dns"
	"rmilter/internal/dns/dnstest"
	"rmilter/internal/dnslist"
	"rmilter/internal/ucl"
)

// check runs the tests that are due.
func (r *rig) check() { r.Check(context.Background()) }

// from returns a query about the n-th client.
func from(n int) dnslist.Query {
	return dnslist.Query{Ask: dnslist.Client, Addr: netip.AddrFrom4([4]byte{198, 51, 100, byte(n)})}
}

// A blocked list stays out until its next test, an hour later, has shown that it works.
func TestBlockedComesBack(t *testing.T) {
	l := list("spamhaus")
	r := newRig(t, healthy(l)+"1.100.51.198.zen.spamhaus.org A 127.255.255.254", l)
	r.check()
	if f, err := r.ask(l, from(1)); !f.Blocked || err != nil {
		t.Fatalf("got %+v, %v", f, err)
	}
	asked := r.server.Queries("", "")
	for range 59 {
		r.clock.Advance(dnslist.CheckEvery)
		r.check()
	}
	if _, err := r.ask(l, from(2)); err != dnslist.ErrOut || r.server.Queries("", "") != asked {
		t.Errorf("got %v, %d questions more", err, r.server.Queries("", "")-asked)
	}
	if s := r.state(); s.State != dnslist.Out || !s.Since.Equal(started) || len(r.told()) != 1 {
		t.Errorf("got %+v, %v", s, r.told())
	}
	r.clock.Advance(dnslist.CheckEvery)
	r.check()
	if f, err := r.ask(l, from(2)); err != nil || f.Blocked {
		t.Errorf("got %+v, %v", f, err)
	}
	if s := r.state(); s.State != dnslist.OK || r.told() != nil || !strings.Contains(r.logged(), "it works again") {
		t.Errorf("got %+v, %v\n%s", s, r.told(), r.logged())
	}
}

// A list that begins to list everything goes out with its next hourly test.
func TestListGoesBad(t *testing.T) {
	l := list("DBL")
	r := newRig(t, healthy(l), l)
	r.check()
	r.server.Add("*.dbl.spamhaus.org", "A", "127.0.1.2")
	r.server.Remove("dbltest.com.dbl.spamhaus.org", "")
	r.clock.Advance(time.Hour)
	r.check()
	if s := r.state(); s.State != dnslist.Out || !strings.Contains(s.Reason, "it lists everything: invalid") {
		t.Errorf("got %+v", s)
	}
	r.server.Remove("*.dbl.spamhaus.org", "")
	r.clock.Advance(time.Hour)
	r.check()
	if s := r.state(); s.State != dnslist.Out || !strings.Contains(s.Reason, "its test point dbltest.com isn't listed") || len(r.told()) != 1 {
		t.Errorf("got %+v, %v", s, r.told())
	}
}

// A list that is dead is out after some questions and then asked by nobody but the test, so
// that no message waits for it; the other one goes on.
func TestDeadList(t *testing.T) {
	dead, alive := list("spamhaus"), list("sem")
	r := newRig(t, healthy(dead)+healthy(alive), dead, alive)
	r.check()
	for n := 1; n <= 5; n++ {
		name := fmt.Sprintf("%d.100.51.198.zen.spamhaus.org", n)
		r.server.Script(name, "", dnstest.Drop)
		if _, err := r.ask(dead, from(n)); dns.KindOf(err) != dns.Timeout {
			t.Fatalf("question %d: got %v", n, err)
		}
		if _, err := r.ask(alive, from(n)); err != nil {
			t.Fatalf("question %d: got %v", n, err)
		}
	}
	asked := r.server.Queries("", "")
	if _, err := r.ask(dead, from(6)); err != dnslist.ErrOut || r.server.Queries("", "") != asked {
		t.Errorf("got %v, %d questions", err, r.server.Queries("", "")-asked)
	}
	if s := r.state(); s.State != dnslist.Out || !strings.Contains(s.Reason, "it doesn't answer (timeout, asked through 127.0.0.1:") || s.Timeouts != 5 {
		t.Errorf("got %+v", s)
	}
	for _, what := range []string{"1.0.0.127", "2.0.0.127"} {
		r.server.Script(what+".zen.spamhaus.org", "", dnstest.Drop)
	}
	r.clock.Advance(dnslist.CheckEvery)
	r.check()
	if told := r.told(); len(told) != 1 || !strings.Contains(told[0], "spamhaus (zen.spamhaus.org): it doesn't answer") {
		t.Errorf("told %q", told)
	}
	for _, what := range []string{"1.0.0.127", "2.0.0.127"} {
		r.server.Script(what+".zen.spamhaus.org", "")
	}
	r.clock.Advance(dnslist.CheckEvery)
	r.check()
	if _, err := r.ask(dead, from(6)); err != nil || r.told() != nil {
		t.Errorf("got %v, told %q", err, r.told())
	}
}

// When nobody answers, it isn't the lists' fault: a test changes nothing, nothing is told,
// and each is back as soon as there are answers.
func TestNoDNS(t *testing.T) {
	lists := []*dnslist.List{list("spamhaus"), list("sem"), list("DBL")}
	r := newRig(t, healthy(lists[0])+healthy(lists[1])+healthy(lists[2]), lists...)
	r.check()
	r.server.Script("", "", dnstest.ServFail)
	for range 70 {
		r.clock.Advance(dnslist.CheckEvery)
		r.check()
	}
	for _, s := range r.Status() {
		if s.State != dnslist.OK {
			t.Errorf("got %+v", s)
		}
	}
	for n := range 20 {
		for _, l := range lists[:2] {
			r.ask(l, from(n))
		}
		r.clock.Advance(time.Second)
	}
	if s := r.Status(); s[0].State != dnslist.Out || s[1].State != dnslist.Out || s[2].State != dnslist.OK || r.told() != nil {
		t.Errorf("got %+v, told %q", s, r.told())
	}
	r.clock.Advance(dnslist.CheckEvery)
	r.check()
	r.server.Script("", "")
	r.clock.Advance(dnslist.CheckEvery)
	r.check()
	for _, s := range r.Status() {
		if s.State != dnslist.OK {
			t.Errorf("got %+v", s)
		}
	}
	if r.told() != nil {
		t.Errorf("told %q", r.told())
	}
}

// Before its first test, a list is tested by the first question, once for all that come
// together; a test without an answer is not repeated before its time.
func TestFirstQuestionTests(t *testing.T) {
	l := list("spamhaus")
	r := newRig(t, healthy(l), l)
	if s := r.state(); s.State != dnslist.Untested {
		t.Fatalf("got %+v", s)
	}
	var all sync.WaitGroup
	for n := range 20 {
		all.Go(func() {
			if _, err := r.ask(l, from(n)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := r.server.Queries("2.0.0.127.zen.spamhaus.org", ""); n != 1 {
		t.Errorf("tested %d times", n)
	}

	r = newRig(t, healthy(l), l)
	r.server.Script("", "", dnstest.ServFail)
	r.ask(l, from(1))
	asked := r.server.Queries("", "")
	r.clock.Advance(30 * time.Second)
	if _, err := r.ask(l, from(2)); err != dnslist.ErrOut || r.server.Queries("", "") != asked {
		t.Errorf("got %v and %d questions", err, r.server.Queries("", "")-asked)
	}
	r.server.Script("", "")
	r.clock.Advance(30 * time.Second)
	if _, err := r.ask(l, from(2)); err != nil {
		t.Error(err)
	}
}

// A list that refuses public resolvers is off with one, and so with one warning for all.
func TestPublicResolver(t *testing.T) {
	zen, dbl, sem := list("spamhaus"), list("DBL"), list("sem")
	r := newRig(t, healthy(zen)+healthy(dbl)+healthy(sem))
	r.resolvers = []netip.AddrPort{netip.MustParseAddrPort("192.0.2.53:53"), netip.MustParseAddrPort("[2001:4860:4860::8888]:53")}
	r.Use([]*dnslist.List{zen, dbl, sem})
	r.check()
	s := r.Status()
	if s[0].State != dnslist.Off || s[1].State != dnslist.Off || s[2].State != dnslist.OK || !strings.Contains(s[0].Reason, "2001:4860:4860::8888") {
		t.Errorf("got %+v", s)
	}
	if _, err := r.ask(zen, from(1)); err != dnslist.ErrOut || r.server.Queries("1.100.51.198.zen.spamhaus.org", "") != 0 {
		t.Errorf("got %v", err)
	}
	if told := r.told(); len(told) != 1 || r.raised != 1 || !strings.HasPrefix(told[0], "2001:4860:4860::8888 is a public resolver") ||
		!strings.Contains(told[0], "spamhaus (zen.spamhaus.org), DBL (dbl.spamhaus.org);") {
		t.Errorf("told %q, %d times", told, r.raised)
	}
	r.mu.Lock()
	r.resolvers = nil
	r.mu.Unlock()
	r.check()
	for _, s := range r.Status() {
		if s.State != dnslist.OK {
			t.Errorf("got %+v", s)
		}
	}
	if r.told() != nil {
		t.Errorf("told %q", r.told())
	}
}

// Only questions that went out count, by days of UTC, and at 80 % of what the terms allow
// there is a warning.
func TestQuota(t *testing.T) {
	l := list("spamhaus")
	l.Daily = 13
	r := newRig(t, healthy(l), l)
	r.check()
	for n := range 8 {
		for range 3 {
			if _, err := r.ask(l, from(n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if s := r.state(); s.Queries != 10 || s.Limit != 13 || r.told() != nil {
		t.Fatalf("got %+v, told %q", s, r.told())
	}
	r.ask(l, from(8))
	r.ask(l, from(9))
	if told := r.told(); len(told) != 1 || told[0] != "spamhaus (zen.spamhaus.org): 11 questions today, of 13 that its terms allow a day" || r.raised != 1 {
		t.Errorf("told %q, %d times", told, r.raised)
	}
	r.clock.Advance(12 * time.Hour)
	if s := r.state(); s.Queries != 0 || r.told() != nil {
		t.Errorf("got %+v, told %q", s, r.told())
	}
}

// An undocumented answer is told of once a day.
func TestUndocumentedOnce(t *testing.T) {
	l := list("spamhaus")
	zone := healthy(l)
	for n := range 30 {
		zone += fmt.Sprintf("%d.100.51.198.zen.spamhaus.org A 127.0.0.%d\n", n, 100+n%20)
	}
	r := newRig(t, zone, l)
	for n := range 30 {
		if f, err := r.ask(l, from(n)); err != nil || len(f.Undocumented) != 1 || len(f.Hits) != 0 {
			t.Fatalf("got %+v, %v", f, err)
		}
	}
	if r.raised != 8 || len(r.told()) != 1 || r.state().Unknown != 30 {
		t.Errorf("raised %d times, told %q", r.raised, r.told())
	}
	r.clock.Advance(12 * time.Hour)
	r.check()
	if r.told() != nil {
		t.Errorf("told %q", r.told())
	}
}

// What is known of a zone outlives a reload; what was told of one that goes ends.
func TestUse(t *testing.T) {
	zen, urls, sem, off, sorbs := list("spamhaus"), list("SPAMHAUS_ZEN_URIBL"), list("sem"), list("DBL"), list("sorbs")
	off.Enabled = false
	r := newRig(t, healthy(zen)+"1.100.51.198.zen.spamhaus.org A 127.255.255.255\n"+healthy(sem), zen, urls, sem, off, sorbs)
	r.check()
	if s := r.Status(); len(s) != 4 || s[3].State != dnslist.Off || s[3].Reason != "closed in June 2024" {
		t.Errorf("got %+v", s)
	}
	if _, err := r.ask(sorbs, from(1)); err != dnslist.ErrOut {
		t.Errorf("got %v", err)
	}
	if _, err := r.ask(off, link.query); err != dnslist.ErrOut {
		t.Errorf("got %v", err)
	}
	if f, _ := r.ask(zen, from(1)); !f.Blocked {
		t.Fatalf("got %+v", f)
	}
	zen2 := list("spamhaus")
	r.Use([]*dnslist.List{sem, zen2})
	if s := r.Status(); len(s) != 2 || s[1].State != dnslist.Out || s[1].Queries != 3 || s[1].List != zen2 {
		t.Errorf("got %+v", s)
	}
	if len(r.told()) != 1 {
		t.Errorf("told %q", r.told())
	}
	r.Use([]*dnslist.List{sem})
	if s := r.Status(); len(s) != 1 || s[0].State != dnslist.OK || r.told() != nil {
		t.Errorf("got %+v, told %q", s, r.told())
	}
	if _, err := r.ask(zen2, from(2)); err != dnslist.ErrOut {
		t.Errorf("got %v", err)
	}
}

// The key of the Data Query Service is nowhere that anybody sees.
func TestKeyIsSecret(t *testing.T) {
	const key = "Abcdefghij0123456789klmnop"
	c := dnslist.DefaultConfig(dnslist.RBL)
	c.DQSKey = ucl.NewSecret(key)
	var zen *dnslist.List
	for _, l := range c.Lists() {
		if l.Name == "spamhaus" {
			zen = l
		}
	}
	zone := strings.ToLower(key) + ".zen.dq.spamhaus.net"
	r := newRig(t, "2.0.0.127."+zone+" A 127.0.0.2\n1.100.51.198."+zone+" A 127.0.0.2\n2.100.51.198."+zone+" A 127.0.0.99\n3.100.51.198."+zone+" A 127.255.255.254", zen)
	r.server.Script("4.100.51.198."+zone, "", dnstest.ServFail)
	r.server.AddTXT("2.100.51.198."+zone, key+" exceeded")
	var seen []string
	see := func(v ...any) { seen = append(seen, fmt.Sprintf("%v %+v", v, v)) }
	for _, n := range []int{1, 4, 2} {
		f, err := r.ask(zen, from(n))
		see(f, err, f.Asked)
	}
	probed, err := r.Probe(context.Background(), []*dnslist.List{zen}, "198.51.100.2")
	see(probed, err, zen)
	for _, p := range probed {
		see(p.Texts, p.Err)
	}
	r.clock.Advance(time.Hour)
	r.check()
	f, err := r.ask(zen, from(3))
	see(f, err, r.told(), r.Status(), r.logged(), r.Mask("1.100.51.198."+zone))
	if all := strings.ToLower(strings.Join(seen, "\n")); strings.Contains(all, strings.ToLower(key)) || !strings.Contains(all, "*.zen.dq.spamhaus.net") {
		t.Error(all)
	}
}

// A message that leaves early says nothing of the list.
func TestImpatientMessage(t *testing.T) {
	l := list("spamhaus")
	r := newRig(t, healthy(l), l)
	r.check()
	r.server.Script("", "", dnstest.Hold)
	r.server.OnDrop(nil)
	for n := range 20 {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := r.Ask(ctx, r.resolver, l, from(n)); dns.KindOf(err) != dns.Canceled {
			t.Fatalf("got %v", err)
		}
	}
	if s := r.state(); s.State != dnslist.OK || s.Timeouts != 0 {
		t.Errorf("got %+v", s)
	}
}

// A reload with another limit, or other test points, counts at once.
func TestUseChanged(t *testing.T) {
	l := list("spamhaus")
	r := newRig(t, healthy(l), l)
	r.check()
	r.ask(l, from(1))
	small := list("spamhaus")
	small.Daily = 3
	r.Use([]*dnslist.List{small})
	if told := r.told(); len(told) != 1 || !strings.Contains(told[0], "3 questions today, of 3 that its terms allow a day") {
		t.Errorf("told %q", told)
	}
	r.Use([]*dnslist.List{l})
	if s := r.state(); s.State != dnslist.OK || r.told() != nil {
		t.Errorf("got %+v, told %q", s, r.told())
	}
	other := list("spamhaus")
	other.TestListed = "198.51.100.9"
	r.Use([]*dnslist.List{other})
	r.check()
	if s := r.state(); s.State != dnslist.Out || !strings.Contains(s.Reason, "its test point 198.51.100.9 isn't listed") {
		t.Errorf("got %+v", s)
	}
}
