package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"rmilter/internal/store"
	"rmilter/internal/ucl"
	"rmilter/test/redisd"
)

func TestSet(t *testing.T) {
	t.Parallel()
	c := DefaultConfig()
	if _, err := Open(c, Env{}); err == nil {
		t.Error("Open without servers: no error")
	}
	a, b, ab, ba := servers(t, "192.0.2.1"), servers(t, "192.0.2.2:6379"), servers(t, "192.0.2.1:6379", "192.0.2.2"), servers(t, "192.0.2.2", "192.0.2.1", "192.0.2.2")
	for name, test := range map[string]struct {
		config Config
		stores int
		same   func(*store.Set) bool
	}{
		"one for all": {Config{Servers: a}, 1, func(s *store.Set) bool { return s.Main == s.Copy }},
		"white as grey": {Config{Servers: a, ServersGrey: b}, 2, func(s *store.Set) bool {
			return s.White == s.Grey && s.Main != s.Grey && s.Limits == s.Main
		}},
		"the same twice": {Config{Servers: ab, ServersGrey: ba, ServersLimits: a}, 2, func(s *store.Set) bool {
			return s.Main == s.Grey && s.Limits != s.Main
		}},
		"no servers of their own": {Config{ServersGrey: a, ServersSpam: b}, 2, func(s *store.Set) bool {
			return s.Main == s.Grey && s.Spam != s.Main && s.IDs == s.Main
		}},
		"all": {Config{Servers: a, ServersGrey: b, ServersWhite: ab, ServersLimits: servers(t, "/a"), ServersID: servers(t, "/b"),
			ServersSpam: servers(t, "/c"), ServersCopy: servers(t, "/d")}, 7, func(s *store.Set) bool { return true }},
		"cluster":          {Config{Servers: ab, ServersGrey: ba, Mode: Cluster}, 1, func(s *store.Set) bool { return true }},
		"sentinel implied": {Config{Servers: ab, SentinelMaster: "m"}, 1, func(s *store.Set) bool { return s.Main.Health().Address == "m by 192.0.2.1:6379, 192.0.2.2:6379" }},
	} {
		e := newEnvironment(test.config, Env{})
		e.after = func(time.Duration) <-chan time.Time { return nil }
		set, err := e.open()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if n := len(set.All()); n != test.stores || !test.same(set) {
			t.Errorf("%s: %d stores, want %d, or not the right ones: %+v", name, n, test.stores, set)
		}
		if err := set.Close(); err != nil {
			t.Errorf("%s: Close: %v", name, err)
		}
	}
	for name, c := range map[string]Config{
		"sentinel without master": {Servers: a, Mode: Sentinel},
		"no CA":                   {Servers: a, TLS: true, CAFile: "/nonexistent"},
		"an empty CA":             {Servers: a, TLS: true, CAFile: "/dev/null"},
		"no key":                  {Servers: a, TLS: true, CertFile: "/nonexistent", KeyFile: "/nonexistent"},
	} {
		if _, err := Open(c, Env{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestSharding wants keys spread evenly, and a server more to move its share only.
func TestSharding(t *testing.T) {
	t.Parallel()
	var three, four ring
	for i := range 4 {
		n := &node{name: fmt.Sprintf("192.0.2.%d:6379", i)}
		if i < 3 {
			three = append(three, n)
		}
		four = append(ring{n}, four...)
	}
	const keys = 30000
	counts, moved := map[*node]int{}, 0
	for i := range keys {
		key := fmt.Sprintf("grey.%d@example.com", i)
		was, _ := three.pick(t.Context(), key)
		is, _ := four.pick(t.Context(), key)
		counts[is]++
		if was != is {
			if moved++; is != four[0] {
				t.Errorf("%s went from %s to %s", key, was.name, is.name)
			}
		}
	}
	for n, count := range counts {
		if math.Abs(float64(count)-keys/4) > keys/40 {
			t.Errorf("%s has %d of %d keys", n.name, count, keys)
		}
	}
	if len(counts) != 4 || math.Abs(float64(moved)-keys/4) > keys/40 {
		t.Errorf("%d servers have keys, %d keys moved", len(counts), moved)
	}
}

// TestTags wants keys with the same part in braces to be on one server, as in a cluster.
func TestTags(t *testing.T) {
	t.Parallel()
	three := redisd.Several(t, 3, redisd.Options{})
	p := opened(t, configFor(t, redisd.Addresses(three)...))
	used := map[string]bool{}
	for i := range 40 {
		tag := fmt.Sprintf("{list%d}", i)
		var changes []store.Change
		for j := range 10 {
			changes = append(changes, store.Change{Key: fmt.Sprintf("white.%s.%d", tag, j), Value: []byte("v")})
		}
		if _, err := p.Put(long(t), changes...); err != nil {
			t.Fatal(err)
		}
		for _, s := range three {
			switch n := len(strings.Fields(s.CLI("KEYS", "white."+tag+".*"))); n {
			case 0:
			case len(changes):
				used[s.Address()] = true
			default:
				t.Errorf("%s has %d of the %d keys with %s", s.Address(), n, len(changes), tag)
			}
		}
	}
	if len(used) != len(three) {
		t.Errorf("40 tags are on %d of %d servers", len(used), len(three))
	}
	for key, want := range map[string]string{"a": "a", "{a}b": "a", "b{a}c{d}": "a", "{}a": "{}a", "{a": "{a", "}{a}": "a", "": ""} {
		if got := together(key); got != want {
			t.Errorf("%q goes by %q, want %q", key, got, want)
		}
	}
}

func TestSlotOf(t *testing.T) {
	t.Parallel()
	c := &redisd.Cluster{Servers: []*redisd.Server{redisd.Single(t, redisd.Options{Args: []string{"--cluster-enabled", "yes"}})}}
	for _, key := range []string{"", "a", "123456789", "{a}b", "b{a}", "{}a", "a{}b{c}", "{{a}}", "}{", "{", "{a", "é", "grey.example"} {
		if key != "" {
			if got, want := slotOf(key), c.Slot(key); got != want {
				t.Errorf("slot of %q is %d, want %d", key, got, want)
			}
		}
	}
	if slotOf("") != 0 {
		t.Errorf("slot of nothing is %d", slotOf(""))
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	late, cancel := context.WithTimeout(t.Context(), -1)
	defer cancel()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	e := newEnvironment(Config{SentinelMaster: "m"}, Env{})
	e.secrets = []string{"correct-horse"}
	for _, c := range []struct {
		ctx    context.Context
		err    error
		kind   kind
		reason string
	}{
		{t.Context(), nil, fine, ""},
		{t.Context(), goredis.Nil, fine, ""},
		{t.Context(), fmt.Errorf("sentinels: %w", errors.Join(io.EOF, goredis.Nil)), broken, `the sentinels know no master "m"`},
		{t.Context(), reply("MOVED 1 192.0.2.1:1"), moved, "MOVED 1 192.0.2.1:1"},
		{t.Context(), reply("ASK 1 192.0.2.1:1"), asked, "ASK 1 192.0.2.1:1"},
		{t.Context(), reply("NOSCRIPT No matching script."), noScript, "NOSCRIPT No matching script."},
		{t.Context(), reply("WRONGTYPE Operation against a key"), corrupt, "WRONGTYPE Operation against a key"},
		{t.Context(), reply("ERR Error running script: WRONGTYPE x"), corrupt, "ERR Error running script: WRONGTYPE x"},
		{t.Context(), reply("OOM command not allowed"), unable, "OOM command not allowed"},
		{late, reply("OOM command not allowed"), unable, "OOM command not allowed"},
		{t.Context(), reply("ERR unknown command 'AUTH', with args beginning with: 'correct-horse'\r\n\xff"), unable, "ERR unknown command 'AUTH', with args beginning with: '***'???"},
		{t.Context(), reply("ERR " + strings.Repeat("x", 1000)), unable, "ERR " + strings.Repeat("x", maxReason-4) + "..."},
		{t.Context(), fmt.Errorf("failed: %w", reply("WRONGPASS invalid")), unable, "failed: WRONGPASS invalid"},
		{late, io.EOF, silent, "the server closed the connection"},
		{t.Context(), context.DeadlineExceeded, silent, "no answer in time"},
		{gone, io.EOF, cancelled, "the server closed the connection"},
		{t.Context(), io.EOF, broken, "the server closed the connection"},
		{t.Context(), &dialError{errors.New("connection refused")}, refused, "connection refused"},
		{t.Context(), fmt.Errorf("x: %w", &dialError{context.DeadlineExceeded}), silent, "no answer in time"},
	} {
		if got := judge(c.ctx, c.err); got != c.kind {
			t.Errorf("%v is of kind %d, want %d", c.err, got, c.kind)
		}
		if c.err == nil || c.err == goredis.Nil {
			continue
		}
		if got := e.reason(c.err); got != c.reason {
			t.Errorf("reason of %v is %q, want %q", c.err, got, c.reason)
		}
	}
}

// A reply is a server's error.
type reply string

func (r reply) Error() string { return string(r) }
func (r reply) RedisError()   {}

// TestPublish wants messages to get to who listens.
func TestPublish(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"single", "cluster"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			c := ways(t)[way](t)
			p := opened(t, c)
			var sub *goredis.PubSub
			last := c.Servers[len(c.Servers)-1].String()
			client := goredis.NewClient(&goredis.Options{Addr: last})
			defer client.Close()
			sub = client.Subscribe(t.Context(), "spam")
			defer sub.Close()
			if _, err := sub.Receive(t.Context()); err != nil {
				t.Fatal(err)
			}
			n, err := p.Publish(long(t), "spam", []byte("a message\x00\xff"))
			if err != nil || way == "single" && n != 1 {
				t.Errorf("Publish: %d, %v, want 1 listener", n, err)
			}
			m, err := sub.ReceiveMessage(long(t))
			if err != nil || m.Payload != "a message\x00\xff" {
				t.Errorf("heard %q, %v", m, err)
			}
		})
	}
}

// TestListRestart wants a listing to be complete when the server is another process
// between two calls.
func TestListRestart(t *testing.T) {
	t.Parallel()
	both := redisd.Several(t, 2, redisd.Options{})
	p := opened(t, configFor(t, redisd.Addresses(both)...))
	const keys = 3000
	var changes []store.Change
	for i := range keys {
		changes = append(changes, store.Change{Key: fmt.Sprint("k.", i), Value: []byte("v")})
	}
	if _, err := p.Put(long(t), changes...); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	restarted := 0
	for from, calls := "", 0; ; calls++ {
		items, next, err := p.List(long(t), "k.", from, 400)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range items {
			found[i.Key] = true
		}
		if next == "" {
			break
		}
		if calls%2 == 1 && restarted < 2 {
			s := both[restarted]
			restarted++
			s.Save()
			s.Stop()
			s.Start()
		}
		from = next
	}
	if len(found) != keys || restarted != 2 {
		t.Errorf("found %d keys, want %d, after %d restarts", len(found), keys, restarted)
	}
	for _, bad := range []string{"x", "1.2.3", "zzzzzzzz.0.run.0", "00000000.-1.run.0", "00000000.0.run.x", strings.Repeat("9", 1000)} {
		if _, _, err := p.List(long(t), "k.", bad, 10); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("List from %q: %v, want ErrCorrupt", bad, err)
		}
	}
	if items, _, err := p.List(long(t), "k.", "00000000.9.run.77", 10); err != nil || len(items) < 10 {
		t.Errorf("List from what other servers said: %d items, %v, want the beginning", len(items), err)
	}
}

// TestWrongKind wants values of another kind to be told as such.
func TestWrongKind(t *testing.T) {
	t.Parallel()
	s := redisd.Single(t, redisd.Options{})
	p := opened(t, configFor(t, s.Address()))
	s.CLI("LPUSH", "k", "v")
	s.CLI("XADD", "k.log", "*", "a", "b", "c", "d")
	s.CLI("LPUSH", "k.lease", "v")
	s.CLI("LPUSH", "k.n", "v")
	s.CLI("LPUSH", "k.bucket", "v")
	for _, name := range []string{"Get", "Put", "Add", "Take", "Give", "Read", "Lease"} {
		if err := p.operations("k")[name](long(t)); !errors.Is(err, store.ErrCorrupt) || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrCorrupt", name, err)
		}
	}
	for _, at := range []store.Position{"x", "1", "-", "1-2-3", "1-x", "18446744073709551615-0", "99999999999999999999-0", "1-0 COUNT 1"} {
		_, err := p.Read(long(t), "log", at, 1)
		if err2 := p.Trim(long(t), "log", at); !errors.Is(err, store.ErrCorrupt) || !errors.Is(err2, store.ErrCorrupt) {
			t.Errorf("Read and Trim at %q: %v, %v, want ErrCorrupt", at, err, err2)
		}
	}
	if err := p.Trim(long(t), "log", "1-18446744073709551615"); err != nil {
		t.Errorf("Trim up to the end of a millisecond: %v", err)
	}
	p.await()
}

func FuzzPlaces(f *testing.F) {
	f.Add("0a1b2c3d.1.0123456789abcdef.17", "1700000000000-3")
	f.Add("", "")
	f.Add("0.0..0", "0-0")
	f.Fuzz(func(t *testing.T, list, log string) {
		if p, err := parsePlace(list); err == nil && list != "" {
			again, err := parsePlace(p.String())
			if err != nil || again != p {
				t.Errorf("%q is %+v, which reads as %+v, %v", list, p, again, err)
			}
		}
		if ms, n, err := split(store.Position(log)); err == nil {
			if a, b, err := split(store.Position(fmt.Sprintf("%d-%d", ms, n))); a != ms || b != n || err != nil {
				t.Errorf("%q is %d-%d, which reads as %d-%d, %v", log, ms, n, a, b, err)
			}
		}
		_ = pattern(list)
	})
}

func TestOtherWays(t *testing.T) {
	t.Parallel()
	t.Run("password, user and database", func(t *testing.T) {
		t.Parallel()
		s := redisd.Single(t, redisd.Options{Password: "secret", Args: []string{"--user", "rmilter", "on", ">correct-horse", "~*", "&*", "+@all"}})
		c := configFor(t, s.Address())
		c.Username, c.Password, c.DB = "rmilter", ucl.NewSecret("correct-horse"), 3
		p := opened(t, c)
		p.put("k", "v")
		if got := s.CLI("-n", "3", "GET", "k"); got != "v" {
			t.Errorf("database 3 has %q", got)
		}
		if got := s.CLI("CLIENT", "LIST"); !strings.Contains(got, "name=rmilter") || !strings.Contains(got, "user=rmilter") {
			t.Errorf("the clients are\n%s\nwant name and user rmilter", got)
		}
	})
	t.Run("sentinel", func(t *testing.T) {
		t.Parallel()
		w := redisd.Sentinel(t, redisd.Options{Password: "correct-horse"})
		c := configFor(t, redisd.Addresses(w.Sentinels)...)
		c.SentinelMaster, c.Password = redisd.MasterName, ucl.NewSecret("correct-horse")
		opened(t, c).works()
		for _, s := range w.Sentinels {
			s.CLI("ACL", "SETUSER", "default", "resetpass", ">battery-staple")
		}
		p := opened(t, c)
		p.await("down")
		p.fails("correct-horse", "battery-staple")
		c.SentinelPassword = ucl.NewSecret("battery-staple")
		opened(t, c).works()
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		cluster := redisd.NewCluster(t, redisd.Options{Password: "correct-horse"})
		c := clustered(t, cluster)
		c.Password = ucl.NewSecret("correct-horse")
		opened(t, c).works()
		c.Password = ucl.NewSecret("battery-staple")
		p := opened(t, c)
		p.await("down")
		p.fails("correct-horse", "battery-staple")
	})
}
