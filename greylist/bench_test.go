package greylist_test

import (
	"fmt"
	"testing"
	"time"

	"rmilter/greylist"
)

// BenchmarkNew is the first attempt of a stranger: two round trips to the embedded store.
func BenchmarkNew(b *testing.B) {
	w := newWorld(b, false, nil)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		if v := w.check(query(from(fmt.Sprintf("<%s@sender.example>", letters(n))), body(fmt.Sprint(n)))); v.State != greylist.First {
			b.Fatal(v)
		}
	}
}

// BenchmarkWhite is a message of a regular correspondent.
func BenchmarkWhite(b *testing.B) {
	w := newWorld(b, false, nil)
	w.check(query())
	w.clock.add(6 * time.Minute)
	w.check(query())
	q := query(body("another text"))
	b.ReportAllocs()
	for b.Loop() {
		if v := w.check(q); v.State != greylist.White {
			b.Fatal(v)
		}
	}
}

// BenchmarkWhiteParallel is the same by many connections at once.
func BenchmarkWhiteParallel(b *testing.B) {
	w := newWorld(b, false, nil)
	w.check(query())
	w.clock.add(6 * time.Minute)
	w.check(query())
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		q := query(body("another text"))
		for pb.Next() {
			if v := w.check(q); v.State != greylist.White {
				b.Error(v)
			}
		}
	})
}

// BenchmarkManyRecipients is a message to 10,000.
func BenchmarkManyRecipients(b *testing.B) {
	w := newWorld(b, false, nil)
	list := make([]string, 10000)
	for i := range list {
		list[i] = fmt.Sprintf("user%05d@example.com", i)
	}
	q := query(to(list...))
	b.ReportAllocs()
	for b.Loop() {
		if v := w.check(q); !v.Defer {
			b.Fatal(v)
		}
	}
}

// letters returns a number in letters that aren't hexadecimal digits.
func letters(n int) string {
	text := []byte{}
	for ; n > 0; n /= 10 {
		text = append(text, "ghijklmnop"[n%10])
	}
	return string(text)
}
