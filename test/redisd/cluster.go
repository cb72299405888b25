package redisd

import (
	"strconv"
	"strings"
	"testing"
)

// Slots is how many slots a cluster has.
const Slots = 16384

// Impatient returns the arguments with which a node that is dead counts as such after a
// second.
func Impatient() []string { return []string{"--cluster-node-timeout", "1000"} }

// A Cluster is one of three masters, each with a third of the slots.
type Cluster struct {
	Servers []*Server
}

// NewCluster starts a cluster of three masters and returns when all its slots are served.
// Its nodes are patient with each other, since a busy machine is none that is dead; for
// tests of that see Impatient.
func NewCluster(t testing.TB, o Options) *Cluster {
	t.Helper()
	c := new(Cluster)
	for range 3 {
		one := o
		one.Args = append([]string{"--cluster-enabled", "yes", "--cluster-node-timeout", "10000",
			"--cluster-port", strconv.Itoa(freePort(t))}, o.Args...)
		if o.Password != "" {
			one.Args = append(one.Args, "--masterauth", o.Password)
		}
		c.Servers = append(c.Servers, Single(t, one))
	}
	for i, s := range c.Servers {
		from, to := i*Slots/len(c.Servers), (i+1)*Slots/len(c.Servers)-1
		s.CLI("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		s.CLI("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(from), strconv.Itoa(to))
		if i > 0 {
			c.meet(s)
		}
	}
	c.AwaitOK()
	return c
}

// meet introduces a server to the first.
func (c *Cluster) meet(s *Server) {
	bus := ""
	for i, a := range s.args {
		if a == "--cluster-port" {
			bus = s.args[i+1]
		}
	}
	c.Servers[0].CLI("CLUSTER", "MEET", s.Host, strconv.Itoa(s.Port), bus)
}

// AddReplica starts a replica of a master and returns when it is in step and everybody
// knows it.
func (c *Cluster) AddReplica(of *Server) *Server {
	of.t.Helper()
	o := of.options
	// Later arguments count.
	o.Args = append(append([]string{}, o.Args...), "--cluster-replica-validity-factor", "0", "--cluster-port", strconv.Itoa(freePort(of.t)))
	s := Single(of.t, o)
	c.meet(s)
	id := of.CLI("CLUSTER", "MYID")
	s.Await("aware of its master", func() bool { return strings.Contains(s.CLI("CLUSTER", "NODES"), id) })
	s.Await("a replica", func() bool { _, err := s.Try("CLUSTER", "REPLICATE", id); return err == nil })
	s.Await("in step with its master", func() bool { return s.Info("replication", "master_link_status") == "up" })
	mine := s.CLI("CLUSTER", "MYID")
	for _, m := range c.Servers {
		m.Await("aware of the replica", func() bool {
			for line := range strings.Lines(m.CLI("CLUSTER", "NODES")) {
				if strings.HasPrefix(line, mine) {
					return strings.Contains(line, "slave "+id)
				}
			}
			return false
		})
	}
	return s
}

// AwaitOK returns when every server that runs says that the cluster is well.
func (c *Cluster) AwaitOK() {
	for _, s := range c.Servers {
		if s.cmd == nil {
			continue
		}
		s.t.Helper()
		s.Await("in a cluster that is well", func() bool {
			info := s.CLI("CLUSTER", "INFO")
			return fieldOf(info, "cluster_state") == "ok" && fieldOf(info, "cluster_known_nodes") >= "3"
		})
	}
}

// Owner returns the server that has a slot.
func (c *Cluster) Owner(slot int) *Server {
	for _, s := range c.Servers {
		if s.cmd == nil {
			continue
		}
		for line := range strings.Lines(s.CLI("CLUSTER", "NODES")) {
			f := strings.Fields(line)
			if len(f) > 8 && strings.Contains(f[2], "myself") && strings.Contains(f[2], "master") && holds(f[8:], slot) {
				return s
			}
		}
	}
	c.Servers[0].t.Helper()
	c.Servers[0].t.Fatalf("nobody has slot %d", slot)
	return nil
}

// holds tells whether ranges of slots as CLUSTER NODES has them include one.
func holds(ranges []string, slot int) bool {
	for _, r := range ranges {
		low, high, isRange := strings.Cut(r, "-")
		if !isRange {
			high = low
		}
		from, err1 := strconv.Atoi(low)
		to, err2 := strconv.Atoi(high)
		if err1 == nil && err2 == nil && from <= slot && slot <= to {
			return true
		}
	}
	return false
}

// Slot returns the slot of a key.
func (c *Cluster) Slot(key string) int {
	c.Servers[0].t.Helper()
	n, err := strconv.Atoi(strings.TrimPrefix(c.Servers[0].CLI("CLUSTER", "KEYSLOT", key), "(integer) "))
	if err != nil {
		c.Servers[0].t.Fatal(err)
	}
	return n
}

// BeginMove moves the keys of a slot to another server, while the slot stays where it
// was: what is asked for there is answered by ASK.
func (c *Cluster) BeginMove(slot int, to *Server) {
	to.t.Helper()
	from := c.Owner(slot)
	number := strconv.Itoa(slot)
	to.CLI("CLUSTER", "SETSLOT", number, "IMPORTING", from.CLI("CLUSTER", "MYID"))
	from.CLI("CLUSTER", "SETSLOT", number, "MIGRATING", to.CLI("CLUSTER", "MYID"))
	for {
		keys := strings.Fields(from.CLI("CLUSTER", "GETKEYSINSLOT", number, "100"))
		if len(keys) == 0 {
			return
		}
		args := []string{"MIGRATE", to.Host, strconv.Itoa(to.Port), "", "0", "5000"}
		if to.password != "" {
			args = append(args, "AUTH", to.password)
		}
		from.CLI(append(append(args, "KEYS"), keys...)...)
	}
}

// FinishMove ends what BeginMove began: the slot is the other server's.
func (c *Cluster) FinishMove(slot int, to *Server) {
	to.t.Helper()
	id := to.CLI("CLUSTER", "MYID")
	to.CLI("CLUSTER", "SETSLOT", strconv.Itoa(slot), "NODE", id)
	for _, s := range c.Servers {
		if s != to {
			s.CLI("CLUSTER", "SETSLOT", strconv.Itoa(slot), "NODE", id)
		}
	}
}

// MoveSlot moves a slot to another server.
func (c *Cluster) MoveSlot(slot int, to *Server) {
	c.BeginMove(slot, to)
	c.FinishMove(slot, to)
}

// Addresses returns the servers' addresses.
func Addresses(servers []*Server) []string {
	all := make([]string, len(servers))
	for i, s := range servers {
		all[i] = s.Address()
	}
	return all
}

// AwaitTakenOver returns when a replica has become a master that serves.
func (c *Cluster) AwaitTakenOver(replica *Server) {
	replica.t.Helper()
	replica.Await("a master", func() bool { return replica.Info("replication", "role") == "master" })
	replica.Await("in a cluster that is well", func() bool {
		return fieldOf(replica.CLI("CLUSTER", "INFO"), "cluster_state") == "ok"
	})
}
