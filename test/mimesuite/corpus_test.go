package mimesuite

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"rmilter/internal/mail"
)

// TestCorpus reads the corpus: no panic, and what Check wants.
func TestCorpus(t *testing.T) {
	for _, f := range corpus(t) {
		if err := Check(mail.Parse(f.raw, mail.Limits{}), mail.DefaultLimits); err != nil {
			t.Errorf("%s: %v", f.name, err)
		}
	}
}

// views looks at everything that a message offers.
func views(m *mail.Message) int {
	n := len(m.Subject())
	m.Date()
	m.MessageID()
	for _, f := range []string{"From", "To", "Cc", "Reply-To", "Sender"} {
		n += len(m.Mailboxes(f))
	}
	m.Received()
	for _, p := range m.Parts() {
		n += len(p.Decoded()) + len(p.Visible()) + len(p.Filename())
	}
	n += len(m.VisibleText()) + len(m.Attachments()) + len(m.Links()) + len(m.Defects())
	return n
}

// BenchmarkCorpus parses the corpus with all views and reports the CPU time of one
// message: median and 99th percentile.
func BenchmarkCorpus(b *testing.B) {
	all, size := corpus(b), 0
	for _, f := range all {
		size += len(f.raw)
	}
	times := make([]time.Duration, 0, len(all))
	b.SetBytes(int64(size))
	b.ReportAllocs()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for b.Loop() {
		times = times[:0]
		for _, f := range all {
			begin := cpu(b, thread)
			views(mail.Parse(f.raw, mail.Limits{}))
			times = append(times, cpu(b, thread)-begin)
		}
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Nanoseconds()), "median-ns")
	b.ReportMetric(float64(times[len(times)*99/100].Nanoseconds()), "p99-ns")
	b.ReportMetric(float64(times[len(times)-1].Nanoseconds()), "max-ns")
}
