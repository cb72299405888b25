package metrics

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A sample is one line of an exposition.
type sample struct {
	name   string
	labels map[string]string
	value  float64
}

// A family is a metric of an exposition with its samples.
type family struct {
	kind, help string
	samples    []sample
}

// The ABNF of OpenMetrics 1.0, as far as our expositions may use it: one blank between
// parts, no timestamps, exemplars or units.
var (
	typeLine   = regexp.MustCompile(`^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|summary|info|stateset)$`)
	helpLine   = regexp.MustCompile(`^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) ((?:[^\\"\n]|\\[\\"n])*)$`)
	sampleLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.+)\})? ((?:[+-]?[0-9]+(?:\.[0-9]*)?(?:e[+-]?[0-9]+)?)|[+-]Inf|NaN)$`)
	labelPart  = regexp.MustCompile(`^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^\\"\n]|\\[\\"n])*)"(?:,|$)`)
	endings    = map[string][]string{"counter": {"_total"}, "gauge": {""}, "info": {"_info"}, "stateset": {""}, "summary": {"", "_count", "_sum"}}
)

// parseOpenMetrics reads an exposition and refuses what the format doesn't allow.
func parseOpenMetrics(text string) (map[string]*family, error) {
	body, ok := strings.CutSuffix(text, "# EOF\n")
	if !ok {
		return nil, fmt.Errorf("the end is %q, want # EOF", text[max(0, len(text)-20):])
	}
	families, seen := map[string]*family{}, map[string]bool{}
	names := map[string]bool{} // that samples may have
	current := ""
	for line := range strings.Lines(body) {
		line, ok := strings.CutSuffix(line, "\n")
		if !ok {
			return nil, fmt.Errorf("%q has no end", line)
		}
		if m := typeLine.FindStringSubmatch(line); m != nil {
			if families[m[1]] != nil {
				return nil, fmt.Errorf("%s comes twice", m[1])
			}
			current = m[1]
			families[current] = &family{kind: m[2]}
			for _, end := range endings[m[2]] {
				if names[current+end] {
					return nil, fmt.Errorf("%s%s belongs to two metrics", current, end)
				}
				names[current+end] = true
			}
			continue
		}
		if m := helpLine.FindStringSubmatch(line); m != nil {
			if m[1] != current || families[current].help != "" || len(families[current].samples) > 0 {
				return nil, fmt.Errorf("%q isn't in its place", line)
			}
			families[current].help = m[2]
			continue
		}
		s, err := parseSample(line)
		if err != nil {
			return nil, err
		}
		f := families[current]
		if f == nil || !slices.ContainsFunc(endings[f.kind], func(end string) bool { return s.name == current+end }) {
			return nil, fmt.Errorf("%q isn't below its # TYPE, which is of %s", line, current)
		}
		series := s.name + fmt.Sprint(s.labels)
		if seen[series] {
			return nil, fmt.Errorf("%s comes twice", series)
		}
		seen[series] = true
		if err := f.check(current, s); err != nil {
			return nil, err
		}
		f.samples = append(f.samples, s)
	}
	return families, nil
}

// check is what a kind of metric may not have.
func (f *family) check(name string, s sample) error {
	switch {
	case f.kind == "counter" && !(s.value >= 0):
		return fmt.Errorf("counter %s is %v", s.name, s.value)
	case f.kind == "info" && s.value != 1:
		return fmt.Errorf("%s is %v", s.name, s.value)
	case f.kind == "stateset" && (s.labels[name] == "" || s.value != 0 && s.value != 1):
		return fmt.Errorf("state %v of %s is %v", s.labels, s.name, s.value)
	case f.kind == "summary" && (s.name == name) != (s.labels["quantile"] != ""):
		return fmt.Errorf("%s%v: a quantile in the wrong place", s.name, s.labels)
	case f.kind != "summary" && s.labels["quantile"] != "" || s.labels["le"] != "":
		return fmt.Errorf("%s%v: a reserved label", s.name, s.labels)
	}
	return nil
}

func parseSample(line string) (sample, error) {
	m := sampleLine.FindStringSubmatch(line)
	if m == nil {
		return sample{}, fmt.Errorf("%q is no sample", line)
	}
	s := sample{name: m[1], labels: map[string]string{}}
	for rest := m[2]; rest != ""; {
		l := labelPart.FindStringSubmatch(rest)
		if l == nil {
			return s, fmt.Errorf("%q are no labels", m[2])
		}
		if _, twice := s.labels[l[1]]; twice {
			return s, fmt.Errorf("label %s comes twice in %q", l[1], line)
		}
		s.labels[l[1]] = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n").Replace(l[2])
		rest = rest[len(l[0]):]
	}
	var err error
	s.value, err = strconv.ParseFloat(m[3], 64)
	return s, err
}

// TestParser makes sure that the parser of this test refuses what is wrong.
func TestParser(t *testing.T) {
	good := "# TYPE a counter\n# HELP a Text.\na_total{x=\"1\"} 1\na_total{x=\"2\"} 1e+06\n"
	if _, err := parseOpenMetrics(good + "# EOF\n"); err != nil {
		t.Errorf("%s: got %v", good, err)
	}
	for _, bad := range []string{
		good, good + "# EOF", good + "# EOF\n\n", good + "\n# EOF\n", good + good + "# EOF\n", good + "a_total{x=\"1\"} 2\n# EOF\n",
		good + "b 1\n# EOF\n", "# TYPE a counter\na 1\n# EOF\n", "a_total 1\n# EOF\n", "# TYPE a counter\na_total -1\n# EOF\n",
		"# TYPE a gauge\na{x=\"\"\"} 1\n# EOF\n", "# TYPE a gauge\na{x=\"\\t\"} 1\n# EOF\n", "# TYPE a gauge\na  1\n# EOF\n",
		"# TYPE a gauge\na{x=\"1\",x=\"2\"} 1\n# EOF\n", "# TYPE a gauge\na 0x1\n# EOF\n", "# TYPE a-b gauge\n# EOF\n",
		"# TYPE a summary\na 1\n# EOF\n", "# TYPE a gauge\na{quantile=\"1\"} 1\n# EOF\n", "# TYPE a gauge\na 1\n# HELP a Text.\n# EOF\n",
		"# TYPE a_total gauge\na_total 1\n# TYPE a counter\na_total 1\n# EOF\n",
	} {
		if f, err := parseOpenMetrics(bad); err == nil {
			t.Errorf("%q: got %v, want an error", bad, f)
		}
	}
}

// hostile is what somebody may bring into a label.
const hostile = "a\"b\\c\nd} 1\n# EOF\n\xff\x00é"

func fullStatus() *Status {
	at := time.Date(2026, 3, 4, 12, 0, 0, 0, cet())
	counts := Counts{
		In: 2, Ours: 1, Verdicts: map[string]int64{"reject": 1, "no action": 1 << 60, hostile: 3},
		Scan: Times{Count: 3, Median: 14, P99: 310.5}, DeadlineHits: 4, FailedChecks: 5, Panics: 6,
		Greylist: GreylistCounts{Deferred: 7, New: 8, Passed: 9, White: 10, Delay: Times{Count: 9, Median: 421_000, P99: 600_000}},
		Limited:  map[string]int64{"user": 11, "to_ip": 12}, Replies: ReplyCounts{Stored: 13, Recognised: 14}, Published: 15,
	}
	return &Status{
		Version: Version, Hostname: "mx1.example.com", State: Degraded, Time: at, Started: at.Add(-time.Hour), Uptime: 3600,
		Sessions: Sessions{Open: 16, Max: 2000, InScan: 17}, Spool: Spool{Used: 18, Limit: 256 << 20}, RSS: 61 << 20,
		Total: counts,
		Stores: []Store{
			{For: []string{"main", "ids"}, Kind: "redis", Address: "192.0.2.1:6379", State: "ok", Latency: 0.119},
			{For: []string{"grey", "white"}, Kind: "redis", Address: hostile, State: "connection refused", Since: at, LastOutage: at.Add(-time.Hour), LastLasted: 94.6, Keys: -1, Size: -1},
		},
		DNS: DNS{
			Lookups: 30, Cached: 21, Stale: 22, Failures: 23, Queries: 24, Latency: 1.25,
			Servers: []DNSServer{
				{Address: "192.0.2.53:53", Up: true, Queries: 25, Answers: 26, Failures: 27, Latency: 0.5},
				{Address: "[2001:db8::53]:530", Zones: []string{"list.example"}, Since: at},
			},
		},
		Lists: []DNSList{
			{Name: "spamhaus", Section: "rbl", Zone: "zen.spamhaus.org", State: "ok", Tested: at, Queries: 31, Limit: 300_000, Listed: 32, Latency: 8.5},
			{Name: hostile, Section: "surbl", Zone: "list.example", State: "out", Reason: "blocked", Since: at, Blocked: 33, Undocumented: 34, Timeouts: 35},
		},
		Waiting:   19,
		OverLimit: []OverLimit{{User: "joe@example.com", Since: at, Last: at, Refused: 4}},
		Problems: []Problem{
			{ID: "store 192.0.2.1:6379", Severity: Degraded, Text: "store refused", Since: at},
			{ID: hostile, Severity: NotFiltering, Text: "x", Since: at},
		},
		WrongPasswords: 20,
	}
}

func TestOpenMetrics(t *testing.T) {
	text := string(OpenMetrics(fullStatus()))
	families, err := parseOpenMetrics(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	for name, f := range families {
		if f.help == "" || !strings.HasSuffix(f.help, ".") || !strings.HasPrefix(name, "rmilter_") {
			t.Errorf("%s: help %q, want a sentence", name, f.help)
		}
		if f.kind != "counter" && strings.HasSuffix(name, "_total") || strings.HasSuffix(name, "_count") {
			t.Errorf("%s is a %s: its name says something else", name, f.kind)
		}
	}
	value := func(metric string, labels ...string) float64 {
		t.Helper()
		for _, f := range families {
			for _, s := range f.samples {
				all := s.name == metric && len(s.labels) >= len(labels)/2
				for i := 0; i < len(labels); i += 2 {
					all = all && s.labels[labels[i]] == labels[i+1]
				}
				if all {
					return s.value
				}
			}
		}
		t.Errorf("%s %q isn't there", metric, labels)
		return math.NaN()
	}
	clean := strings.ToValidUTF8(hostile, "?")
	for _, tt := range []struct {
		metric string
		labels []string
		want   float64
	}{
		{"rmilter_build_info", []string{"version", Version}, 1},
		{"rmilter_start_time_seconds", nil, float64(fullStatus().Started.Unix())},
		{"rmilter_state", []string{"rmilter_state", "degraded"}, 1},
		{"rmilter_state", []string{"rmilter_state", "ok"}, 0},
		{"rmilter_messages_total", []string{"from", "strangers"}, 2},
		{"rmilter_verdicts_total", []string{"action", "no action"}, 1 << 60},
		{"rmilter_verdicts_total", []string{"action", clean}, 3},
		{"rmilter_scan_seconds", []string{"quantile", "0.99"}, 0.3105},
		{"rmilter_scan_seconds_count", nil, 3},
		{"rmilter_greylist_deferred_total", nil, 7},
		{"rmilter_greylist_new_total", nil, 8},
		{"rmilter_greylist_passed_total", nil, 9},
		{"rmilter_greylist_white_total", nil, 10},
		{"rmilter_greylist_delay_seconds", []string{"quantile", "0.5"}, 421},
		{"rmilter_greylist_waiting", nil, 19},
		{"rmilter_limited_total", []string{"limit", "user"}, 11},
		{"rmilter_users_over_limit", nil, 1},
		{"rmilter_replies_stored_total", nil, 13},
		{"rmilter_replies_recognised_total", nil, 14},
		{"rmilter_published_total", nil, 15},
		{"rmilter_wrong_passwords_total", nil, 20},
		{"rmilter_store_up", []string{"store", "main,ids", "kind", "redis", "address", "192.0.2.1:6379"}, 1},
		{"rmilter_store_up", []string{"address", clean}, 0},
		{"rmilter_store_latency_seconds", []string{"store", "main,ids"}, 0.000119},
		{"rmilter_store_last_outage_seconds", []string{"store", "grey,white"}, 94.6},
		{"rmilter_store_last_outage_time_seconds", []string{"store", "main,ids"}, 0},
		{"rmilter_store_keys", []string{"store", "grey,white"}, 0},
		{"rmilter_dns_lookups_total", nil, 30},
		{"rmilter_dns_cached_total", nil, 21},
		{"rmilter_dns_stale_total", nil, 22},
		{"rmilter_dns_failures_total", nil, 23},
		{"rmilter_dns_queries_total", nil, 24},
		{"rmilter_dns_latency_seconds", nil, 0.00125},
		{"rmilter_dns_server_up", []string{"server", "192.0.2.53:53"}, 1},
		{"rmilter_dns_server_up", []string{"server", "[2001:db8::53]:530"}, 0},
		{"rmilter_dns_server_queries_total", []string{"server", "192.0.2.53:53"}, 25},
		{"rmilter_dns_server_answers_total", []string{"server", "192.0.2.53:53"}, 26},
		{"rmilter_dns_server_failures_total", []string{"server", "192.0.2.53:53"}, 27},
		{"rmilter_dns_server_latency_seconds", []string{"server", "192.0.2.53:53"}, 0.0005},
		{"rmilter_dnslist_up", []string{"list", "spamhaus", "section", "rbl", "zone", "zen.spamhaus.org"}, 1},
		{"rmilter_dnslist_up", []string{"list", clean}, 0},
		{"rmilter_dnslist_queries_today", []string{"list", "spamhaus"}, 31},
		{"rmilter_dnslist_queries_limit", []string{"list", "spamhaus"}, 300_000},
		{"rmilter_dnslist_listed_today", []string{"list", "spamhaus"}, 32},
		{"rmilter_dnslist_blocked_today", []string{"list", clean}, 33},
		{"rmilter_dnslist_undocumented_today", []string{"list", clean}, 34},
		{"rmilter_dnslist_timeouts_today", []string{"list", clean}, 35},
		{"rmilter_dnslist_latency_seconds", []string{"list", "spamhaus"}, 0.0085},
		{"rmilter_problem", []string{"id", clean, "severity", "not filtering"}, 1},
	} {
		if got := value(tt.metric, tt.labels...); got != tt.want {
			t.Errorf("%s %q: got %v, want %v", tt.metric, tt.labels, got, tt.want)
		}
	}
	// Who sends too much is nobody's business but the administrator's.
	if strings.Contains(text, "joe@example.com") {
		t.Error("it names a user")
	}
}

// TestOpenMetricsEmpty is a daemon that has just begun.
func TestOpenMetricsEmpty(t *testing.T) {
	s := New(func() time.Time { return time.Date(2026, 3, 4, 12, 0, 0, 0, cet()) }).Snapshot()
	families, err := parseOpenMetrics(string(OpenMetrics(&s)))
	if err != nil {
		t.Fatal(err)
	}
	full, err := parseOpenMetrics(string(OpenMetrics(fullStatus())))
	if err != nil {
		t.Fatal(err)
	}
	if len(families) != len(full) {
		t.Errorf("got %d metrics, want all %d from the start", len(families), len(full))
	}
}

// FuzzOpenMetrics brings any text into labels: what comes out can be parsed, and has the
// text in it.
func FuzzOpenMetrics(f *testing.F) {
	f.Add(hostile, int64(1))
	f.Add("", int64(-1))
	f.Add(`\n`, int64(1<<62))
	f.Fuzz(func(t *testing.T, label string, n int64) {
		s := &Status{State: OK, Total: Counts{Verdicts: map[string]int64{label: max(n, 0)}, Limited: map[string]int64{label: max(n, 0)}},
			Stores: []Store{{Kind: label, Address: label, State: label, Size: n}}, DNS: DNS{Lookups: max(n, 0), Servers: []DNSServer{{Address: label}}}, Problems: []Problem{{ID: label}}, Waiting: n}
		families, err := parseOpenMetrics(string(OpenMetrics(s)))
		if err != nil {
			t.Fatal(err)
		}
		if got := families["rmilter_problem"].samples[0].labels["id"]; got != strings.ToValidUTF8(label, "?") {
			t.Errorf("got %q, want %q", got, label)
		}
	})
}
