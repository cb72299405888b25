package redis

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/store"
	"rmilter/test/redisd"
)

// A model is what a bucket should be.
type model struct {
	key   string
	limit store.Limit
	there bool
	state store.BucketState
	taken []time.Time // what may be given back

	stored time.Time     // by the clock that lifetimes have; before the request
	life   time.Duration // from then on; 0 for ever
}

// kept notes what a store keeps of a state.
func (m *model) kept(now time.Time, s store.BucketState) {
	m.state, m.stored, m.life = store.ParseBucket(s.Append(nil)), time.Now(), s.Lifetime(now, m.limit)
	if m.there = m.life > 0; !m.there {
		m.state = store.BucketState{}
	}
}

func (m *model) text() string {
	if !m.there {
		return ""
	}
	return string(m.state.Append(nil))
}

func randomLimit(r *rand.Rand) store.Limit {
	bursts := []int64{1, 2, 3, 10, 15, 16, 17, 100, 127, 128, 129, 1e4, 1e9}
	every := []time.Duration{time.Microsecond, time.Millisecond, 7 * time.Millisecond, time.Second, time.Minute,
		10 * time.Minute, time.Hour, 24 * time.Hour, 1000 * 24 * time.Hour,
		time.Duration(1+r.Int64N(int64(time.Hour/time.Microsecond))) * time.Microsecond}
	return store.Limit{Burst: bursts[r.IntN(len(bursts))], Every: every[r.IntN(len(every))]}
}

// randomStep moves the clock, at times by nothing, far or back.
func randomStep(r *rand.Rand, l store.Limit) time.Duration {
	switch r.IntN(10) {
	case 0:
		return 0
	case 1:
		return -time.Duration(r.Int64N(int64(time.Hour)))
	case 5: // about as far as all times stay
		return -time.Minute + time.Duration(r.Int64N(5)-2)*time.Microsecond
	case 2:
		return 10*time.Minute + time.Duration(r.Int64N(5)-2)*time.Microsecond
	case 3:
		return time.Duration(min(l.Burst, 1000)) * min(l.Every, 24*time.Hour)
	case 4:
		return l.Every
	}
	return time.Duration(r.Int64N(int64(min(3*l.Every, 24*time.Hour))))
}

// randomRecord is what may stand where a bucket should be. Sums of what it holds are
// exact numbers in Lua.
func randomRecord(r *rand.Rand, now time.Time) string {
	base := now.UnixMicro()
	odd := []string{"", " ", "x", "0", "00", "01 2", "1 2 ", " 1", "1  2", "5 2 1", "-1", "1.5", "1e3", "0x10", "+1", "9007199254740992",
		"9007199254740993", "99999999999999999999999999", "1\x00", "\xff", "1\n", "{}", "nan", "inf"}
	switch r.IntN(4) {
	case 0:
		return odd[r.IntN(len(odd))]
	case 1:
		text := fmt.Sprint(base + r.Int64N(2e9) - 1e9)
		for range []int{30, 254}[r.IntN(2)] + r.IntN(6) {
			text += fmt.Sprint(" ", base)
		}
		return text
	}
	text := fmt.Sprint(max(0, base+r.Int64N(4e12)-2e12))
	at := base - r.Int64N(2e9)
	for range r.IntN([]int{40, 300}[r.IntN(2)]) {
		text += fmt.Sprint(" ", at)
		at += r.Int64N(2e7)
	}
	return text
}

// TestBucketRule holds the scripts to the rule in Go: random sequences of taking and
// giving back have the same results and leave the same text.
func TestBucketRule(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	s := redisd.Single(t, redisd.Options{})
	rounds, steps := 8, 25
	if os.Getenv("RMILTER_DRILL") == "1" {
		rounds, steps = 20, 100
	}
	for round := range rounds {
		now := time.UnixMicro(time.Now().UnixMicro())
		set, err := Open(configFor(t, s.Address()), Env{Buckets: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		var models []*model
		var changes []store.Change
		for i := range 250 {
			m := &model{key: fmt.Sprintf("bucket.%d.%d", round, i), limit: randomLimit(r)}
			if r.IntN(3) == 0 {
				record := randomRecord(r, now)
				changes = append(changes, store.Change{Key: m.key, Value: []byte(record)})
				m.state, m.there = store.ParseBucket([]byte(record)), true
			}
			models = append(models, m)
		}
		if _, err := set.Main.Put(long(t), changes...); err != nil {
			t.Fatal(err)
		}
		for range steps {
			step(t, r, set.Main, models, now)
			now = now.Add(randomStep(r, models[r.IntN(len(models))].limit))
			if now.Before(time.Unix(1e9, 0)) || now.After(time.Unix(3e9, 0)) {
				now = time.UnixMicro(time.Now().UnixMicro())
			}
			if t.Failed() {
				return
			}
		}
		set.Close()
	}
}

// step takes from some buckets and gives back to the others, and compares.
func step(t *testing.T, r *rand.Rand, s store.Store, models []*model, now time.Time) {
	t.Helper()
	var keys []string
	var buckets []store.Bucket
	var want []store.Grant
	var takers []*model
	var returns []store.Return
	touched := map[string]bool{}
	for _, m := range models {
		keys = append(keys, m.key)
		b := store.Bucket{Key: m.key, Limit: m.limit}
		if r.IntN(3) > 0 {
			buckets, takers = append(buckets, b), append(takers, m)
			next := m.state
			g := next.Take(now, m.limit)
			if g.Taken {
				m.taken = append(m.taken, g.At)
			}
			if touched[m.key] = g.Taken || next.Moved() && m.there; touched[m.key] {
				m.kept(now, next)
			}
			want = append(want, g)
			continue
		}
		at := time.UnixMicro(r.Int64N(4e15) - 1e15)
		if n := len(m.taken); n > 0 && r.IntN(5) > 0 {
			at = m.taken[r.IntN(n)]
		}
		returns = append(returns, store.Return{Bucket: b, At: at})
		if m.there {
			next := m.state
			next.Give(now, at, m.limit)
			m.kept(now, next)
			touched[m.key] = m.there
		}
	}
	grants, err := s.Take(long(t), buckets...)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range takers {
		if diff := cmp.Diff(want[i], grants[i]); diff != "" {
			t.Errorf("Take from %s, %+v, %q (-Go +Lua):\n%s", m.key, m.limit, m.text(), diff)
		}
	}
	if err := s.Give(long(t), returns...); err != nil {
		t.Fatal(err)
	}
	values, err := s.Get(long(t), keys...)
	if err != nil {
		t.Fatal(err)
	}
	lives, err := s.Lifetime(long(t), keys...)
	if err != nil {
		t.Fatal(err)
	}
	var dying []string
	for i, m := range models {
		got := string(values[i])
		if m.there && m.life > 0 && values[i] == nil && time.Since(m.stored) >= m.life {
			m.state, m.there = store.BucketState{}, false // it has come to its end
			continue
		}
		if wanted := m.text(); touched[m.key] && got != wanted || (values[i] != nil) != m.there {
			t.Errorf("%s, %+v: the record is %q, want %q", m.key, m.limit, got, wanted)
		}
		if touched[m.key] && m.there && (lives[i] > m.life || lives[i] < m.life-time.Since(m.stored)-time.Millisecond) {
			t.Errorf("%s, %+v: it lives %s, want %s", m.key, m.limit, lives[i], m.life)
		}
		if lives[i] > 0 && lives[i] < time.Minute { // it may end at any time
			dying = append(dying, m.key)
			m.state, m.there = store.BucketState{}, false
		}
	}
	if _, err := s.Delete(long(t), dying...); err != nil {
		t.Fatal(err)
	}
}
