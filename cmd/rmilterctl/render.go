package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"rmilter/internal/metrics"
)

// renderStatus writes a status for people. It depends on nothing but s; times are
// shown in the daemon's zone. Lines and parts of which s knows nothing are left out.
func renderStatus(s metrics.Status) string {
	var b strings.Builder
	b.WriteString(statusHead(s) + "\n")
	line := func(label string, parts ...string) {
		if text := joinParts("   ", parts...); text != "" {
			fmt.Fprintf(&b, "%-12s%s\n", label, text)
		}
	}
	if names := s.Config.Restart; len(names) > 0 {
		line("restart", printable(strings.Join(names, ", "), 500)+": changed, as before until a restart")
	}
	line("listeners", listenerParts(s.Listeners)...)
	line("sessions", sessionText(s.Sessions), spoolText(s.Spool), sizeText("RSS ", s.RSS))
	line("today", thousands(s.Today.Messages)+" messages", "in "+thousands(s.Today.In), "ours "+thousands(s.Today.Ours))
	line("verdicts", joinParts("  ", verdictParts(s.Today.Verdicts)...))
	line("scan", timesText(s.Today.Scan), "deadline hit "+thousands(s.Today.DeadlineHits),
		"failed checks "+thousands(s.Today.FailedChecks), "panics "+thousands(s.Today.Panics))
	label := "state"
	for i := range s.Stores {
		line(label, storeParts(&s.Stores[i], len(s.Stores) > 1, s.Time)...)
		label = ""
	}
	line("dns", dnsParts(&s.DNS, s.Time)...)
	label = "lists"
	for i := range s.Lists {
		line(label, dnsListParts(&s.Lists[i], s.Time)...)
		label = ""
	}
	line("greylist", greylistParts(s)...)
	line("limits", limitParts(s.Today.Limited)...)
	line("replies", countText(s.Today.Replies.Recognised, "recognised"), countText(s.Today.Replies.Stored, "of ours stored"))
	line("published", countText(s.Today.Published, "messages"))
	label = "over limit"
	for _, text := range overLimitTexts(s.OverLimit, s.Time) {
		line(label, text)
		label = ""
	}
	label = "problems"
	for i, p := range s.Problems {
		line(label, fmt.Sprintf("%*d  %s", len(strconv.Itoa(len(s.Problems))), i+1, problemText(p, s.Time)))
		label = ""
	}
	if len(s.Problems) == 0 {
		line(label, "none")
	}
	return b.String()
}

// joinParts joins what is not empty.
func joinParts(between string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(parts), func(p string) bool { return p == "" }), between)
}

func statusHead(s metrics.Status) string {
	config := ""
	if s.Config.Path != "" {
		reload := "(never reloaded)"
		if !s.Config.ReloadTime.IsZero() {
			reload = "(" + joinParts(", ", "reloaded "+clock(s.Config.ReloadTime, s.Time), printable(s.Config.ReloadResult, 200)) + ")"
		}
		config = joinParts(" ", "config", printable(s.Config.Path, 200), printable(s.Config.Hash, 64), reload)
	}
	head := joinParts("  ", "rmilter "+printable(s.Version, 64), printable(s.Hostname, 255), "up "+uptime(s.Uptime), config)
	if s.State != metrics.OK {
		head += "    " + strings.ToUpper(printable(string(s.State), 64))
	}
	return head
}

// listenerParts leaves "ok" out but for the milter, without which no mail is judged.
func listenerParts(list []metrics.Listener) []string {
	var parts []string
	for _, l := range list {
		state := printable(l.State, 200)
		if state == "ok" && l.Name != "milter" {
			state = ""
		}
		parts = append(parts, joinParts(" ", printable(l.Name, 64), printable(l.Address, 200), state))
	}
	return parts
}

func sessionText(s metrics.Sessions) string {
	text := fmt.Sprintf("%d open", s.Open)
	if s.Max > 0 {
		text += fmt.Sprintf(" (max %d)", s.Max)
	}
	return fmt.Sprintf("%s  %d in scan", text, s.InScan)
}

func spoolText(s metrics.Spool) string {
	if s.Limit <= 0 {
		return ""
	}
	// A spool in use never shows as 0.
	return fmt.Sprintf("spool %s of %s MB", thousands((s.Used+mega-1)/mega), thousands((s.Limit+mega/2)/mega))
}

const mega = 1 << 20

func sizeText(label string, bytes int64) string {
	if bytes <= 0 {
		return ""
	}
	return label + thousands((bytes+mega/2)/mega) + " MB"
}

// verdictParts lists the actions that were taken, the usual ones in a fixed order
// and others, which a newer daemon may know, after them.
func verdictParts(verdicts map[string]int64) []string {
	order := []string{"no action", "greylist", "add header", "rewrite subject", "reject", "soft reject", "quarantine", "discard"}
	for _, name := range slices.Sorted(maps.Keys(verdicts)) {
		if !slices.Contains(order, name) {
			order = append(order, name)
		}
	}
	var parts []string
	for _, name := range order {
		if n := verdicts[name]; n != 0 {
			parts = append(parts, printable(name, 64)+" "+thousands(n))
		}
	}
	return parts
}

func timesText(t metrics.Times) string {
	if t.Count == 0 {
		return ""
	}
	return "median " + milliseconds(t.Median) + "  p99 " + milliseconds(t.P99)
}

// milliseconds shows two digits below ten and whole numbers above.
func milliseconds(v float64) string {
	if v < 10 {
		return strconv.FormatFloat(v, 'g', 2, 64) + " ms"
	}
	return thousands(int64(math.Round(v))) + " ms"
}

func problemText(p metrics.Problem, now time.Time) string {
	text := printable(p.Text, 500)
	if !p.Since.IsZero() {
		text += " since " + clock(p.Since, now)
	}
	if p.Effect != "" {
		text += ": " + printable(p.Effect, 500)
	}
	return text
}

// maxDown bounds the servers of the DNS that are listed as being down.
const maxDown = 4

// maxOverLimit bounds the users that are listed.
const maxOverLimit = 20

// countText is empty for nothing.
func countText(n int64, what string) string {
	if n == 0 {
		return ""
	}
	return thousands(n) + " " + what
}

// storeParts tells where state is kept, with what it is for if there are several, and
// how it does.
func storeParts(s *metrics.Store, several bool, now time.Time) []string {
	use, state, latency, outage := "", "ok", "", ""
	if several {
		use = "(" + printable(strings.Join(s.For, ", "), 100) + ")"
	}
	if s.State != "ok" {
		state = "DOWN " + printable(s.State, 200)
		if !s.Since.IsZero() {
			state += " since " + clock(s.Since, now)
		}
	} else if s.Latency > 0 {
		latency = "median " + milliseconds(s.Latency)
	}
	if !s.LastOutage.IsZero() {
		outage = fmt.Sprintf("last outage %s for %s", clock(s.LastOutage, now), seconds(s.LastLasted))
	}
	return []string{joinParts(" ", printable(s.Kind, 20), printable(s.Address, 200), use, state), latency, countText(s.Keys, "records"), countText((s.Size+mega-1)/mega, "MB on disk"), outage}
}

// dnsParts tells how the resolver does, and names the servers that don't answer.
func dnsParts(d *metrics.DNS, now time.Time) []string {
	latency, servers := "", ""
	if d.Latency > 0 {
		latency = "median " + milliseconds(d.Latency)
	}
	var down []string
	for _, s := range d.Servers {
		if s.Up {
			continue
		}
		text := printable(s.Address, 100) + " DOWN"
		if !s.Since.IsZero() {
			text += " since " + clock(s.Since, now)
		}
		down = append(down, text)
	}
	if n := len(d.Servers); n > 0 {
		servers = fmt.Sprintf("%d of %d servers up", n-len(down), n)
	}
	if n := len(down); n > maxDown {
		down = append(down[:maxDown], fmt.Sprintf("and %d more", n-maxDown))
	}
	return []string{countText(d.Lookups, "lookups"), countText(d.Cached, "from cache"), countText(d.Stale, "stale"), countText(d.Failures, "failed"),
		countText(d.Queries, "queries"), latency, joinParts("  ", append([]string{servers}, down...)...)}
}

// dnsListParts tells how a DNS list does, and how much of what it allows was asked today.
func dnsListParts(l *metrics.DNSList, now time.Time) []string {
	state := printable(l.State, 20)
	if l.State == "out" || l.State == "off" {
		state = strings.ToUpper(state)
		if !l.Since.IsZero() {
			state += " since " + clock(l.Since, now)
		}
		state = joinParts(": ", state, printable(l.Reason, 200))
	}
	queries, latency := thousands(l.Queries), ""
	if l.Limit > 0 {
		queries += " of " + thousands(l.Limit)
	}
	if l.Latency > 0 {
		latency = "median " + milliseconds(l.Latency)
	}
	return []string{printable(l.Name, 40) + " " + printable(l.Zone, 100) + " " + state, queries + " queries today", countText(l.Listed, "listed"),
		countText(l.Blocked, "blocked"), countText(l.Undocumented, "undocumented"), countText(l.Timeouts, "without answer"), latency}
}

// seconds shows a time in whole seconds.
func seconds(n float64) string {
	const most = float64(math.MaxInt64 / int64(time.Second))
	return (time.Duration(min(max(math.Round(n), 0), most-1)) * time.Second).String()
}

// overLimitTexts tells of each user of ours who is over his limit.
func overLimitTexts(list []metrics.OverLimit, now time.Time) []string {
	var texts []string
	for _, u := range list[:min(len(list), maxOverLimit)] {
		texts = append(texts, fmt.Sprintf("%s since %s, last %s, %s recipients refused", printable(u.User, 100), clock(u.Since, now), clock(u.Last, now), thousands(u.Refused)))
	}
	if n := len(list) - len(texts); n > 0 {
		texts = append(texts, fmt.Sprintf("and %s more, see --json", thousands(int64(n))))
	}
	return texts
}

// greylistParts tells what greylisting did today.
func greylistParts(s metrics.Status) []string {
	g := s.Today.Greylist
	delay := ""
	if g.Delay.Count > 0 {
		delay = "median delay " + seconds(g.Delay.Median/1000)
	}
	return []string{countText(g.Deferred, "deferred"), countText(g.Passed, "passed after"), countText(g.White, "known"), countText(s.Waiting, "waiting"), delay}
}

// limitParts tells how many recipients the limits refused today.
func limitParts(refused map[string]int64) []string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(refused)) {
		parts = append(parts, countText(refused[name], "refused by "+printable(name, 64)))
	}
	return parts
}

// clock shows the time of day, with the date if that is not today's.
func clock(t, now time.Time) string {
	y, m, d := t.Date()
	ny, nm, nd := now.Date()
	if y == ny && m == nm && d == nd {
		return t.Format("15:04")
	}
	return t.Format("2006-01-02 15:04")
}

// uptime shows the two largest units.
func uptime(seconds int64) string {
	switch {
	case seconds < 60:
		return fmt.Sprintf("%ds", max(0, seconds))
	case seconds < 60*60:
		return fmt.Sprintf("%dm", seconds/60)
	case seconds < 24*60*60:
		return fmt.Sprintf("%dh %dm", seconds/3600, seconds/60%60)
	}
	return fmt.Sprintf("%dd %dh", seconds/86400, seconds/3600%24)
}

// thousands writes 18412 as 18,412.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	first := 1
	if n < 0 {
		first = 2
	}
	for i := len(s) - 3; i >= first; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// printable keeps what a terminal can show of a text from outside, at most max
// characters of it.
func printable(s string, max int) string {
	var b strings.Builder
	n := 0
	for _, c := range s {
		if n++; n > max {
			b.WriteString("…")
			break
		}
		if !strconv.IsPrint(c) {
			c = '?'
		}
		b.WriteRune(c)
	}
	return b.String()
}
