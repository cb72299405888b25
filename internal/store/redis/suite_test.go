package redis

import (
	"testing"
	"time"

	"rmilter/internal/store"
	"rmilter/internal/store/storetest"
	"rmilter/test/redisd"
)

// ways are the configurations of all that Redis comes as.
func ways(t testing.TB) map[string]func(testing.TB) Config {
	t.Helper()
	return map[string]func(testing.TB) Config{
		"single": func(t testing.TB) Config {
			return configFor(t, redisd.Single(t, redisd.Options{}).Address())
		},
		"ring": func(t testing.TB) Config {
			return configFor(t, redisd.Addresses(redisd.Several(t, 2, redisd.Options{}))...)
		},
		"sentinel": func(t testing.TB) Config {
			w := redisd.Sentinel(t, redisd.Options{})
			c := configFor(t, redisd.Addresses(w.Sentinels)...)
			c.SentinelMaster = redisd.MasterName
			return c
		},
		"cluster": func(t testing.TB) Config {
			c := configFor(t, redisd.Addresses(redisd.NewCluster(t, redisd.Options{}).Servers)...)
			c.Mode = Cluster
			return c
		},
	}
}

func TestSuite(t *testing.T) {
	t.Parallel()
	for name, start := range ways(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t)
			storetest.Run(t, func(t *testing.T, now func() time.Time) store.Store {
				set, err := Open(c, Env{})
				if err != nil {
					t.Fatal(err)
				}
				return set.Main
			}, storetest.Options{Channels: true})
		})
	}
}

func BenchmarkStore(b *testing.B) {
	for name, start := range ways(b) {
		b.Run(name, func(b *testing.B) {
			c := start(b)
			storetest.Bench(b, func(b *testing.B) store.Store {
				set, err := Open(c, Env{})
				if err != nil {
					b.Fatal(err)
				}
				return set.Main
			})
		})
	}
}
