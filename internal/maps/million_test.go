package maps

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"rmilter/internal/mail"
)

// entry returns the i-th entry of a large list.
func entry(k Kind, i int) string {
	r := rand.New(rand.NewPCG(uint64(i), 1))
	switch k {
	case Networks:
		if i%4 == 0 {
			return fmt.Sprintf("2001:db8:%x:%x::/64", i&0xffff, i>>16)
		}
		return netip.AddrFrom4([4]byte{byte(10 + i>>24), byte(i >> 16), byte(i >> 8), byte(i)}).String()
	case Domains:
		return fmt.Sprintf("host-%d.%x.example", i, r.Uint32())
	}
	return fmt.Sprintf("user.%x@mail%d.example", r.Uint32(), i%50_000)
}

// million writes a file of a million entries.
func million(t testing.TB, k Kind) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "million")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	for i := range 1_000_000 {
		fmt.Fprintln(w, entry(k, i))
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestMillion has a million entries found again in a bounded amount of memory.
func TestMillion(t *testing.T) {
	const kind = Addresses // the kind that takes most
	path := million(t, kind)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	w := Watch(kind, "", path)
	if err := w.Refresh(clock(0)); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if got := w.List().Len(); got < 990_000 {
		t.Errorf("got %d entries, want a million", got)
	}
	if size := after.HeapAlloc - before.HeapAlloc; size > 64<<20 {
		t.Errorf("got %d MB, want 64 at most", size>>20)
	}
	for _, i := range []int{0, 1, 4, 77_777, 999_999} {
		if what := entry(kind, i); find(w.List(), what) == "-" {
			t.Errorf("%s is not there", what)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	for _, k := range []Kind{Networks, Domains, Addresses} {
		w := Watch(k, "", million(b, k))
		if err := w.Refresh(clock(0)); err != nil {
			b.Fatal(err)
		}
		l := w.List()
		b.Run(k.String(), func(b *testing.B) {
			b.ReportAllocs()
			ip, a := netip.MustParseAddr("203.0.113.77"), mail.ParseAddress("somebody@mail.example.com")
			for b.Loop() {
				switch k {
				case Networks:
					l.Network(ip)
				case Domains:
					l.Domain("a.host.mail.example.com")
				default:
					l.Address(a, "+")
				}
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	for _, k := range []Kind{Networks, Domains, Addresses} {
		path := million(b, k)
		b.Run(k.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := Watch(k, "", path).Refresh(clock(0)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
