package checks

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rmilter/internal/mail"
	"rmilter/scan"
)

// corpus returns the files of a corpus of mail: ham/*.eml and spam/*.eml in the folder
// that RMILTER_CORPUS names.
func corpus(t testing.TB) []string {
	t.Helper()
	dir := os.Getenv("RMILTER_CORPUS")
	var files []string
	for _, class := range [...]string{"ham", "spam"} {
		found, _ := filepath.Glob(filepath.Join(dir, class, "*.eml"))
		files = append(files, found...)
	}
	if dir == "" || len(files) == 0 {
		t.Skip("RMILTER_CORPUS doesn't name a folder with ham/*.eml and spam/*.eml")
	}
	return files
}

// TestCorpus runs all checks over much real mail. With -v it tells how often each
// symbol was found.
func TestCorpus(t *testing.T) {
	engine := newEngine(t, "", All()...)
	hits := map[string]*[2]int{}
	var total, marked [2]int
	for _, file := range corpus(t) {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		class := 0
		if filepath.Base(filepath.Dir(file)) == "spam" {
			class = 1
		}
		m := mail.Parse(raw, mail.DefaultLimits)
		env := &mail.Envelope{Inspect: true, From: path(m.Header().Get("Return-Path"))}
		r := engine.Scan(context.Background(), env, m, scan.Aids{})
		checkReport(t, r)
		score := engine.Weights().Score(r.Findings)
		total[class]++
		if score.Total >= 6 {
			marked[class]++
		}
		for _, row := range score.Rows {
			if hits[row.Symbol.Name] == nil {
				hits[row.Symbol.Name] = new([2]int)
			}
			hits[row.Symbol.Name][class]++
		}
	}
	var lines []string
	for _, l := range engine.Symbols() {
		if n := hits[l.Symbol.Name]; n != nil {
			lines = append(lines, fmt.Sprintf("%-28s %6.2f %5d ham %5d spam", l.Symbol.Name, l.Weight, n[0], n[1]))
		}
	}
	slices.Sort(lines)
	t.Logf("%d ham, %d of them with a score of 6; %d spam, %d of them with a score of 6\n%s", total[0], marked[0], total[1], marked[1], strings.Join(lines, "\n"))
}

// BenchmarkChecks measures the checks: alone, over messages whose views are there
// already, and with all that has to be parsed for them.
func BenchmarkChecks(b *testing.B) {
	engine := newEngine(b, "", All()...)
	run := func(b *testing.B, messages [][]byte) {
		parsed := make([]*mail.Message, len(messages))
		for i, raw := range messages {
			parsed[i] = mail.Parse(raw, mail.DefaultLimits)
		}
		env := stranger()
		measure := func(message func(i int) *mail.Message) func(*testing.B) {
			return func(b *testing.B) {
				b.ReportAllocs()
				times := make([]time.Duration, 0, b.N)
				for i := 0; b.Loop(); i++ {
					start := time.Now()
					engine.Scan(context.Background(), env, message(i%len(messages)), scan.Aids{})
					times = append(times, time.Since(start))
				}
				slices.Sort(times)
				b.ReportMetric(float64(times[len(times)/2].Nanoseconds()), "p50-ns")
				b.ReportMetric(float64(times[len(times)*99/100].Nanoseconds()), "p99-ns")
			}
		}
		b.Run("alone", measure(func(i int) *mail.Message { return parsed[i] }))
		b.Run("parsed", measure(func(i int) *mail.Message { return mail.Parse(messages[i], mail.DefaultLimits) }))
	}
	b.Run("golden", func(b *testing.B) {
		var messages [][]byte
		for _, g := range goldens(b) {
			messages = append(messages, g.raw)
		}
		run(b, messages)
	})
	b.Run("corpus", func(b *testing.B) {
		var messages [][]byte
		for i, file := range corpus(b) {
			if i%10 != 0 {
				continue
			}
			raw, err := os.ReadFile(file)
			if err != nil {
				b.Fatal(err)
			}
			messages = append(messages, raw)
		}
		run(b, messages)
	})
}
