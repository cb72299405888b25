package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"rmilter/internal/store"
)

// Pauses between probes.
const (
	pauseUp    = 10 * time.Second
	pauseFirst = 200 * time.Millisecond
	pauseLast  = 10 * time.Second
	shortest   = 50 * time.Millisecond // also when there is doubt
	unhurried  = time.Second           // when there is always doubt
	hurried    = 3                     // so many probes in a row because of doubt don't wait for that
	steady     = time.Minute           // who was up for so long doesn't flap
)

// A pace is what the next pause depends on.
type pace struct {
	failed int       // probes in a row
	try    int       // probes that failed, and outages, since it was up for a while
	upAt   time.Time // when the latest outage ended
	doubts int       // probes in a row that doubt led to and that passed
	down   bool      // as the latest probe left it
}

// fell notes the beginning of an outage and tells whether there was another shortly
// before.
func (p *pace) fell(now time.Time) (again bool) {
	again = !p.upAt.IsZero() && now.Sub(p.upAt) < steady
	if !again {
		p.try = 0
	}
	return again
}

// watch probes the node: now and then while it is up, at once when there is doubt, and
// again and again while it is down.
func (n *node) watch(ctx context.Context) {
	var p pace
	for doubt := false; ; {
		pause := n.examine(ctx, doubt, &p)
		if ctx.Err() != nil {
			return
		}
		least := shortest
		if p.doubts >= hurried {
			least = unhurried
		}
		if doubt = n.env.rest(ctx, pause, least, n.doubted); ctx.Err() != nil {
			return
		}
		if p.down || n.why.Load() == nil || !p.fell(n.env.Now()) {
			continue
		}
		// Mail has found out that it was up for a moment only.
		p.try++
		if n.env.rest(ctx, n.env.pause(p.try), shortest, nil); ctx.Err() != nil {
			return
		}
	}
}

// examine probes the node once, draws the conclusions and returns how long to wait then.
func (n *node) examine(ctx context.Context, doubt bool, p *pace) (pause time.Duration) {
	down := n.why.Load() != nil
	var err error
	if down {
		err = n.trial(ctx)
	} else {
		err = n.probe(ctx, doubt)
	}
	if ctx.Err() != nil {
		return 0
	}
	if err == nil {
		p.failed, p.down = 0, false
		if p.doubts++; !doubt || down {
			p.doubts = 0
		}
		if down {
			p.upAt = n.env.Now()
		} else if why := n.refusal.Swap(nil); why != nil {
			n.env.warn(n.name, *why)
		}
		return pauseUp
	}
	// What nobody else has noticed may be a hiccup.
	if p.failed++; doubt || p.failed > 1 || judge(ctx, err) != silent {
		n.down(n.clients.Load(), n.env.reason(err))
	}
	n.failed()
	pause = pauseFirst
	if p.down = n.why.Load() != nil; p.down {
		if !down {
			p.fell(n.env.Now())
		}
		p.try++
		pause = n.env.pause(p.try)
	}
	p.doubts = 0
	n.env.Log.Debug("probe failed", "server", n.name, "reason", n.env.reason(err), "pause", pause.String())
	return pause
}

// errSlow is what is wrong with a server that answers too late for mail.
var errSlow = fmt.Errorf("its answers take more than %s", store.Operation)

// trial finds out whether a node that is down serves mail again, and ends the outage
// then. It answers in the time of an operation, on a connection that mail goes on to use:
// a server that is slow would be up and down in turn otherwise.
func (n *node) trial(ctx context.Context) error {
	mail := n.connect(forMail)
	err := n.ask(ctx, mail, n.env.probeTime(false))
	if err == nil {
		if err = n.ask(ctx, mail, store.Operation); errors.Is(err, context.DeadlineExceeded) {
			err = errSlow
		}
	}
	if err != nil {
		mail.Close()
		return err
	}
	n.up(mail)
	return nil
}

// probe finds out by a connection of its own whether somebody can write.
func (n *node) probe(ctx context.Context, doubt bool) error {
	client := n.connect(forProbe)
	defer client.Close()
	return n.ask(ctx, client, n.env.probeTime(doubt))
}

// ask finds out whether somebody can write. PING alone is answered also by a server that
// is full or may not be written to.
func (n *node) ask(ctx context.Context, client *goredis.Client, time time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, time)
	defer cancel()
	pipe := client.Pipeline()
	write := pipe.Eval(ctx, probeText, []string{n.probeKey()})
	size := pipe.DBSize(ctx)
	execute(ctx, pipe)
	switch judge(ctx, write.Err()) {
	case fine, moved, asked: // who tells where a key is serves
	case silent:
		return context.DeadlineExceeded
	default:
		return write.Err()
	}
	if size.Err() == nil {
		n.keys.Store(size.Val())
	}
	return nil
}

// pause returns how long to wait after a number of probes that failed in a row.
func (e *environment) pause(failed int) time.Duration {
	return max(pauseFirst, min(pauseFirst<<min(failed-1, 10), pauseLast, e.config.DeadTime.Std()))
}

// rest waits for about a pause, so that not all machines come at once, and tells whether
// doubt made it shorter, but not shorter than the least. Doubt may be steady, as where one
// command alone is forbidden.
func (e *environment) rest(ctx context.Context, pause, least time.Duration, doubted <-chan struct{}) (doubt bool) {
	over := e.after(time.Duration((0.75 + e.random()/2) * float64(pause)))
	select {
	case <-over:
		return false
	case <-e.after(least):
	case <-ctx.Done():
		return false
	}
	select {
	case <-over:
		return false
	case <-doubted:
		return true
	case <-ctx.Done():
		return false
	}
}

// How often it is told what a server refuses.
const (
	warnAgain = time.Hour // the same
	warnMost  = 16        // different things in this time
)

// warn tells that a server refuses something, though it serves.
func (e *environment) warn(server, why string) {
	e.warning.Lock()
	defer e.warning.Unlock()
	now := e.Now()
	for what, at := range e.warned {
		if now.Sub(at) >= warnAgain {
			delete(e.warned, what)
		}
	}
	what := server + " " + why
	if _, ok := e.warned[what]; ok || len(e.warned) >= warnMost {
		return
	}
	e.warned[what] = now
	e.Log.Warn("the server refuses what mail needs, though it answers probes", "server", server, "reason", why)
}
