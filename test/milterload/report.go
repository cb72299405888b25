package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// tally counts what one sender saw.
type tally struct {
	latency, eom   []float64 // ms
	bytes, refused int
	finals         map[string]int
	stages         map[string]int
	edits          map[string]int
	errors         map[string]int
}

func newTally() *tally {
	return &tally{finals: map[string]int{}, stages: map[string]int{}, edits: map[string]int{}, errors: map[string]int{}}
}

func (t *tally) add(r result) {
	t.finals[r.Final]++
	t.stages[r.Stage]++
	t.refused += r.Refused
	if r.Error != "" {
		t.errors[r.Error]++
		return
	}
	t.bytes += r.Bytes
	t.latency = append(t.latency, r.Latency)
	if r.EOM > 0 {
		t.eom = append(t.eom, r.EOM)
	}
	for _, e := range r.Edits {
		t.edits[e]++
	}
}

// percentiles of a latency, in milliseconds.
type percentiles struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// newPercentiles sorts v.
func newPercentiles(v []float64) percentiles {
	if len(v) == 0 {
		return percentiles{}
	}
	slices.Sort(v)
	at := func(p float64) float64 { return v[max(0, int(math.Ceil(p*float64(len(v))))-1)] }
	return percentiles{at(.5), at(.9), at(.99), at(1)}
}

// report is what is printed.
type report struct {
	Addr       string         `json:"addr"`
	Negotiated string         `json:"negotiated"`
	Conns      int            `json:"connections"`
	PerConn    int            `json:"per_connection"`
	Corpus     int            `json:"corpus"`
	Messages   int            `json:"messages"` // answered, without errors
	Errors     int            `json:"errors"`
	Seconds    float64        `json:"seconds"`
	Rate       float64        `json:"messages_per_second"`
	MBRate     float64        `json:"mb_per_second"`
	Latency    percentiles    `json:"latency_ms"`
	EOM        percentiles    `json:"eom_ms"`
	Finals     map[string]int `json:"finals"`
	Stages     map[string]int `json:"stages"`
	Refused    int            `json:"refused_rcpts"`
	Edits      map[string]int `json:"edits"`
	ErrorKinds map[string]int `json:"error_kinds"`
	Process    *processReport `json:"process,omitempty"`
	Idle       *idleReport    `json:"idle,omitempty"`
}

type processReport struct {
	Processes    int     `json:"processes"`
	CPUSeconds   float64 `json:"cpu_seconds"`
	CPUMsMessage float64 `json:"cpu_ms_per_message"`
	RSSMB        float64 `json:"rss_mb"`
	PeakRSSMB    float64 `json:"peak_rss_mb"`
}

type idleReport struct {
	Connections int     `json:"connections"`
	After       string  `json:"after"`
	BeforeMB    float64 `json:"rss_mb_before"`
	OpenMB      float64 `json:"rss_mb_open"`
	KBEach      float64 `json:"kb_per_connection"`
}

func newReport(l *load, tallies []*tally, took time.Duration) report {
	sum := newTally()
	for _, t := range tallies {
		sum.latency = append(sum.latency, t.latency...)
		sum.eom = append(sum.eom, t.eom...)
		sum.bytes += t.bytes
		sum.refused += t.refused
		for _, m := range []struct{ to, from map[string]int }{{sum.finals, t.finals}, {sum.stages, t.stages}, {sum.edits, t.edits}, {sum.errors, t.errors}} {
			for k, n := range m.from {
				m.to[k] += n
			}
		}
	}
	r := report{
		Addr: l.addr, Conns: l.conns, PerConn: l.perConn, Corpus: len(l.corpus),
		Messages: len(sum.latency), Seconds: took.Seconds(),
		Latency: newPercentiles(sum.latency), EOM: newPercentiles(sum.eom),
		Finals: sum.finals, Stages: sum.stages, Refused: sum.refused, Edits: sum.edits, ErrorKinds: sum.errors,
	}
	if s := l.negotiated.Load(); s != nil {
		r.Negotiated = *s
	}
	for _, n := range sum.errors {
		r.Errors += n
	}
	if s := took.Seconds(); s > 0 {
		r.Rate, r.MBRate = float64(r.Messages)/s, float64(sum.bytes)/1e6/s
	}
	return r
}

// process adds what the milter's process has used.
func (r *report) process(before, after usage) {
	cpu := (after.cpu - before.cpu).Seconds()
	r.Process = &processReport{
		Processes:    after.processes,
		CPUSeconds:   cpu,
		CPUMsMessage: cpu * 1000 / float64(max(r.Messages, 1)),
		RSSMB:        mb(after.rss),
		PeakRSSMB:    mb(after.peak),
	}
}

func mb(n int64) float64 { return float64(n) / (1 << 20) }

func (r report) write(w io.Writer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s\n", r.Addr, r.Negotiated)
	if i := r.Idle; i != nil {
		fmt.Fprintf(&b, "idle      %d connections after %s, RSS %.1f MB before, %.1f MB open: %.1f KB each\n", i.Connections, i.After, i.BeforeMB, i.OpenMB, i.KBEach)
	} else {
		fmt.Fprintf(&b, "messages  %d in %.2f s over %d connections, %d on each, %d different ones\n", r.Messages, r.Seconds, r.Conns, r.PerConn, r.Corpus)
		fmt.Fprintf(&b, "rate      %.1f messages/s, %.2f MB/s\n", r.Rate, r.MBRate)
		fmt.Fprintf(&b, "latency   session..final  p50 %.2f  p90 %.2f  p99 %.2f  max %.2f ms\n", r.Latency.P50, r.Latency.P90, r.Latency.P99, r.Latency.Max)
		fmt.Fprintf(&b, "latency   EOM..final      p50 %.2f  p90 %.2f  p99 %.2f  max %.2f ms\n", r.EOM.P50, r.EOM.P90, r.EOM.P99, r.EOM.Max)
		counts(&b, "finals", r.Finals)
		counts(&b, "stages", r.Stages)
		counts(&b, "edits", r.Edits)
		if r.Refused > 0 {
			fmt.Fprintf(&b, "refused   %d recipients\n", r.Refused)
		}
	}
	counts(&b, "errors", r.ErrorKinds)
	if p := r.Process; p != nil {
		fmt.Fprintf(&b, "process   %.2f s CPU, %.3f ms a message, RSS %.1f MB, peak %.1f MB, %d processes\n", p.CPUSeconds, p.CPUMsMessage, p.RSSMB, p.PeakRSSMB, p.Processes)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func counts(b *strings.Builder, title string, m map[string]int) {
	if len(m) == 0 {
		return
	}
	keys := slices.SortedFunc(maps.Keys(m), func(x, y string) int {
		return cmp.Or(cmp.Compare(m[y], m[x]), cmp.Compare(x, y))
	})
	fmt.Fprintf(b, "%-9s", title)
	for i, k := range keys {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(b, " %s: %d", k, m[k])
	}
	b.WriteByte('\n')
}
