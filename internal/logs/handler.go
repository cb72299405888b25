package logs

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

// A handler is the slog.Handler of all targets: an encoder makes the line, a sink
// takes it away.
type handler struct {
	enc   encoder
	out   sink
	level slog.Leveler
}

// An encoder makes one line of a record, without its end and of at most max
// bytes: what is longer is cut and says so. It is safe for concurrent use; the line
// belongs to the caller.
type encoder interface {
	encode(r slog.Record, max int) []byte
	withAttrs([]slog.Attr) encoder
	withGroup(string) encoder
}

// A sink takes lines. It is safe for concurrent use.
type sink interface {
	put(slog.Level, time.Time, []byte) error
	maxLine() int
}

// maxLine bounds a line on standard error and in the journal, in bytes.
const maxLine = 64 << 10

// Enabled implements slog.Handler.
func (h *handler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

// Handle implements slog.Handler.
func (h *handler) Handle(_ context.Context, r slog.Record) error {
	return h.out.put(r.Level, r.Time, h.enc.encode(r, h.out.maxLine()))
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	return &handler{enc: h.enc.withAttrs(attrs), out: h.out, level: h.level}
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &handler{enc: h.enc.withGroup(name), out: h.out, level: h.level}
}

// A writer is the sink of standard error.
type writer struct {
	mu sync.Mutex
	w  io.Writer
}

func (w *writer) put(_ slog.Level, _ time.Time, line []byte) error {
	line = append(line, '\n')
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := w.w.Write(line)
	return err
}

func (w *writer) maxLine() int { return maxLine }

// Close does nothing: standard error stays open.
func (w *writer) Close() error { return nil }

// Dropped returns 0: writing waits.
func (w *writer) Dropped() uint64 { return 0 }
