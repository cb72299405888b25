package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"rmilter/internal/store"
	"rmilter/internal/store/storetest"
)

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, func(b *testing.B) store.Store { return opened(b, Options{Dir: b.TempDir()}) })
}

// BenchmarkOpen opens a store of many keys, a million with RMILTER_DRILL, in a process
// of its own: how long it takes, what memory it has then and after it has been asked for
// many keys, and how large it is.
func BenchmarkOpen(b *testing.B) {
	keys := 100_000
	if os.Getenv("RMILTER_DRILL") != "" {
		keys = 1_000_000
	}
	dir := filepath.Join(b.TempDir(), "store")
	s := opened(b, Options{Dir: dir})
	for from := 0; from < keys; from += store.MaxBatch {
		changes := make([]store.Change, store.MaxBatch)
		for i := range changes {
			changes[i] = store.Change{
				Key:   fmt.Sprintf("grey.192.0.2.%d.sender-%d@example.org.recipient@example.net", i%256, from+i),
				Value: fmt.Appendf(nil, `{"first":"2026-11-22T10:00:00Z","seen":%d}`, i), Lifetime: 35 * 24 * time.Hour, Volatile: true,
			}
		}
		if _, err := s.Put(context.Background(), changes...); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	var last string
	for b.Loop() {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), childVar+"=measure "+dir, "GOMEMLIMIT=")
		out, err := c.CombinedOutput()
		if err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		last = string(out)
	}
	for f := range strings.FieldsSeq(last) {
		what, n, _ := strings.Cut(f, "=")
		var x float64
		if _, err := fmt.Sscan(n, &x); err != nil {
			b.Fatal(last, err)
		}
		b.ReportMetric(x, what)
	}
}

// childMeasures opens a store and prints figures.
func childMeasures(dir string) error {
	empty := rss()
	start := time.Now()
	s, err := Open(Options{Dir: dir})
	if err != nil {
		return err
	}
	took := time.Since(start)
	debug.FreeOSMemory()
	idle := rss()
	for s.Health().Keys < 0 && time.Since(start) < time.Minute {
		if _, err := s.Sweep(context.Background(), time.Now()); err != nil {
			return err
		}
	}
	for i := range 100_000 {
		if _, err := s.Get(context.Background(), fmt.Sprintf("grey.192.0.2.%d.sender-%d@example.org.recipient@example.net", i%256, i)); err != nil {
			return err
		}
	}
	used := rss()
	var size int64
	names, err := os.ReadDir(dir)
	for _, n := range names {
		if info, err := n.Info(); err == nil {
			size += info.Size()
		}
	}
	fmt.Printf("open-ms=%d process-MB=%d idle-MB=%d used-MB=%d disk-MB=%d keys=%d\n",
		took.Milliseconds(), empty>>10, idle>>10, used>>10, size>>20, s.Health().Keys)
	return errors.Join(err, s.Close())
}

// rss is the memory of this process in kB.
func rss() int {
	raw, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := bytes.Cut(raw, []byte("VmRSS:"))
	n := 0
	_, _ = fmt.Sscan(string(rest), &n)
	return n
}
