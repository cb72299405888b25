package redis

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"rmilter/internal/store"
	"rmilter/internal/ucl"
	"rmilter/test/redisd"
)

// servers makes the list of servers of addresses.
func servers(t testing.TB, addresses ...string) ucl.Servers {
	t.Helper()
	var list ucl.Servers
	if err := list.Set(listOf(addresses), false); err != nil {
		t.Fatal(err)
	}
	return list
}

// configFor is a configuration for addresses. Pauses between probes are short.
func configFor(t testing.TB, addresses ...string) Config {
	c := DefaultConfig()
	c.Servers = servers(t, addresses...)
	c.DeadTime = ucl.Duration(300 * time.Millisecond)
	return c
}

// A probeable is a store whose outages are noted.
type probeable struct {
	store.Store
	t testing.TB

	mu     sync.Mutex
	events []string
	told   chan struct{} // capacity 1
}

// opened opens the store of a configuration.
func opened(t testing.TB, c Config) *probeable {
	t.Helper()
	p := &probeable{t: t, told: make(chan struct{}, 1)}
	note := func(what string) func(store.Health) {
		return func(h store.Health) {
			p.mu.Lock()
			p.events = append(p.events, what)
			p.mu.Unlock()
			if h.Up != (what == "up") || (h.Reason == "") != h.Up {
				t.Errorf("told %q with %+v", what, h)
			}
			select {
			case p.told <- struct{}{}:
			default:
			}
		}
	}
	set, err := Open(c, Env{Down: note("down"), Up: note("up")})
	if err != nil {
		t.Fatal(err)
	}
	p.Store = set.Main
	t.Cleanup(func() { p.Close() })
	return p
}

// await waits until this many outages have begun and ended.
func (p *probeable) await(want ...string) {
	p.t.Helper()
	late := time.After(redisd.Patience)
	for {
		p.mu.Lock()
		got := strings.Join(p.events, " ")
		p.mu.Unlock()
		if got == strings.Join(want, " ") {
			return
		}
		if len(got) > len(strings.Join(want, " ")) {
			p.t.Fatalf("outages: %q, want %q", got, want)
		}
		select {
		case <-p.told:
		case <-late:
			p.t.Fatalf("outages: %q, want %q; %+v", got, want, p.Health())
		}
	}
}

// poll waits for something that comes by itself.
func poll(t testing.TB, otherwise string, holds func() bool) {
	t.Helper()
	late := time.After(redisd.Patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal(otherwise)
		}
	}
}

// soon is the time that an operation has.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), store.Operation)
	t.Cleanup(cancel)
	return ctx
}

// long is the time of an operation of which a test wants the answer.
func long(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), redisd.Patience)
	t.Cleanup(cancel)
	return ctx
}

// put sets a value, which must succeed.
func (p *probeable) put(key, value string) {
	p.t.Helper()
	if _, err := p.Put(long(p.t), store.Change{Key: key, Value: []byte(value)}); err != nil {
		p.t.Fatalf("Put %q: %v", key, err)
	}
}

// has wants a key's value, "" for none.
func (p *probeable) has(key, want string) {
	p.t.Helper()
	values, err := p.Get(long(p.t), key)
	if err != nil {
		p.t.Fatalf("Get %q: %v", key, err)
	}
	if got := string(values[0]); got != want {
		p.t.Errorf("%q is %q, want %q", key, got, want)
	}
}

// operations are all that ask the store about one key, with an error each.
func (p *probeable) operations(key string) map[string]func(ctx context.Context) error {
	bucket := store.Bucket{Key: key + ".bucket", Limit: store.Limit{Burst: 1, Every: time.Hour}}
	return map[string]func(ctx context.Context) error{
		"Get": func(ctx context.Context) error { _, err := p.Get(ctx, key); return err },
		"Put": func(ctx context.Context) error {
			_, err := p.Put(ctx, store.Change{Key: key, Value: []byte("v"), If: store.IfAbsent})
			return err
		},
		"Add": func(ctx context.Context) error {
			_, err := p.Add(ctx, store.Increment{Key: key + ".n", By: 1})
			return err
		},
		"Take":     func(ctx context.Context) error { _, err := p.Take(ctx, bucket); return err },
		"Give":     func(ctx context.Context) error { return p.Give(ctx, store.Return{Bucket: bucket, At: time.Now()}) },
		"Append":   func(ctx context.Context) error { _, err := p.Append(ctx, key+".log", []byte("e")); return err },
		"Read":     func(ctx context.Context) error { _, err := p.Read(ctx, key+".log", "", 1); return err },
		"Trim":     func(ctx context.Context) error { return p.Trim(ctx, key+".log", "1-1") },
		"Lease":    func(ctx context.Context) error { _, err := p.Lease(ctx, key+".lease", "me", time.Minute); return err },
		"Delete":   func(ctx context.Context) error { _, err := p.Delete(ctx, key); return err },
		"List":     func(ctx context.Context) error { _, _, err := p.List(ctx, key, "", 1); return err },
		"Lifetime": func(ctx context.Context) error { _, err := p.Lifetime(ctx, key); return err },
		"Publish":  func(ctx context.Context) error { _, err := p.Publish(ctx, key, []byte("m")); return err },
	}
}

// fails wants every operation to fail with ErrUnavailable while the store is down, before
// it has taken notice of a context that is about to end.
func (p *probeable) fails(secrets ...string) {
	p.t.Helper()
	for name, operation := range p.operations("k") {
		ctx := soon(p.t)
		err := operation(ctx)
		if !errors.Is(err, store.ErrUnavailable) {
			p.t.Errorf("%s on a store that is down: %v, want ErrUnavailable", name, err)
		}
		if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
			p.t.Errorf("%s waited for a store that is down: %v", name, err)
		}
		for _, s := range secrets {
			if err != nil && strings.Contains(err.Error(), s) {
				p.t.Errorf("%s tells a password: %v", name, err)
			}
		}
	}
	h := p.Health()
	if h.Up || h.Reason == "" {
		p.t.Errorf("Health of a store that is down: %+v", h)
	}
	for _, s := range secrets {
		if strings.Contains(h.Reason+h.Address, s) {
			p.t.Errorf("Health tells a password: %+v", h)
		}
	}
}

// works wants every operation to succeed.
func (p *probeable) works() {
	p.t.Helper()
	for name, operation := range p.operations("k") {
		if err := operation(long(p.t)); err != nil {
			p.t.Errorf("%s: %v", name, err)
		}
	}
	if h := p.Health(); !h.Up || h.Reason != "" || h.Latency <= 0 {
		p.t.Errorf("Health of a store that works: %+v", h)
	}
}

func listOf(addresses []string) *ucl.Node { return ucl.ListNode(addresses...) }
