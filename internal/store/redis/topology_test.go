package redis

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"rmilter/internal/store"
	"rmilter/test/redisd"
)

// keyOf returns a key that a ring keeps on a server.
func keyOf(t testing.TB, p *probeable, address string) string {
	t.Helper()
	for i := range 1000 {
		key := fmt.Sprint("key.", i)
		n, err := p.Store.(*Store).router.pick(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if n.name == address {
			return key
		}
	}
	t.Fatalf("no key belongs to %s", address)
	return ""
}

// TestHalfRing wants a server that is down to take its own keys with it only.
func TestHalfRing(t *testing.T) {
	t.Parallel()
	both := redisd.Several(t, 2, redisd.Options{})
	p := opened(t, configFor(t, redisd.Addresses(both)...))
	dead, alive := keyOf(t, p, both[0].Address()), keyOf(t, p, both[1].Address())
	p.put(dead, "d")
	p.put(alive, "a")
	both[0].Pause()
	if _, err := p.Get(soon(t), dead); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Get of a key of a server that hangs: %v, want ErrUnavailable", err)
	}
	p.await("down")
	p.has(alive, "a")
	p.put(alive, "b")
	if err := p.operations(dead)["Get"](soon(t)); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), both[0].Address()) {
		t.Errorf("Get of a key of the dead server: %v, want ErrUnavailable with its address", err)
	}
	_, err := p.Put(long(t), store.Change{Key: alive, Value: []byte("c")}, store.Change{Key: dead, Value: []byte("c")})
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Put on both: %v, want ErrUnavailable", err)
	}
	p.has(alive, "b")
	if h := p.Health(); h.Up || !strings.HasPrefix(h.Reason, both[0].Address()) || strings.Contains(h.Reason, both[1].Address()) {
		t.Errorf("Health: %+v, want the one server named", h)
	}
	both[1].Stop()
	if _, err := p.Get(soon(t), alive); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Get from two dead servers: %v, want ErrUnavailable", err)
	}
	both[0].Resume()
	both[1].Start()
	p.await("down", "up")
	p.has(dead, "d")
}

func TestFailover(t *testing.T) {
	t.Parallel()
	w := redisd.Sentinel(t, redisd.Options{})
	c := configFor(t, redisd.Addresses(w.Sentinels)...)
	c.SentinelMaster = redisd.MasterName
	p := opened(t, c)
	p.works()
	p.put("kept", "v")
	w.Servers[1].AwaitInStep(w.Servers[0])
	w.Sentinels[0].Stop()
	p.has("kept", "v")
	w.Sentinels[0].Start()
	old := w.Master()
	old.Kill()
	if err := p.operations("k")["Add"](soon(t)); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Add without a master: %v, want ErrUnavailable", err)
	}
	p.await("down")
	p.fails()
	w.AwaitFailover(old)
	p.await("down", "up")
	p.has("kept", "v")
	p.works()
	old.Start()
	p.works()
	p.await("down", "up")
}

func TestUnknownMaster(t *testing.T) {
	t.Parallel()
	w := redisd.Sentinel(t, redisd.Options{})
	c := configFor(t, redisd.Addresses(w.Sentinels)...)
	c.SentinelMaster = "another"
	p := opened(t, c)
	p.await("down")
	p.fails()
	if h := p.Health(); !strings.Contains(h.Reason, `the sentinels know no master "another"`) {
		t.Errorf("the reason is %q", h.Reason)
	}
	s := redisd.Single(t, redisd.Options{})
	c.Servers = servers(t, s.Address()) // no sentinel
	p = opened(t, c)
	p.await("down")
	p.fails()
}

func clustered(t testing.TB, c *redisd.Cluster) Config {
	config := configFor(t, redisd.Addresses(c.Servers)...)
	config.Mode = Cluster
	return config
}

// other returns a server of a cluster that isn't the given one.
func other(c *redisd.Cluster, not *redisd.Server) *redisd.Server {
	for _, s := range c.Servers {
		if s != not {
			return s
		}
	}
	return nil
}

// TestSlotMoved adds to counters while their slot moves, and wants none lost.
func TestSlotMoved(t *testing.T) {
	t.Parallel()
	cluster := redisd.NewCluster(t, redisd.Options{})
	config := clustered(t, cluster)
	config.Servers = config.Servers[:1]
	p := opened(t, config)
	p.works()
	slot := cluster.Slot("{x}")
	from := cluster.Owner(slot)
	to := other(cluster, from)
	counted := 0
	add := func(what string) {
		t.Helper()
		counted++
		var increments []store.Increment
		for i := range 20 {
			increments = append(increments, store.Increment{Key: fmt.Sprint("{x}.", i), By: 1})
		}
		sums, err := p.Add(long(t), increments...)
		if err != nil {
			t.Fatalf("Add %s: %v", what, err)
		}
		for i, sum := range sums {
			if sum != int64(counted) {
				t.Errorf("counter %d is %d %s, want %d", i, sum, what, counted)
			}
		}
	}
	for range 2 {
		add("before")
		to.FlushScripts()
		cluster.BeginMove(slot, to)
		add("while the slot moves")
		add("while the slot moves, again")
		cluster.FinishMove(slot, to)
		add("after the slot moved")
		from, to = to, from
	}
	p.await()
}

// TestClusterNodeDown wants the keys of the other nodes to be there still, where the
// cluster allows that.
func TestClusterNodeDown(t *testing.T) {
	t.Parallel()
	cluster := redisd.NewCluster(t, redisd.Options{Args: append(redisd.Impatient(), "--cluster-require-full-coverage", "no")})
	p := opened(t, clustered(t, cluster))
	dead := cluster.Owner(cluster.Slot("d"))
	alive := "a"
	for cluster.Owner(cluster.Slot(alive)) == dead {
		alive += "a"
	}
	p.put("d", "d")
	p.put(alive, "a")
	dead.Save()
	dead.Kill()
	if _, err := p.Get(soon(t), "d"); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Get of a key of a dead node: %v, want ErrUnavailable", err)
	}
	p.await("down")
	p.has(alive, "a")
	p.put(alive, "b")
	if _, err := p.Get(soon(t), "d"); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Get of a key of a dead node: %v, want ErrUnavailable", err)
	}
	dead.Start()
	p.await("down", "up")
	p.has("d", "d")
	p.works()
}

// TestClusterDown wants one outage where all nodes say that the cluster is down.
func TestClusterDown(t *testing.T) {
	t.Parallel()
	cluster := redisd.NewCluster(t, redisd.Options{Args: redisd.Impatient()})
	p := opened(t, clustered(t, cluster))
	p.works()
	dead := cluster.Owner(cluster.Slot("k"))
	dead.Kill()
	if err := p.operations("k")["Put"](soon(t)); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Put on a dead node: %v, want ErrUnavailable", err)
	}
	p.await("down")
	for _, s := range cluster.Servers {
		if s == dead {
			continue
		}
		s.Await("in a cluster that is down", func() bool { return strings.Contains(s.CLI("CLUSTER", "INFO"), "cluster_state:fail") })
		key := keyOf(t, p, s.Address())
		s.Await("known to be down", func() bool {
			if err := p.operations(key)["Put"](soon(t)); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("Put on a node of a cluster that is down: %v, want ErrUnavailable", err)
			}
			return strings.Contains(p.Health().Reason, s.Address()+": CLUSTERDOWN")
		})
	}
	p.fails()
	dead.Start()
	cluster.AwaitOK()
	p.await("down", "up")
	p.works()
}

// TestClusterTakeover wants writes to go on when a replica takes over.
func TestClusterTakeover(t *testing.T) {
	t.Parallel()
	cluster := redisd.NewCluster(t, redisd.Options{Args: redisd.Impatient()})
	dead := cluster.Owner(cluster.Slot("k"))
	heir := cluster.AddReplica(dead)
	p := opened(t, clustered(t, cluster))
	p.put("kept", "v")
	p.put("k", "v")
	heir.AwaitInStep(dead)
	dead.Kill()
	if err := p.operations("k")["Put"](soon(t)); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Put on a dead node: %v, want ErrUnavailable", err)
	}
	cluster.AwaitTakenOver(heir)
	p.await("down", "up")
	p.works()
	for _, n := range p.Store.(*Store).router.known() {
		if n.name == dead.Address() {
			t.Error("the dead node is still one of the cluster")
		}
	}
}

// TestWrongMode wants a hint where a node of a cluster is taken for a single server.
func TestWrongMode(t *testing.T) {
	t.Parallel()
	cluster := redisd.NewCluster(t, redisd.Options{})
	p := opened(t, configFor(t, cluster.Servers[0].Address()))
	_, err := p.Get(long(t), "a", "b", "c", "d", "e", "f", "g", "h")
	if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "mode = cluster") {
		t.Errorf("Get: %v, want a hint at mode = cluster", err)
	}
	config := configFor(t, redisd.Single(t, redisd.Options{}).Address())
	config.Mode = Cluster
	p = opened(t, config)
	p.await("down")
	p.fails()
	if h := p.Health(); !strings.Contains(h.Reason, "cluster support disabled") {
		t.Errorf("the reason is %q", h.Reason)
	}
}
