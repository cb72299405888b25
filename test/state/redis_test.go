package state

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"rmilter/internal/metrics"
	"rmilter/test/e2e"
	"rmilter/test/redisd"
)

// sluggish is how long a message takes at least that waited for a store in vain.
const sluggish = 200 * time.Millisecond

// maxErrors is how many operations may wait in vain until a server counts as down.
const maxErrors = 10

// warmup is how long a new store lets everything pass in these tests.
const warmup = 3 * time.Second

// A drill is a daemon under load whose Redis has to suffer.
type drill struct {
	t *testing.T
	d *daemon
	*load
	messages int       // of each part of an outage
	healthy  []outcome // while all was well
}

// startDrill starts a daemon with a configuration of its Redis, and a load.
func startDrill(t *testing.T, redis string) *drill {
	t.Helper()
	d := startDaemon(t, "", doubtful+fmt.Sprintf("greylisting { warmup = %s; }\n"+
		"limits { user = \"1000000 / 1h\"; limit_to = \"1000000 / 1h\"; }\nredis { maxerrors = %d; %s }\n", warmup, maxErrors, redis))
	x := &drill{t: t, d: d, load: newLoad(t, d.Addr(0).String(), counted(6, 8)), messages: counted(120, 1000)}
	x.begin()
	x.quiet()
	return x
}

// quiet has the load go on for a while in which nothing is to happen.
func (x *drill) quiet() {
	x.t.Helper()
	mark, begin := x.d.mark(), time.Now()
	x.more(x.messages)
	end := time.Now()
	outs := x.within(begin, end)
	x.judge("while all is well", outs, x.works)
	if n, _ := x.d.outages(mark); n != 0 {
		x.t.Errorf("while all is well the log tells of %d outages", n)
	}
	x.healthy = append(x.healthy, outs...)
}

// works tells what is wrong with what became of a message when the store works. One for
// which it took too long, as happens on a busy machine, says so in its log line.
func (x *drill) works(o outcome, a account) string {
	if o.kind == fresh && !o.deferred && !strings.Contains(a.flags, "no_store") {
		return "not deferred"
	}
	return ""
}

// gone tells what is wrong with what became of a message when the store is known not to work.
func (x *drill) gone(o outcome, a account) string {
	switch {
	case o.deferred:
		return "deferred"
	case o.kind == fresh && (a.grey != "nostore" || !strings.Contains(a.flags, "no_store")):
		return "accepted, but not for the store that is down"
	}
	return ""
}

// either is for messages in whose time the store began or ceased to work.
func (x *drill) either(outcome, account) string { return "" }

// judge goes through the messages of a time. Whatever happens, only those are deferred that
// greylisting doesn't know, and each has one log line.
func (x *drill) judge(when string, outs []outcome, wrong func(outcome, account) string) {
	x.t.Helper()
	var accounts map[string]account
	if !e2e.Eventually(func() bool { // the last lines are just being written
		accounts = x.d.accounts()
		for _, o := range outs {
			if _, ok := accounts[o.id]; !ok {
				return false
			}
		}
		return true
	}) {
		x.t.Errorf("%s: messages without a log line", when)
	}
	faults, without := map[string]int{}, 0
	for _, o := range outs {
		a := accounts[o.id]
		what := wrong(o, a)
		if o.deferred && o.kind != fresh {
			what = "deferred, which nobody but the unknown may be"
		}
		if what != "" {
			faults[string(o.kind)+" "+what+" grey="+a.grey+" flags="+a.flags]++
		}
		if strings.Contains(a.flags, "no_store") {
			without++
		}
	}
	for what, n := range faults {
		x.t.Errorf("%s: of %d messages %d were %s", when, len(outs), n, what)
	}
	x.t.Logf("%s: %d messages, %d of them without the store, %d took longer than %v", when, len(outs), without, slow(outs), sluggish)
}

// slow returns how many messages took as long as if they had waited for a store in vain.
func slow(outs []outcome) (n int) {
	for _, o := range outs {
		if o.took() >= sluggish {
			n++
		}
	}
	return n
}

// usual returns how many of so many messages may be slow as the machine is busy with other
// things: those of all clients twice, some more, and twice the share of them while all was
// well. All of those that need the store would be far more.
func (x *drill) usual(n int) int {
	return 2*x.clients + n/50 + 2*n*slow(x.healthy)/max(1, len(x.healthy))
}

// outage has a store fail and mends it. While it fails nobody waits for it but those who
// find out; afterwards all is as before. It is one outage in the log.
func (x *drill) outage(name string, fail, mend func()) {
	x.t.Helper()
	mark, began := x.d.mark(), time.Now()
	fail()
	x.d.await(metrics.Degraded)
	open := time.Now()
	x.more(x.messages)
	closing := time.Now()
	if s := x.d.status(); s.State != metrics.Degraded || s.Stores[0].State == "ok" {
		x.t.Errorf("%s: in the outage the status is %s, that of the store %q", name, s.State, s.Stores[0].State)
	}
	mend()
	x.d.await(metrics.OK)
	closed := time.Now()
	x.more(x.messages)
	ended := time.Now()
	downs, ups := x.d.outages(mark)

	x.judge(name+", while it is noticed", x.within(began, open), x.either)
	x.judge(name+", in the outage", x.within(open, closing), x.gone)
	x.judge(name+", while it ends", x.within(closing, closed), x.either)
	x.judge(name+", afterwards", x.within(closed, ended), x.works)
	x.waits(name, began, closing, open)
	if downs != 1 || ups != 1 {
		x.t.Errorf("%s: the log tells of %d beginnings and %d ends of outages, want one of each:\n%s", name, downs, ups, x.d.tail())
	}
	if s := x.d.status().Stores[0]; s.State != "ok" || s.LastOutage.Before(began.Add(-time.Second)) || s.LastLasted <= 0 {
		x.t.Errorf("%s: afterwards the status tells of the store %+v", name, s)
	}
}

// waits counts the messages that waited for the store: those that found out, which are at
// most as many as operations may wait in vain besides those under way, and none later on.
func (x *drill) waits(name string, began, ended, open time.Time) {
	x.t.Helper()
	all, later := x.within(began, ended), x.within(open, ended)
	if got, most := slow(all), maxErrors+x.clients+x.usual(len(all)); got > most {
		x.t.Errorf("%s: %d of %d messages waited for the store, at most %d may", name, got, len(all), most)
	}
	if got, most := slow(later), x.usual(len(later)); got > most {
		x.t.Errorf("%s: %d of %d messages waited for the store when it was known to be down, at most %d may", name, got, len(later), most)
	}
	longest := time.Duration(0)
	for _, o := range all {
		longest = max(longest, o.took())
	}
	x.t.Logf("%s: %d messages waited for the store, %d of them when it was known to be down; the longest took %v", name, slow(all), slow(later), longest.Round(time.Millisecond))
}

// TestRedis does to one Redis server what may happen to it.
func TestRedis(t *testing.T) {
	s := redisd.Single(t, redisd.Options{})
	x := startDrill(t, fmt.Sprintf("servers = %q;", s.Address()))
	for range counted(1, 5) {
		x.outage("stopped", func() { s.Save(); s.Stop() }, s.Start)
		x.outage("black hole", s.Pause, s.Resume)
		x.outage("killed", func() { s.Save(); s.Kill() }, s.Start)
		x.outage("memory full", s.Fill, s.Drain)
		x.outage("wrong password", func() { s.SetPassword("secret") }, func() { s.SetPassword("") })
		x.emptied(s)
	}
	if strings.Contains(x.d.logged(0), "secret") {
		t.Error("the log has the password")
	}
}

// emptied flushes the server: for some time all pass, and nobody is deferred but those whom
// nobody knows.
func (x *drill) emptied(s *redisd.Server) {
	x.t.Helper()
	mark, began := x.d.mark(), time.Now()
	s.Flush()
	empty := time.Now()
	if !e2e.Eventually(func() bool { // the time is over
		for _, o := range x.within(empty, time.Now()) {
			if o.kind == fresh && o.deferred {
				return true
			}
		}
		return false
	}) {
		x.t.Error("emptied: greylisting doesn't work again")
	}
	x.more(x.messages)
	warm := 0
	x.judge("emptied, in the warmup", x.within(empty, began.Add(warmup)), func(o outcome, a account) string {
		if a.grey == "warmup" {
			warm++
		}
		if o.deferred {
			return "deferred"
		}
		return ""
	})
	x.judge("emptied, all of it", x.within(empty, time.Now()), x.either)
	if warm == 0 {
		x.t.Error("emptied: nothing passed for the warmup")
	}
	if n, _ := x.d.outages(mark); n != 0 {
		x.t.Errorf("an emptied store is no outage, but the log tells of %d", n)
	}
}

// TestSentinel kills the master, whose part the replica takes over.
func TestSentinel(t *testing.T) {
	w := redisd.Sentinel(t, redisd.Options{})
	x := startDrill(t, fmt.Sprintf("sentinel_master = %s; servers = %s;", redisd.MasterName, strings.Join(redisd.Addresses(w.Sentinels), ", ")))
	var dead *redisd.Server
	x.outage("failed over", func() { dead = w.Master(); dead.Kill() }, func() { w.AwaitFailover(dead) })
}

// TestCluster moves slots from one server to others: nobody may notice.
func TestCluster(t *testing.T) {
	c := redisd.NewCluster(t, redisd.Options{})
	x := startDrill(t, fmt.Sprintf("mode = cluster; servers = %s;", strings.Join(redisd.Addresses(c.Servers), ", ")))
	mark, began := x.d.mark(), time.Now()
	for tag := range counted(8, 64) {
		slot := c.Slot(fmt.Sprintf("{%02x}", tag))
		from, to := c.Owner(slot), c.Servers[tag%3]
		if from == to {
			to = c.Servers[(tag+1)%3]
		}
		c.BeginMove(slot, to)
		x.more(x.messages / 10)
		c.FinishMove(slot, to)
	}
	x.more(x.messages)
	outs := x.within(began, time.Now())
	x.judge("while slots move", outs, x.works)
	if got, most := slow(outs), x.usual(len(outs)); got > most {
		t.Errorf("%d of %d messages waited for the store, at most %d may", got, len(outs), most)
	}
	if n, _ := x.d.outages(mark); n != 0 {
		t.Errorf("the log tells of %d outages, want none", n)
	}
}
