package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/metrics"
)

var update = flag.Bool("update", false, "write the golden files")

// day is the morning of the examples.
func day(hour, minute int) time.Time {
	return time.Date(2026, 3, 4, hour, minute, 0, 0, time.FixedZone("CET", 3600))
}

func exampleStatus() metrics.Status {
	return metrics.Status{
		Version: "0.1.0", Hostname: "mx1", State: metrics.Degraded,
		Time: day(9, 0), Started: day(5, 0).AddDate(0, 0, -3), Uptime: 3*86400 + 4*3600 + 59,
		Config: metrics.Config{Path: "/etc/rmilter.conf", Hash: "9c1f2a", ReloadTime: day(8, 12), ReloadResult: "ok"},
		Listeners: []metrics.Listener{
			{Name: "milter", Address: "inet:9900@127.0.0.1", State: "ok"},
			{Name: "scan", Address: "127.0.0.1:11333", State: "ok"},
			{Name: "control", Address: "127.0.0.1:11334", State: "ok"},
		},
		Sessions: metrics.Sessions{Open: 14, Max: 2000, InScan: 3},
		Spool:    metrics.Spool{Used: 11<<20 + 1, Limit: 256 << 20},
		RSS:      61<<20 + 1000,
		Today: metrics.Counts{
			Messages: 18412, In: 17003, Ours: 1409,
			Verdicts: map[string]int64{
				"no action": 11820, "greylist": 1204, "add header": 2011, "rewrite subject": 0, "reject": 3290, "soft reject": 87,
			},
			Scan:         metrics.Times{Count: 18000, Median: 14.08, P99: 309.6},
			DeadlineHits: 3,
			Greylist:     metrics.GreylistCounts{Deferred: 1204, New: 900, Passed: 702, White: 3011, Delay: metrics.Times{Count: 702, Median: 421_300, P99: 3_600_000}},
			Limited:      map[string]int64{"user": 12, "to_ip": 3},
			Replies:      metrics.ReplyCounts{Stored: 1377, Recognised: 214},
		},
		Stores: []metrics.Store{{
			For: []string{"main", "grey", "white", "limits", "ids", "spam", "copy"}, Kind: "redis", Address: "127.0.0.1:6379",
			State: "connection refused", Since: day(6, 0), LastOutage: day(2, 10), LastLasted: 94.6, Latency: 0.4,
		}},
		DNS: metrics.DNS{
			Lookups: 31204, Cached: 24011, Stale: 12, Failures: 7, Queries: 7804, Latency: 11.6,
			Servers: []metrics.DNSServer{{Address: "127.0.0.1:53", Up: true}, {Address: "192.0.2.53:53", Since: day(8, 40)}},
		},
		Lists: []metrics.DNSList{
			{Name: "spamhaus", Section: "rbl", Zone: "zen.spamhaus.org", State: "ok", Queries: 4102, Limit: 300000, Listed: 903, Latency: 8.24},
			{Name: "spamhaus", Section: "surbl", Zone: "*.dbl.dq.spamhaus.net", State: "untested"},
			{Name: "uribl", Section: "surbl", Zone: "multi.uribl.com", State: "out", Reason: "it refuses 192.0.2.53", Since: day(8, 40), Queries: 12, Blocked: 1, Undocumented: 2, Timeouts: 3},
		},
		Waiting:   402,
		OverLimit: []metrics.OverLimit{{User: "joe@example.com", Since: day(7, 30), Last: day(8, 59), Refused: 12}},
		Problems: []metrics.Problem{{
			ID: "store", Severity: metrics.Degraded, Text: "store redis 127.0.0.1:6379 refused",
			Effect: "mail flows without greylisting and limits", Since: day(6, 0),
		}},
	}
}

func TestRenderStatusGolden(t *testing.T) {
	got := renderStatus(exampleStatus())
	const path = "testdata/status.golden"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	// The way over the API changes nothing, times included.
	b, err := json.Marshal(exampleStatus())
	if err != nil {
		t.Fatal(err)
	}
	s, err := parseStatus(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), renderStatus(s)); diff != "" {
		t.Errorf("through JSON, -want +got:\n%s", diff)
	}
}

func TestRenderStatus(t *testing.T) {
	tests := []struct {
		name   string
		change func(*metrics.Status)
		want   []string // lines that must be there
		gone   []string // beginnings that no line may have
	}{
		{"ok", func(s *metrics.Status) { s.State, s.Problems = metrics.OK, nil },
			[]string{
				"rmilter 0.1.0  mx1  up 3d 4h  config /etc/rmilter.conf 9c1f2a (reloaded 08:12, ok)",
				"problems    none",
			}, nil},
		{"not filtering", func(s *metrics.Status) {
			s.State, s.Config = metrics.NotFiltering, metrics.Config{}
			s.Listeners[0].State, s.Listeners[2].State = "address already in use", "closed"
		}, []string{
			"rmilter 0.1.0  mx1  up 3d 4h    NOT FILTERING",
			"listeners   milter inet:9900@127.0.0.1 address already in use   scan 127.0.0.1:11333   control 127.0.0.1:11334 closed",
		}, nil},
		{"never reloaded", func(s *metrics.Status) { s.Config.ReloadTime = time.Time{} },
			[]string{"rmilter 0.1.0  mx1  up 3d 4h  config /etc/rmilter.conf 9c1f2a (never reloaded)    DEGRADED"}, nil},
		{"reload failed the day before", func(s *metrics.Status) {
			s.Config.ReloadTime, s.Config.ReloadResult = day(8, 12).AddDate(0, 0, -1), "failed: /etc/rmilter.conf:12: unknown option"
		}, []string{"rmilter 0.1.0  mx1  up 3d 4h  config /etc/rmilter.conf 9c1f2a (reloaded 2026-03-03 08:12, failed: /etc/rmilter.conf:12: unknown option)    DEGRADED"}, nil},
		{"options wait for a restart", func(s *metrics.Status) { s.Config.Restart = []string{"max_connections", "data_dir"} },
			[]string{"restart     max_connections, data_dir: changed, as before until a restart"}, nil},
		{"nothing happened yet", func(s *metrics.Status) {
			*s = metrics.Status{Version: "0.1.0", State: metrics.OK}
		}, []string{
			"rmilter 0.1.0  up 0s",
			"sessions    0 open  0 in scan",
			"today       0 messages   in 0   ours 0",
			"scan        deadline hit 0   failed checks 0   panics 0",
			"problems    none",
		}, []string{"listeners", "verdicts", "restart", "state", "dns", "greylist", "limits", "replies", "published", "over limit"}},
		{"the embedded store", func(s *metrics.Status) {
			s.Stores = []metrics.Store{{For: []string{"main"}, Kind: "embedded", Address: "/var/lib/rmilter/store", State: "ok", Since: day(5, 0), Latency: 0.0312, Keys: 81204, Size: 12<<20 + 7}}
			s.Today.Published = 1234
		}, []string{
			"state       embedded /var/lib/rmilter/store ok   median 0.031 ms   81,204 records   13 MB on disk",
			"published   1,234 messages",
		}, nil},
		{"resolvers that answer", func(s *metrics.Status) {
			s.DNS = metrics.DNS{Lookups: 3, Queries: 3, Latency: 0.31, Servers: []metrics.DNSServer{{Address: "127.0.0.1:53", Up: true}}}
		}, []string{"dns         3 lookups   3 queries   median 0.31 ms   1 of 1 servers up"}, nil},
		{"many resolvers that don't", func(s *metrics.Status) {
			s.DNS = metrics.DNS{}
			for i := range 7 {
				s.DNS.Servers = append(s.DNS.Servers, metrics.DNSServer{Address: fmt.Sprintf("192.0.2.%d:53\n", i)})
			}
		}, []string{"dns         0 of 7 servers up  192.0.2.0:53? DOWN  192.0.2.1:53? DOWN  192.0.2.2:53? DOWN  192.0.2.3:53? DOWN  and 3 more"}, nil},
		{"several stores", func(s *metrics.Status) {
			s.Stores = []metrics.Store{
				{For: []string{"main", "ids"}, Kind: "redis", Address: "192.0.2.1:6379", State: "ok", LastOutage: day(2, 10).AddDate(0, 0, -1), LastLasted: 7200},
				{For: []string{"grey", "white"}, Kind: "redis", Address: "192.0.2.2:6379", State: "no answer in 250ms", Since: day(8, 59)},
			}
		}, []string{
			"state       redis 192.0.2.1:6379 (main, ids) ok   last outage 2026-03-03 02:10 for 2h0m0s",
			"            redis 192.0.2.2:6379 (grey, white) DOWN no answer in 250ms since 08:59",
		}, nil},
		{"many users over their limits", func(s *metrics.Status) {
			s.OverLimit = nil
			for i := range maxOverLimit + 3 {
				s.OverLimit = append(s.OverLimit, metrics.OverLimit{User: fmt.Sprintf("user%d", i), Since: day(7, 0).AddDate(0, 0, -1), Last: day(7, i), Refused: 1000})
			}
		}, []string{
			"over limit  user0 since 2026-03-03 07:00, last 07:00, 1,000 recipients refused",
			"            user19 since 2026-03-03 07:00, last 07:19, 1,000 recipients refused",
			"            and 3 more, see --json",
		}, []string{"            user20"}},
		{"all verdicts, and new ones", func(s *metrics.Status) {
			s.Today.Verdicts = map[string]int64{
				"zebra": 1, "discard": 2, "quarantine": 3, "soft reject": 4, "reject": 5, "rewrite subject": 6,
				"add header": 7, "greylist": 8, "no action": 9, "aardvark": 10, "unused": 0,
			}
		}, []string{"verdicts    no action 9  greylist 8  add header 7  rewrite subject 6  reject 5  soft reject 4  quarantine 3  discard 2  aardvark 10  zebra 1"}, nil},
		{"text from outside", func(s *metrics.Status) {
			s.Hostname = "mx\x1b[31m\n1"
			s.Problems[0].Text, s.Problems[0].Effect, s.Problems[0].Since = "a\nb\xff\u202e", "", day(6, 0).AddDate(0, 0, -2)
		}, []string{
			"rmilter 0.1.0  mx?[31m?1  up 3d 4h  config /etc/rmilter.conf 9c1f2a (reloaded 08:12, ok)    DEGRADED",
			"problems    1  a?b\ufffd? since 2026-03-02 06:00",
		}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := exampleStatus()
			tt.change(&s)
			got := renderStatus(s)
			for _, want := range tt.want {
				if !strings.Contains("\n"+got, "\n"+want+"\n") {
					t.Errorf("got\n%s\nwant the line\n%s", got, want)
				}
			}
			for _, label := range tt.gone {
				if strings.Contains("\n"+got, "\n"+label) {
					t.Errorf("got\n%s\nwant no line %s", got, label)
				}
			}
		})
	}
}

// TestRenderManyProblems aligns their numbers and labels the first only.
func TestRenderManyProblems(t *testing.T) {
	s := exampleStatus()
	s.Problems = nil
	for i := range 10 {
		s.Problems = append(s.Problems, metrics.Problem{Text: fmt.Sprintf("trouble %d", i)})
	}
	_, got, _ := strings.Cut(renderStatus(s), "recipients refused\n")
	lines := strings.Split(got, "\n")
	if lines[0] != "problems     1  trouble 0" || lines[1] != "             2  trouble 1" || lines[9] != "            10  trouble 9" {
		t.Errorf("got\n%s", got)
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0", 999: "999", 1000: "1,000", 18412: "18,412", 999999: "999,999", 1234567: "1,234,567",
		-1: "-1", -999: "-999", -1000: "-1,000", -123456: "-123,456",
	} {
		if got := thousands(n); got != want {
			t.Errorf("thousands(%d): got %s, want %s", n, got, want)
		}
	}
}

func TestUptime(t *testing.T) {
	for n, want := range map[int64]string{
		-5: "0s", 0: "0s", 59: "59s", 60: "1m", 3599: "59m", 3600: "1h 0m", 86399: "23h 59m", 86400: "1d 0h", 400 * 86400: "400d 0h",
	} {
		if got := uptime(n); got != want {
			t.Errorf("uptime(%d): got %s, want %s", n, got, want)
		}
	}
}

func TestMilliseconds(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0 ms", 0.008: "0.008 ms", 0.44: "0.44 ms", 5: "5 ms", 5.26: "5.3 ms", 9.97: "10 ms", 14.4: "14 ms", 12345: "12,345 ms",
	} {
		if got := milliseconds(v); got != want {
			t.Errorf("milliseconds(%v): got %s, want %s", v, got, want)
		}
	}
}

func TestSizes(t *testing.T) {
	if got, want := spoolText(metrics.Spool{Used: 1, Limit: 256 << 20}), "spool 1 of 256 MB"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := spoolText(metrics.Spool{Limit: 4 << 30}), "spool 0 of 4,096 MB"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := spoolText(metrics.Spool{Used: 1}); got != "" {
		t.Errorf("without a limit: got %q, want nothing", got)
	}
	if got := sizeText("RSS ", 0); got != "" {
		t.Errorf("unknown size: got %q, want nothing", got)
	}
}

// FuzzStatus takes any answer: a status or an error, and printable lines.
func FuzzStatus(f *testing.F) {
	b, err := json.Marshal(exampleStatus())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"state":"ok","uptime":-9223372036854775808,"today":{"verdicts":{"\n":-1},"scan":{"count":1,"p99_ms":1e300}}}`))
	f.Add([]byte(`{"error":"Unauthorized"}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		s, err := parseStatus(answer)
		if err != nil {
			return
		}
		got := renderStatus(s)
		if line := strings.TrimSuffix(strings.ReplaceAll(got, "\n", ""), "\n"); printable(line, len(line)) != line {
			t.Errorf("not printable: %q", got)
		}
		if want := 12 + max(1, len(s.Problems)) + len(s.Stores) + len(s.Lists) + min(len(s.OverLimit), maxOverLimit+1); strings.Count(got, "\n") > want {
			t.Errorf("got %d lines, want at most %d: %q", strings.Count(got, "\n"), want, got)
		}
	})
}
