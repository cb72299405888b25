package metrics

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// OpenMetricsType is the Content-Type of what OpenMetrics returns.
const OpenMetricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8"

// OpenMetrics returns a status in the text format of OpenMetrics 1.0, as Prometheus and
// others read it. The names are a contract, as those of the status. Counters are those
// since the start.
func OpenMetrics(s *Status) []byte {
	e := exposition{}
	e.info(s)
	e.traffic(s)
	e.state(s)
	e.stores(s.Stores)
	e.dns(&s.DNS)
	e.lists(s.Lists)
	e.family("rmilter_problem", "gauge", "Something that keeps the daemon from doing all of its work.")
	for _, p := range s.Problems {
		e.sample("rmilter_problem", 1, "id", p.ID, "severity", string(p.Severity))
	}
	e.b.WriteString("# EOF\n")
	return e.b.Bytes()
}

// An exposition is the text in the making.
type exposition struct{ b bytes.Buffer }

// family begins the samples of one name.
func (e *exposition) family(name, kind, help string) {
	fmt.Fprintf(&e.b, "# TYPE %s %s\n# HELP %s %s\n", name, kind, name, help)
}

// sample writes one value; labels are names and values in turn.
func (e *exposition) sample(name string, v float64, labels ...string) {
	e.b.WriteString(name)
	for i := 0; i+1 < len(labels); i += 2 {
		e.b.WriteByte(",{"[b2i(i == 0)])
		fmt.Fprintf(&e.b, `%s="%s"`, labels[i], escapeLabel(labels[i+1]))
	}
	if len(labels) > 0 {
		e.b.WriteByte('}')
	}
	e.b.WriteByte(' ')
	e.b.WriteString(strconv.FormatFloat(v, 'g', -1, 64))
	e.b.WriteByte('\n')
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// escapeLabel writes a label's value as the format wants it.
func escapeLabel(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(strings.ToValidUTF8(s, "?"))
}

// gauge and counter are families with one sample.
func (e *exposition) gauge(name, help string, v float64) {
	e.family(name, "gauge", help)
	e.sample(name, v)
}

func (e *exposition) counter(name, help string, v int64) {
	e.family(name, "counter", help)
	e.sample(name+"_total", float64(v))
}

// tally is a counter by the values of one label.
func (e *exposition) tally(name, help, label string, counts map[string]int64) {
	e.family(name, "counter", help)
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		e.sample(name+"_total", float64(counts[k]), label, k)
	}
}

// times is a summary in seconds.
func (e *exposition) times(name, help string, t Times) {
	e.family(name, "summary", help)
	if t.Count > 0 {
		e.sample(name, seconds(t.Median), "quantile", "0.5")
		e.sample(name, seconds(t.P99), "quantile", "0.99")
	}
	e.sample(name+"_count", float64(t.Count))
}

// seconds turns milliseconds, which are whole microseconds, into seconds.
func seconds(ms float64) float64 { return math.Round(ms*1000) / 1e6 }

func (e *exposition) info(s *Status) {
	e.family("rmilter_build", "info", "The program.")
	e.sample("rmilter_build_info", 1, "version", s.Version)
	e.gauge("rmilter_start_time_seconds", "When the daemon began, since 1970.", float64(s.Started.UnixMilli())/1000)
	e.gauge("rmilter_resident_memory_bytes", "Resident memory.", float64(s.RSS))
	e.family("rmilter_state", "stateset", "How well the daemon does its work.")
	for _, st := range []State{OK, Degraded, NotFiltering} {
		e.sample("rmilter_state", float64(b2i(s.State == st)), "rmilter_state", string(st))
	}
}

func (e *exposition) traffic(s *Status) {
	t := &s.Total
	e.gauge("rmilter_sessions", "Milter connections that are open.", float64(s.Sessions.Open))
	e.gauge("rmilter_sessions_max", "The most that may be open.", float64(s.Sessions.Max))
	e.gauge("rmilter_scans", "Messages being scanned.", float64(s.Sessions.InScan))
	e.gauge("rmilter_spool_bytes", "Messages in flight.", float64(s.Spool.Used))
	e.tally("rmilter_messages", "Messages that were answered, by who sent them.", "from", map[string]int64{"strangers": t.In, "ours": t.Ours})
	e.tally("rmilter_verdicts", "Messages by action.", "action", t.Verdicts)
	e.times("rmilter_scan_seconds", "How long scans took.", t.Scan)
	e.counter("rmilter_deadline_hits", "Scans that ran out of time.", t.DeadlineHits)
	e.counter("rmilter_failed_checks", "Checks that gave no answer.", t.FailedChecks)
	e.counter("rmilter_panics", "Programming errors that were caught.", t.Panics)
	e.counter("rmilter_wrong_passwords", "Wrong passwords given to the controller.", s.WrongPasswords)
}

func (e *exposition) state(s *Status) {
	t := &s.Total
	e.counter("rmilter_greylist_deferred", "Messages that were told to come again, each time.", t.Greylist.Deferred)
	e.counter("rmilter_greylist_new", "Those of them that were not known before.", t.Greylist.New)
	e.counter("rmilter_greylist_passed", "Messages that came again and passed for the first time.", t.Greylist.Passed)
	e.counter("rmilter_greylist_white", "Messages that passed as those like them had passed before.", t.Greylist.White)
	e.times("rmilter_greylist_delay_seconds", "From the first attempt to the one that passed.", t.Greylist.Delay)
	e.gauge("rmilter_greylist_waiting", "Deferred within a day and not come again.", float64(s.Waiting))
	e.tally("rmilter_limited", "Recipients refused, by the limit.", "limit", t.Limited)
	e.gauge("rmilter_users_over_limit", "Our users who are over their limit.", float64(len(s.OverLimit)))
	e.counter("rmilter_replies_stored", "Message-IDs of our mail that were remembered.", t.Replies.Stored)
	e.counter("rmilter_replies_recognised", "Messages that answer our mail.", t.Replies.Recognised)
	e.counter("rmilter_published", "Messages that were published on a channel.", t.Published)
}

func (e *exposition) stores(list []Store) {
	each := func(name, help string, value func(*Store) float64) {
		e.family(name, "gauge", help)
		for i := range list {
			e.sample(name, value(&list[i]), "store", strings.Join(list[i].For, ","), "kind", list[i].Kind, "address", list[i].Address)
		}
	}
	each("rmilter_store_up", "Whether a store can be used: 0 while its breaker is open.", func(s *Store) float64 { return float64(b2i(s.State == "ok")) })
	each("rmilter_store_latency_seconds", "Median of what operations took lately.", func(s *Store) float64 { return seconds(s.Latency) })
	each("rmilter_store_last_outage_time_seconds", "When the last outage that has ended began, since 1970; 0 for none.", func(s *Store) float64 {
		if s.LastOutage.IsZero() {
			return 0
		}
		return float64(s.LastOutage.UnixMilli()) / 1000
	})
	each("rmilter_store_last_outage_seconds", "How long it lasted.", func(s *Store) float64 { return s.LastLasted })
	each("rmilter_store_keys", "About how many records there are.", func(s *Store) float64 { return float64(max(s.Keys, 0)) })
	each("rmilter_store_bytes", "Size on disk.", func(s *Store) float64 { return float64(max(s.Size, 0)) })
}

func (e *exposition) dns(d *DNS) {
	e.counter("rmilter_dns_lookups", "Names that checks asked for.", d.Lookups)
	e.counter("rmilter_dns_cached", "Lookups that were answered from memory.", d.Cached)
	e.counter("rmilter_dns_stale", "Lookups that were answered by what had expired.", d.Stale)
	e.counter("rmilter_dns_failures", "Lookups without an answer: temperror.", d.Failures)
	e.counter("rmilter_dns_queries", "Packets to DNS servers.", d.Queries)
	e.gauge("rmilter_dns_latency_seconds", "Median of what servers took for their last answers.", seconds(d.Latency))
	each := func(name, suffix, kind, help string, value func(*DNSServer) float64) {
		e.family(name, kind, help)
		for i := range d.Servers {
			e.sample(name+suffix, value(&d.Servers[i]), "server", d.Servers[i].Address)
		}
	}
	each("rmilter_dns_server_up", "", "gauge", "Whether a server answers: 0 while it is asked last.", func(s *DNSServer) float64 { return float64(b2i(s.Up)) })
	each("rmilter_dns_server_latency_seconds", "", "gauge", "Median of its last answers.", func(s *DNSServer) float64 { return seconds(s.Latency) })
	each("rmilter_dns_server_queries", "_total", "counter", "Packets to it.", func(s *DNSServer) float64 { return float64(s.Queries) })
	each("rmilter_dns_server_answers", "_total", "counter", "Its answers.", func(s *DNSServer) float64 { return float64(s.Answers) })
	each("rmilter_dns_server_failures", "_total", "counter", "Times that it was too slow, couldn't be reached, or gave no answer that can be read.", func(s *DNSServer) float64 { return float64(s.Failures) })
}

func (e *exposition) lists(list []DNSList) {
	each := func(name, help string, value func(*DNSList) float64) {
		e.family(name, "gauge", help)
		for i := range list {
			e.sample(name, value(&list[i]), "list", list[i].Name, "section", list[i].Section, "zone", list[i].Zone)
		}
	}
	each("rmilter_dnslist_up", "Whether a DNS list is asked: 0 while it can't be trusted.", func(l *DNSList) float64 { return float64(b2i(l.State == "ok" || l.State == "untested")) })
	each("rmilter_dnslist_queries_today", "Questions to it since midnight (UTC) that the cache had no answer for.", func(l *DNSList) float64 { return float64(l.Queries) })
	each("rmilter_dnslist_queries_limit", "Questions that its terms allow a day; 0 when nothing is published.", func(l *DNSList) float64 { return float64(l.Limit) })
	each("rmilter_dnslist_listed_today", "Answers since midnight (UTC) that have a symbol.", func(l *DNSList) float64 { return float64(l.Listed) })
	each("rmilter_dnslist_blocked_today", "Answers since midnight (UTC) that it doesn't answer us.", func(l *DNSList) float64 { return float64(l.Blocked) })
	each("rmilter_dnslist_undocumented_today", "Answers since midnight (UTC) that mean nothing known.", func(l *DNSList) float64 { return float64(l.Undocumented) })
	each("rmilter_dnslist_timeouts_today", "Questions since midnight (UTC) without an answer.", func(l *DNSList) float64 { return float64(l.Timeouts) })
	each("rmilter_dnslist_latency_seconds", "Median of its last answers.", func(l *DNSList) float64 { return seconds(l.Latency) })
}
