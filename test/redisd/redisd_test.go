package redisd_test

import (
	"strings"
	"testing"

	"rmilter/test/redisd"
)

func want(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSingle(t *testing.T) {
	t.Parallel()
	s := redisd.Single(t, redisd.Options{})
	s.CLI("SET", "k", "v")
	s.Save()
	s.Kill()
	if out, err := s.Try("PING"); err == nil {
		t.Errorf("a killed server answers %q", out)
	}
	s.Start()
	want(t, s.CLI("GET", "k"), "v")
	s.Forget()
	s.Stop()
	s.Start()
	want(t, s.CLI("GET", "k"), "")
	s.Fill()
	if out, err := s.Try("SET", "k", "v"); err == nil || !strings.HasPrefix(out, "OOM") {
		t.Errorf("a full server answers %q, %v", out, err)
	}
	s.Drain()
	s.Pause()
	s.Resume()
	s.SetPassword("secret")
	s.CLI("SET", "k", "v")
	s.Flush()
	want(t, s.CLI("DBSIZE"), "0")
}

func TestWays(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]redisd.Options{
		"tls":      {TLS: true, Clients: true},
		"unix":     {Unix: true},
		"password": {Password: "secret"},
	} {
		t.Run(name, func(t *testing.T) {
			s := redisd.Single(t, o)
			want(t, s.CLI("PING"), "PONG")
		})
	}
}

func TestSentinel(t *testing.T) {
	t.Parallel()
	w := redisd.Sentinel(t, redisd.Options{})
	w.Master().CLI("SET", "k", "v")
	old := w.Failover()
	if w.Master() == old {
		t.Error("the master is the same after a failover")
	}
	w.Master().CLI("SET", "k", "v")
}

func TestCluster(t *testing.T) {
	t.Parallel()
	c := redisd.NewCluster(t, redisd.Options{Args: redisd.Impatient()})
	slot := c.Slot("k")
	from := c.Owner(slot)
	from.CLI("SET", "k", "v")
	to := c.Servers[0]
	if to == from {
		to = c.Servers[1]
	}
	c.MoveSlot(slot, to)
	if c.Owner(slot) != to {
		t.Error("the slot wasn't moved")
	}
	want(t, to.CLI("GET", "k"), "v")
	heir := c.AddReplica(to)
	to.Kill()
	c.AwaitTakenOver(heir)
	want(t, heir.CLI("GET", "k"), "v")
}
