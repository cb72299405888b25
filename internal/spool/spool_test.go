package spool

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
)

// pattern returns n bytes that differ by position.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>8) ^ byte(i)
	}
	return b
}

func contents(t *testing.T, b *Buffer) []byte {
	t.Helper()
	got, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestSizes writes messages of all sizes in pieces of all sizes and reads them back.
func TestSizes(t *testing.T) {
	dir := t.TempDir()
	s := New(dir, 64<<20)
	rng := rand.New(rand.NewPCG(1, 1))
	for _, size := range []int{0, 1, 4096, InMemory - 1, InMemory, InMemory + 1, 3 << 20} {
		b := s.New()
		want := pattern(size)
		for rest := want; len(rest) > 0; {
			n := min(len(rest), 1+rng.IntN(70000))
			if m, err := b.Write(rest[:n]); m != n || err != nil {
				t.Fatal(m, err)
			}
			rest = rest[n:]
		}
		if got := contents(t, b); !bytes.Equal(got, want) {
			t.Errorf("%d bytes: got others", size)
		}
		if b.Len() != int64(size) || s.Used() != int64(size) {
			t.Errorf("%d bytes: Len %d, Used %d", size, b.Len(), s.Used())
		}
		if inFile := b.file != nil; inFile != (size > InMemory) {
			t.Errorf("%d bytes: in a file: %v", size, inFile)
		}
		if names, err := os.ReadDir(dir); err != nil || len(names) != 0 {
			t.Errorf("%d bytes: %v has a name in the directory", size, names)
		}
		b.Close()
		b.Close()
		if s.Used() != 0 {
			t.Errorf("%d bytes: %d in use after Close", size, s.Used())
		}
	}
}

// TestTruncate keeps heads of messages in memory and in files.
func TestTruncate(t *testing.T) {
	s := New(t.TempDir(), 64<<20)
	for _, size := range []int{10, 1000, InMemory, 1 << 20} {
		for _, keep := range []int{0, 10, 999, InMemory, 2 << 20} {
			b := s.New()
			all := pattern(size)
			if _, err := b.Write(all); err != nil {
				t.Fatal(err)
			}
			if err := b.Truncate(int64(keep)); err != nil {
				t.Fatal(err)
			}
			want := all[:min(size, keep, InMemory)]
			if got := contents(t, b); !bytes.Equal(got, want) || s.Used() != int64(len(want)) {
				t.Errorf("%d bytes cut to %d: got %d, Used %d, want %d", size, keep, len(got), s.Used(), len(want))
			}
			b.Close()
		}
	}
}

// TestFull fills the spool: what fits stays, what doesn't is refused as a whole.
func TestFull(t *testing.T) {
	s := New(t.TempDir(), 1000)
	a, b := s.New(), s.New()
	if _, err := a.Write(pattern(900)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Write(pattern(101)); !errors.Is(err, ErrFull) {
		t.Errorf("got %v, want ErrFull", err)
	}
	if _, err := b.Write(pattern(100)); err != nil {
		t.Errorf("what fits was refused: %v", err)
	}
	if s.Used() != 1000 || s.Limit() != 1000 || b.Len() != 100 {
		t.Errorf("Used %d, Len %d", s.Used(), b.Len())
	}
	a.Close()
	if _, err := b.Write(pattern(900)); err != nil {
		t.Errorf("room that was given back was refused: %v", err)
	}
	b.Close()
	if s.Used() != 0 {
		t.Errorf("%d in use", s.Used())
	}
}

// TestDirectoryFails has no directory: memory goes on to serve.
func TestDirectoryFails(t *testing.T) {
	s := New("/nonexistent", 64<<20)
	if err := s.Check(); err == nil || !strings.Contains(err.Error(), "tempdir") {
		t.Errorf("Check: %v", err)
	}
	b := s.New()
	small := pattern(InMemory)
	if _, err := b.Write(small); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Write([]byte{0}); err == nil || errors.Is(err, ErrFull) {
		t.Errorf("got %v, want the directory's error", err)
	}
	if got := contents(t, b); !bytes.Equal(got, small) || s.Used() != int64(len(small)) {
		t.Errorf("after the error: %d bytes, Used %d", len(got), s.Used())
	}
	b.Close()
	if err := New(t.TempDir(), 1).Check(); err != nil {
		t.Errorf("Check: %v", err)
	}
}

// TestConcurrent uses one spool from many goroutines.
func TestConcurrent(t *testing.T) {
	s := New(t.TempDir(), 8<<20)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 20 {
				b := s.New()
				want := bytes.Repeat([]byte{byte(i), byte(j)}, 1+i*12000)
				if _, err := b.Write(want); err != nil {
					t.Error(err)
				} else if got, err := b.Bytes(); err != nil || !bytes.Equal(got, want) {
					t.Errorf("got others' bytes, %v", err)
				}
				b.Close()
			}
		})
	}
	wg.Wait()
	if s.Used() != 0 {
		t.Errorf("%d in use", s.Used())
	}
}
