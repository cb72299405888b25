package redisd

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// MasterName is the name of the master that the sentinels of a Watched know.
const MasterName = "mymaster"

// A Watched is a master with a replica and three sentinels.
type Watched struct {
	Servers   []*Server // the first was the master at the start
	Sentinels []*Server
}

// Sentinel starts a master, a replica and three sentinels, and returns when these know
// each other and the replica.
func Sentinel(t testing.TB, o Options) *Watched {
	t.Helper()
	w := &Watched{Servers: Several(t, 2, o)}
	master, replica := w.Servers[0], w.Servers[1]
	replica.CLI("REPLICAOF", master.Host, strconv.Itoa(master.Port))
	replica.Await("in step with its master", func() bool { return replica.Info("replication", "master_link_status") == "up" })
	conf := []string{
		fmt.Sprintf("sentinel monitor %s %s %d 2", MasterName, master.Host, master.Port),
		"sentinel down-after-milliseconds " + MasterName + " 2000", // less, and a busy machine looks dead
		"sentinel failover-timeout " + MasterName + " 2000",
	}
	if o.Password != "" {
		conf = append(conf, "sentinel auth-pass "+MasterName+" "+o.Password)
	}
	for range 3 {
		s := start(t, "redis-sentinel", Options{}, conf)
		// The sentinels' periods are seconds otherwise.
		s.CLI("SENTINEL", "DEBUG", "info-period", "100", "ping-period", "100", "ask-period", "100", "publish-period", "100",
			"slave-reconf-timeout", "1000", "election-timeout", "1000")
		w.Sentinels = append(w.Sentinels, s)
	}
	for _, s := range w.Sentinels {
		s.Await("aware of the others", func() bool {
			words := strings.Fields(s.CLI("SENTINEL", "MASTER", MasterName))
			return after(words, "num-slaves") == "1" && after(words, "num-other-sentinels") == "2"
		})
	}
	return w
}

// after returns the word that follows another, "" when there is none.
func after(words []string, word string) string {
	for i, w := range words[:max(0, len(words)-1)] {
		if w == word {
			return words[i+1]
		}
	}
	return ""
}

// Master returns the server that the first sentinel takes for the master.
func (w *Watched) Master() *Server {
	first := w.Sentinels[0]
	first.t.Helper()
	words := strings.Fields(first.CLI("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MasterName))
	for _, s := range w.Servers {
		if len(words) == 2 && words[1] == strconv.Itoa(s.Port) {
			return s
		}
	}
	first.t.Fatalf("no server is the master %q", words)
	return nil
}

// Failover kills the master, waits for another one and returns the dead one.
func (w *Watched) Failover() (dead *Server) {
	dead = w.Master()
	dead.t.Helper()
	dead.Kill()
	w.AwaitFailover(dead)
	return dead
}

// AwaitFailover returns when the first sentinel knows another master than the one that is
// dead, and that one takes writes.
func (w *Watched) AwaitFailover(dead *Server) {
	dead.t.Helper()
	w.Sentinels[0].Await("aware of another master", func() bool { return w.Master() != dead })
	heir := w.Master()
	heir.Await("a master", func() bool { return heir.Info("replication", "role") == "master" })
}

// AwaitInStep returns when a replica has all that its master has now.
func (s *Server) AwaitInStep(master *Server) {
	s.t.Helper()
	offset := master.Info("replication", "master_repl_offset")
	s.Await("in step with its master", func() bool {
		got := s.Info("replication", "slave_repl_offset")
		return len(got) > len(offset) || len(got) == len(offset) && got >= offset
	})
}
