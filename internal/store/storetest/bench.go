package storetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rmilter/internal/store"
)

// benchKeys is among how many keys an operation chooses.
const benchKeys = 10000

// Bench measures each operation of a store at 1, 16 and 64 goroutines.
func Bench(b *testing.B, open func(b *testing.B) store.Store) {
	for _, op := range operations() {
		for _, n := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%s/%d", op.name, n), func(b *testing.B) {
				s := open(b)
				defer s.Close()
				prefix := "bench." + rand.Text()[:10] + "."
				if op.fill {
					fill(b, s, prefix)
				}
				var next atomic.Int64
				var all sync.WaitGroup
				b.ReportAllocs()
				b.ResetTimer()
				for range n {
					all.Go(func() {
						for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
							if err := op.do(b.Context(), s, prefix, int(i)); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				all.Wait()
				b.StopTimer()
			})
		}
	}
}

// fill puts the keys there that operations look for.
func fill(b *testing.B, s store.Store, prefix string) {
	var changes []store.Change
	for i := range benchKeys {
		changes = append(changes, store.Change{Key: benchKey(prefix, i), Value: make([]byte, 100), Volatile: true})
	}
	for len(changes) > 0 {
		if _, err := s.Put(b.Context(), changes[:1000]...); err != nil {
			b.Fatal(err)
		}
		changes = changes[1000:]
	}
}

func benchKey(prefix string, i int) string { return fmt.Sprint(prefix, i%benchKeys) }

// An operation is one that is measured; i is new at each call.
type operation struct {
	name string
	fill bool
	do   func(ctx context.Context, s store.Store, prefix string, i int) error
}

func operations() []operation { return append(valueOperations(), otherOperations()...) }

func valueOperations() []operation {
	value := make([]byte, 100)
	put := func(c store.Change) func(context.Context, store.Store, string, int) error {
		return func(ctx context.Context, s store.Store, prefix string, i int) error {
			c := c
			c.Key, c.Value, c.Lifetime = fmt.Sprint(prefix, "new.", i), value, time.Hour
			_, err := s.Put(ctx, c)
			return err
		}
	}
	return []operation{
		{"Get", true, func(ctx context.Context, s store.Store, prefix string, i int) error {
			_, err := s.Get(ctx, benchKey(prefix, i))
			return err
		}},
		{"Get100", true, func(ctx context.Context, s store.Store, prefix string, i int) error {
			keys := make([]string, 100)
			for j := range keys {
				keys[j] = benchKey(prefix, i+j*97)
			}
			_, err := s.Get(ctx, keys...)
			return err
		}},
		{"GetNone", true, func(ctx context.Context, s store.Store, prefix string, i int) error {
			_, err := s.Get(ctx, prefix+"none")
			return err
		}},
		{"Put", false, put(store.Change{})},
		{"PutVolatile", false, put(store.Change{Volatile: true})},
		{"PutIfAbsent", false, put(store.Change{Volatile: true, If: store.IfAbsent})},
	}
}

func otherOperations() []operation {
	value := make([]byte, 100)
	limit := store.Limit{Burst: 1e6, Every: time.Second}
	return []operation{
		{"Add", false, func(ctx context.Context, s store.Store, prefix string, i int) error {
			_, err := s.Add(ctx, store.Increment{Key: benchKey(prefix, i), By: 1, Lifetime: time.Hour})
			return err
		}},
		{"Take", false, func(ctx context.Context, s store.Store, prefix string, i int) error {
			_, err := s.Take(ctx, store.Bucket{Key: benchKey(prefix, i), Limit: limit})
			return err
		}},
		{"TakeOne", false, func(ctx context.Context, s store.Store, prefix string, i int) error {
			_, err := s.Take(ctx, store.Bucket{Key: prefix, Limit: limit})
			return err
		}},
		{"TakeGive", false, func(ctx context.Context, s store.Store, prefix string, i int) error {
			b := store.Bucket{Key: benchKey(prefix, i), Limit: limit}
			grants, err := s.Take(ctx, b)
			if err != nil {
				return err
			}
			return s.Give(ctx, store.Return{Bucket: b, At: grants[0].At})
		}},
		{"Append", false, func(ctx context.Context, s store.Store, prefix string, i int) error {
			_, err := s.Append(ctx, prefix+"log", value)
			return err
		}},
		{"Lease", false, func(ctx context.Context, s store.Store, prefix string, i int) error {
			_, err := s.Lease(ctx, benchKey(prefix, i), "me", time.Hour)
			return err
		}},
		{"Lifetime", true, func(ctx context.Context, s store.Store, prefix string, i int) error {
			_, err := s.Lifetime(ctx, benchKey(prefix, i))
			return err
		}},
		{"List100", true, func(ctx context.Context, s store.Store, prefix string, i int) error {
			_, _, err := s.List(ctx, prefix, "", 100)
			return err
		}},
		{"Delete", false, func(ctx context.Context, s store.Store, prefix string, i int) error {
			_, err := s.Delete(ctx, benchKey(prefix, i))
			return err
		}},
	}
}
