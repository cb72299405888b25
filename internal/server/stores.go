package server

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"rmilter/greylist"
	"rmilter/internal/config"
	"rmilter/internal/controller"
	"rmilter/internal/filter"
	"rmilter/internal/metrics"
	"rmilter/internal/replies"
	"rmilter/internal/store"
	"rmilter/internal/store/embedded"
	"rmilter/internal/store/redis"
	"rmilter/ratelimit"
	"rmilter/scan"
)

// storeDir is the folder of the embedded store within data_dir.
const storeDir = "store"

// openStores opens what keeps state: Redis where the configuration has servers for it,
// else this machine's own store. Redis may be there for messages to be published alone.
func (d *daemon) openStores(c *config.Config) error {
	var shared *store.Set
	if c.Redis.KeepsState() || c.Redis.Publishes() {
		var err error
		shared, err = redis.Open(c.Redis, redis.Env{Now: d.env.Now, Log: d.log, Down: d.storeDown, Up: d.storeUp})
		if err != nil {
			return err
		}
	}
	if c.Redis.KeepsState() {
		d.env.Stores = shared
		return nil
	}
	own, err := embedded.Open(embedded.Options{
		Dir:  filepath.Join(string(c.Server.DataDir), storeDir),
		Now:  d.env.Now,
		Log:  d.log,
		Down: d.storeDown,
		Up:   d.storeUp,
	})
	if err != nil {
		if shared != nil {
			shared.Close()
		}
		return err
	}
	d.own = own
	d.env.Stores = store.Same(own)
	if shared != nil {
		d.env.Stores.Spam, d.env.Stores.Copy = shared.Spam, shared.Copy
	} else if c.Redis.SpamChannel != "" || c.Redis.CopyChannel != "" {
		d.log.Warn("nothing is published: this machine's own store has no channels, which need redis { servers; }")
	}
	return nil
}

// storeDown is told of an outage of a store as it begins.
func (d *daemon) storeDown(h store.Health) {
	text, reason := storeProblem(h)
	effect := "mail goes on without greylisting, limits and recognised replies"
	if d.own != nil && h.Kind != d.own.Health().Kind {
		effect = "no messages are published"
	}
	p := metrics.Problem{ID: "store " + h.Address, Severity: metrics.Degraded, Text: text, Effect: effect}
	if d.figures.Raise(p) {
		d.log.Error("store unavailable: "+effect, "store", h.Kind, "address", h.Address, "reason", reason)
	}
}

// storeProblem says what is wrong with a store, and why alone.
func storeProblem(h store.Health) (text, reason string) {
	reason = strings.ReplaceAll(h.Reason, h.Address+": ", "") // it names the server, where there are several
	return "store " + h.Kind + " " + h.Address + ": " + reason, reason
}

// checkStores has the problems say why stores are down now: that may change while they
// are.
func (d *daemon) checkStores() {
	for _, s := range d.env.Stores.All() {
		if h := s.Health(); !h.Up {
			text, _ := storeProblem(h)
			d.figures.Amend("store "+h.Address, text)
		}
	}
}

// errandDropped is told that something could not be done after a message.
func (d *daemon) errandDropped() {
	if d.dropped.Add(1) == 1 {
		d.log.Warn("too much waits for the store: what was to be remembered of some messages is lost")
	}
}

// errandPanicked is told of a panic in what is done after a message.
func (d *daemon) errandPanicked(v any, stack []byte) {
	d.figures.Panicked()
	d.log.Error("panic after a message", "panic", fmt.Sprint(v), "stack", string(stack))
}

// checkErrands tells whether something could not be done since the last look.
func (d *daemon) checkErrands() {
	n := d.dropped.Swap(0)
	if n == 0 {
		d.figures.Clear("errands")
		return
	}
	d.figures.Raise(metrics.Problem{ID: "errands", Severity: metrics.Degraded, Text: fmt.Sprintf("the store is too slow: %d tasks after messages were dropped", n),
		Effect: "some replies won't be recognised, and some limits give nothing back"})
}

// storeUp is told of the end of an outage.
func (d *daemon) storeUp(h store.Health) {
	if lasted, was := d.figures.Clear("store " + h.Address); was {
		d.log.Info("store works again", "store", h.Kind, "address", h.Address, "after", lasted.Round(time.Millisecond).String())
	}
}

// archive is what can be backed up and restored; nil with Redis.
func (d *daemon) archive() controller.Archive {
	if d.own == nil {
		return nil
	}
	return d.own
}

// channels are where messages are published, if they can be.
func (d *daemon) channels(c *config.Config) filter.Channels {
	if r := &d.started.Redis; !r.KeepsState() && !r.Publishes() {
		return filter.Channels{}
	}
	return filter.Channels{Spam: string(c.Redis.SpamChannel), Copy: string(c.Redis.CopyChannel), Probability: float64(c.Redis.CopyProbability)}
}

// storesStatus tells how the stores do, each once.
func (d *daemon) storesStatus() []metrics.Store {
	set := d.env.Stores
	var list []metrics.Store
	for _, s := range set.All() {
		h := s.Health()
		m := metrics.Store{Kind: h.Kind, Address: h.Address, State: "ok", Since: h.Since,
			LastOutage: h.LastOutage, LastLasted: h.LastLasted.Seconds(),
			Latency: float64(h.Latency.Microseconds()) / 1000, Keys: max(0, h.Keys), Size: max(0, h.Size)}
		if !h.Up {
			m.State = h.Reason
		}
		for _, use := range []struct {
			name string
			of   store.Store
		}{{"main", set.Main}, {"grey", set.Grey}, {"white", set.White}, {"limits", set.Limits}, {"ids", set.IDs}, {"spam", set.Spam}, {"copy", set.Copy}} {
			if use.of == s {
				m.For = append(m.For, use.name)
			}
		}
		list = append(list, m)
	}
	return list
}

// overLimit tells which users of ours are over their limit.
func (d *daemon) overLimit() []metrics.OverLimit {
	list := []metrics.OverLimit{}
	for _, u := range d.env.Users.Over() {
		list = append(list, metrics.OverLimit{User: u.User, Since: u.Since, Last: u.Last, Refused: u.Refused})
	}
	return list
}

// rules returns what mail is judged by.
func (d *daemon) rules(c *config.Config, engine *scan.Engine) filter.Rules {
	delimiter := string(c.Filter.RecipientDelimiter)
	r := filter.Rules{Scanner: engine, Channels: d.channels(c), Limits: ratelimit.New(c.Limits, ratelimit.Env{Delimiter: delimiter, Now: d.env.Now})}
	if c.Greylist.Enable {
		r.Greylist = greylist.New(c.Greylist, greylist.Env{Now: d.env.Now, Delimiter: delimiter, Location: time.Local,
			GreyPrefix: string(c.Redis.GreyPrefix), WhitePrefix: string(c.Redis.WhitePrefix)})
	}
	if c.Replies.Enable {
		r.ReplySkip = c.Replies.Skipped()
		r.Replies = replies.New(c.Replies, replies.Env{Now: d.env.Now, IDPrefix: string(c.Redis.IDPrefix), Delimiter: delimiter, Misses: &d.misses})
	}
	return r
}

// closeState does what is left to do after mail and closes the stores.
func (d *daemon) closeState() {
	ctx, cancel := context.WithTimeout(context.Background(), errandsTime)
	defer cancel()
	if err := d.env.Errands.Close(ctx); err != nil {
		d.log.Warn("not all could be remembered of the last messages", "reason", err.Error())
	}
	d.env.DNS.Close()
	d.closeStores()
}

// closeStores closes the stores. What was acknowledged is safe when one hangs.
func (d *daemon) closeStores() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	closed := within(ctx, func() {
		if err := d.env.Stores.Close(); err != nil {
			d.log.Error("store not closed", "reason", err.Error())
		}
	})
	if !closed {
		d.log.Error("store not closed: it hangs", "after", closeTime.String())
	}
}
