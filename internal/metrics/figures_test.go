package metrics

import (
	"encoding/json"
	"flag"
	"math"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }

func (c *clock) set(t time.Time) { c.mu.Lock(); c.t = t; c.mu.Unlock() }

func (c *clock) add(d time.Duration) { c.set(c.now().Add(d)) }

// cet is a location of which tests need no time zone database.
func cet() *time.Location { return time.FixedZone("CET", 3600) }

func TestCounting(t *testing.T) {
	c := &clock{t: time.Date(2026, 3, 4, 12, 0, 0, 0, cet())}
	f := New(c.now)
	f.SetMaxSessions(2000)
	f.SetSpoolLimit(256 << 20)
	for range 3 {
		f.SessionOpened()
	}
	f.SessionClosed()
	f.Spooled(5000)
	f.Spooled(-2000)
	f.Message("no action", false)
	f.Message("no action", true)
	f.Message("reject", false)
	f.ScanBegan()
	f.ScanBegan()
	f.ScanEnded(8 * time.Microsecond)
	f.DeadlineHit()
	f.ChecksFailed(2)
	f.Panicked()
	f.WrongPassword()
	f.Greylisted(true)
	f.Greylisted(true)
	f.Greylisted(false)
	f.GreylistPassed(0)
	f.Limited("user")
	f.Limited("user")
	f.Limited("to_ip")
	f.Remembered()
	f.Recognised()
	f.Recognised()
	f.Published()
	c.add(90 * time.Minute)
	f.GreylistPassed(85 * time.Minute)

	got := f.Snapshot()
	counted := Counts{
		Messages: 3, In: 2, Ours: 1,
		Verdicts:     map[string]int64{"no action": 2, "reject": 1},
		Scan:         Times{Count: 1, Median: 0.008, P99: 0.008},
		DeadlineHits: 1, FailedChecks: 2, Panics: 1,
		Greylist:  GreylistCounts{Deferred: 3, New: 2, Passed: 1, White: 1, Delay: got.Today.Greylist.Delay},
		Limited:   map[string]int64{"user": 2, "to_ip": 1},
		Replies:   ReplyCounts{Stored: 1, Recognised: 2},
		Published: 1,
	}
	if d := counted.Greylist.Delay; d.Count != 1 || math.Abs(d.Median-5_100_000) > 5_100_000/32 || d.P99 != d.Median {
		t.Errorf("delay: got %+v, want one of 85 min", d)
	}
	want := Status{
		Version: Version, State: OK,
		Time: c.now(), Started: c.now().Add(-90 * time.Minute), Uptime: 5400,
		Listeners: []Listener{}, Stores: []Store{},
		DNS: DNS{Servers: []DNSServer{}}, Lists: []DNSList{}, OverLimit: []OverLimit{}, Waiting: 1,
		Sessions: Sessions{Open: 2, Max: 2000, InScan: 1},
		Spool:    Spool{Used: 3000, Limit: 256 << 20},
		Today:    counted, Total: counted,
		Problems:       []Problem{},
		RSS:            got.RSS,
		WrongPasswords: 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Snapshot, -want +got:\n%s", diff)
	}
	if runtime.GOOS == "linux" && (got.RSS < 1<<20 || got.RSS > 1<<34) {
		t.Errorf("RSS: got %d, want the size of a process", got.RSS)
	}
}

func TestMidnight(t *testing.T) {
	noon := time.Date(2026, 3, 4, 12, 0, 0, 0, cet())
	tests := []struct {
		name string
		at   time.Time
		kept bool
	}{
		{"same day", time.Date(2026, 3, 4, 23, 59, 59, 999, cet()), true},
		{"local midnight", time.Date(2026, 3, 5, 0, 0, 0, 0, cet()), false},
		{"UTC still the old day", time.Date(2026, 3, 5, 0, 30, 0, 0, cet()), false},
		{"much later", noon.AddDate(1, 0, 0), false},
		{"a latecomer before midnight", noon.AddDate(0, 0, -1), true},
		{"the clock was set back", noon.AddDate(0, 0, -2), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &clock{t: noon}
			f := New(c.now)
			f.Message("reject", false)
			f.ScanBegan()
			f.ScanEnded(time.Millisecond)
			c.set(tt.at)
			s := f.Snapshot()
			want := int64(0)
			if tt.kept {
				want = 1
			}
			if s.Today.Messages != want || s.Today.Scan.Count != want || s.Today.Verdicts["reject"] != want {
				t.Errorf("today: got %+v, want counts of %d", s.Today, want)
			}
			if s.Total.Messages != 1 || s.Total.Scan.Count != 1 {
				t.Errorf("total: got %+v, want counts of 1", s.Total)
			}
		})
	}
}

// TestMidnightMissing is a day that begins at one o'clock, as in Brazil until 2018:
// the counters must begin anew once, not with every message.
func TestMidnightMissing(t *testing.T) {
	before, after := time.FixedZone("-03", -3*3600), time.FixedZone("-02", -2*3600)
	c := &clock{t: time.Date(2018, 11, 3, 23, 59, 0, 0, before)}
	f := New(c.now)
	f.Message("reject", false)
	for range 3 {
		c.set(time.Date(2018, 11, 4, 1, 0, 0, 0, after))
		f.Message("no action", false)
	}
	want := map[string]int64{"no action": 3}
	if diff := cmp.Diff(want, f.Snapshot().Today.Verdicts); diff != "" {
		t.Errorf("verdicts, -want +got:\n%s", diff)
	}
}

func TestProblems(t *testing.T) {
	c := &clock{t: time.Date(2026, 3, 4, 6, 0, 0, 0, cet())}
	begin := c.now()
	f := New(c.now)
	if !f.Raise(Problem{ID: "store", Text: "store refused", Effect: "no greylisting"}) {
		t.Error("Raise of a new problem: got false, want true")
	}
	c.add(time.Minute)
	if f.Raise(Problem{ID: "store", Text: "store timed out"}) {
		t.Error("Raise of a known problem: got true, want false")
	}
	f.Raise(Problem{ID: "dns", Text: "no resolver", Severity: "strange"})
	c.add(time.Minute)
	f.Raise(Problem{ID: "milter", Text: "address in use", Severity: NotFiltering})
	f.Raise(Problem{ID: "a", Text: "same time", Severity: NotFiltering})

	s := f.Snapshot()
	want := []Problem{
		{ID: "a", Severity: NotFiltering, Text: "same time", Since: begin.Add(2 * time.Minute)},
		{ID: "milter", Severity: NotFiltering, Text: "address in use", Since: begin.Add(2 * time.Minute)},
		{ID: "store", Severity: Degraded, Text: "store timed out", Since: begin},
		{ID: "dns", Severity: Degraded, Text: "no resolver", Since: begin.Add(time.Minute)},
	}
	if diff := cmp.Diff(want, s.Problems); diff != "" {
		t.Errorf("problems, -want +got:\n%s", diff)
	}
	if s.State != NotFiltering {
		t.Errorf("state: got %q, want %q", s.State, NotFiltering)
	}

	f.Clear("milter")
	f.Clear("a")
	if s := f.Snapshot(); s.State != Degraded {
		t.Errorf("state without the worst: got %q, want %q", s.State, Degraded)
	}
	if d, ok := f.Clear("store"); d != 2*time.Minute || !ok {
		t.Errorf("Clear: got %v, %v, want 2m0s, true", d, ok)
	}
	if d, ok := f.Clear("store"); d != 0 || ok {
		t.Errorf("Clear again: got %v, %v, want 0s, false", d, ok)
	}
	f.Clear("dns")
	if s := f.Snapshot(); s.State != OK || len(s.Problems) != 0 {
		t.Errorf("state at the end: got %q with %v, want ok with none", s.State, s.Problems)
	}
}

func TestVerdictNamesBounded(t *testing.T) {
	f := New(time.Now)
	for i := range 1000 {
		f.Message(strconv.Itoa(i), false)
	}
	v := f.Snapshot().Total.Verdicts
	if len(v) != maxNames+1 || v["other"] != 1000-maxNames {
		t.Errorf("got %d names and other=%d, want %d and %d", len(v), v["other"], maxNames+1, 1000-maxNames)
	}
}

// TestConcurrent counts from many goroutines while days change and snapshots are
// taken; totals must be exact.
func TestConcurrent(t *testing.T) {
	const workers, rounds = 8, 500
	c := &clock{t: time.Date(2026, 3, 4, 23, 0, 0, 0, cet())}
	f := New(c.now)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range rounds {
				f.SessionOpened()
				f.ScanBegan()
				f.ScanEnded(time.Duration(i) * time.Millisecond)
				f.Message("action "+strconv.Itoa(i%4), i%2 == 0)
				f.Raise(Problem{ID: "p" + strconv.Itoa(w)})
				if i%100 == 0 {
					c.add(time.Hour)
					f.Snapshot()
				}
				f.Clear("p" + strconv.Itoa(w))
				f.SessionClosed()
			}
		})
	}
	wg.Wait()
	s := f.Snapshot()
	n := int64(workers * rounds)
	if s.Total.Messages != n || s.Total.Ours != n/2 || s.Total.Scan.Count != n || s.Total.Verdicts["action 3"] != n/4 {
		t.Errorf("total: got %+v, want %d messages", s.Total, n)
	}
	if s.Sessions.Open != 0 || s.Sessions.InScan != 0 || len(s.Problems) != 0 {
		t.Errorf("got %+v and %d problems, want all closed", s.Sessions, len(s.Problems))
	}
}

func TestStatusJSON(t *testing.T) {
	at := time.Date(2026, 3, 4, 12, 0, 0, 0, cet())
	counts := Counts{
		Messages: 3, In: 2, Ours: 1, Verdicts: map[string]int64{"reject": 1, "no action": 2},
		Scan: Times{Count: 3, Median: 14, P99: 310.5}, DeadlineHits: 1, FailedChecks: 2, Panics: 3,
		Greylist: GreylistCounts{Deferred: 7, New: 5, Passed: 3, White: 2, Delay: Times{Count: 3, Median: 421_000, P99: 600_000}},
		Limited:  map[string]int64{"user": 4, "to_ip": 1}, Replies: ReplyCounts{Stored: 6, Recognised: 2}, Published: 1,
	}
	s := Status{
		Version: "0.1.0", Hostname: "mx1.example.com", State: Degraded,
		Time: at, Started: at.Add(-time.Hour), Uptime: 3600,
		Config:    Config{Path: "/etc/rmilter.conf", Hash: "9c1f2a", ReloadTime: at.Add(-time.Minute), ReloadResult: "ok", Restart: []string{"max_connections"}},
		Listeners: []Listener{{Name: "milter", Address: "inet:9900@127.0.0.1", State: "ok"}},
		Sessions:  Sessions{Open: 14, Max: 2000, InScan: 3},
		Spool:     Spool{Used: 12 << 20, Limit: 256 << 20},
		RSS:       61 << 20,
		Today:     counts, Total: counts,
		Stores: []Store{{
			For: []string{"main", "grey"}, Kind: "redis", Address: "127.0.0.1:6379", State: "connection refused", Since: at,
			LastOutage: at.Add(-time.Hour), LastLasted: 94.6, Latency: 0.44, Keys: 81204, Size: 12 << 20,
		}},
		DNS: DNS{
			Lookups: 9, Cached: 4, Stale: 1, Failures: 2, Queries: 5, Latency: 1.25,
			Servers: []DNSServer{
				{Address: "127.0.0.1:53", Up: true, Queries: 4, Answers: 4, Latency: 1.25},
				{Address: "192.0.2.53:530", Zones: []string{"list.example"}, Since: at, Queries: 1, Failures: 1},
			},
		},
		Lists: []DNSList{
			{Name: "spamhaus", Section: "rbl", Zone: "zen.spamhaus.org", State: "ok", Since: at, Tested: at, Queries: 6, Limit: 300_000, Listed: 2, Latency: 8.5},
			{Name: "uribl", Section: "surbl", Zone: "multi.uribl.com", State: "out", Reason: "blocked", Since: at, Blocked: 1, Undocumented: 2, Timeouts: 3},
		},
		Waiting:   2,
		OverLimit: []OverLimit{{User: "joe@example.com", Since: at.Add(-time.Hour), Last: at, Refused: 4}},
		Problems:  []Problem{{ID: "store", Severity: Degraded, Text: "store refused", Effect: "no limits", Since: at}},
	}
	got, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/status.json", append(got, '\n'))

	var back Status
	if err := json.Unmarshal(got, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, back); diff != "" {
		t.Errorf("read back, -want +got:\n%s", diff)
	}
}

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s, -want +got:\n%s", path, diff)
	}
}

func BenchmarkMessage(b *testing.B) {
	f := New(time.Now)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			f.ScanBegan()
			f.ScanEnded(14 * time.Millisecond)
			f.Message("no action", false)
		}
	})
}
