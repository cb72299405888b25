package filter

import (
	"fmt"
	"log/slog"
	"net"
	"testing"

	"rmilter/internal/spool"
	"rmilter/test/oddtraffic"
)

// TestOddTraffic has the whole filter meet odd traffic; with RMILTER_DRILL=1 all of it,
// and 200 clients for a minute.
func TestOddTraffic(t *testing.T) {
	watch := new(oddtraffic.Log)
	r := start(t, func(r *rig) {
		r.env.Log = slog.New(slog.NewTextHandler(watch, nil))
		r.env.Spool = spool.New(t.TempDir(), 1<<30)
		r.env.Done = func(res *Result) { fmt.Fprintln(watch, res.Line()) }
		r.maxConns = 1000
	})
	oddtraffic.Run(t, oddtraffic.Target{
		Dial:   func() (net.Conn, error) { return net.Dial("tcp", r.addr) },
		Count:  oddtraffic.InProcess,
		Faults: watch.Faults,
	}, oddtraffic.FromEnvironment())
}
