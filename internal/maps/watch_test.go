package maps

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// clock is a time well after that of files that are written now.
func clock(n int) time.Time { return time.Now().Add(time.Duration(n+1) * time.Minute) }

func TestWatch(t *testing.T) {
	dir := t.TempDir()
	own, other := filepath.Join(dir, "own"), filepath.Join(dir, "other")
	write(t, other, "b.example\n")
	w := Watch(Domains, own, other)
	has := func(names ...string) {
		t.Helper()
		for _, n := range []string{"a.example", "b.example", "c.example"} {
			_, got := w.List().Domain(n)
			if want := strings.Contains(strings.Join(names, " "), n); got != want {
				t.Errorf("%s: got %t, want %t", n, got, want)
			}
		}
	}
	has() // before it was read
	steps := []struct {
		do    func()
		has   string
		fault string
	}{
		{func() {}, "b.example", ""}, // own need not exist
		{func() { write(t, own, "a.example\n") }, "a.example b.example", ""},
		{func() { write(t, own, "a.example\nb@d\n") }, "a.example b.example", "own:2: "},
		{func() {}, "a.example b.example", "own:2: "},
		{func() { write(t, own, "c.example\n") }, "b.example c.example", ""},
		{func() { os.Remove(other) }, "b.example c.example", "no such file"},
		{func() { write(t, other, "") }, "c.example", ""},
		{func() { os.Remove(own) }, "", ""},
		{func() { os.Mkdir(own, 0o700) }, "", "it is a directory"},
	}
	for i, s := range steps {
		s.do()
		err := w.Refresh(clock(i))
		if s.fault == "" && err != nil || s.fault != "" && (err == nil || !strings.Contains(err.Error(), s.fault)) {
			t.Errorf("step %d: got %v, want %q", i, err, s.fault)
		}
		has(strings.Fields(s.has)...)
	}
}

// TestRefreshReadsOnce sees that files that haven't changed are left alone, and that
// those that have just been written to are read once more.
func TestRefreshReadsOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "a.example\n")
	w := Watch(Domains, "", path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	at := info.ModTime()
	refresh := func(now time.Time) *List {
		t.Helper()
		if err := w.Refresh(now); err != nil {
			t.Fatal(err)
		}
		return w.List()
	}
	first := refresh(at.Add(time.Second))
	second := refresh(at.Add(5 * time.Second))
	if first == second {
		t.Error("a file that was written to a second before wasn't read again")
	}
	for i := range 3 {
		if refresh(at.Add(time.Duration(10+i)*time.Second)) != second {
			t.Error("a file that hadn't changed was read again")
		}
	}
}

// TestConcurrent looks things up while the list changes.
func TestConcurrent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "always.example\n/x[0-9]/\n")
	w := Watch(Domains, "", path)
	if err := w.Refresh(clock(0)); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				select {
				case <-stop:
					return
				default:
				}
				l := w.List()
				if _, ok := l.Domain("always.example"); !ok {
					t.Error("always.example is not there")
					return
				}
				if _, ok := l.Domain("x7.example"); !ok {
					t.Error("x7.example is not there")
					return
				}
			}
		}()
	}
	for i := range 50 {
		if _, err := Add(path, Domains, fmt.Sprintf("d%d.example", i), ""); err != nil {
			t.Error(err)
		}
		if err := w.Refresh(clock(i)); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
	if got := w.List().Len(); got != 52 {
		t.Errorf("got %d entries, want 52", got)
	}
}
