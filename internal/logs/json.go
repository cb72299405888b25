package logs

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// A jsonEncoder writes one JSON object with time, level, msg and the attributes.
type jsonEncoder struct {
	inner slog.Handler // writes to buf
	bare  slog.Handler // the same without attributes and groups
	buf   *jsonBuffer  // shared with all encoders made of this one
}

type jsonBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func newJSONEncoder() *jsonEncoder {
	buf := new(jsonBuffer)
	h := slog.NewJSONHandler(buf, nil)
	return &jsonEncoder{inner: h, bare: h, buf: buf}
}

func (e *jsonEncoder) withAttrs(attrs []slog.Attr) encoder {
	return &jsonEncoder{inner: e.inner.WithAttrs(attrs), bare: e.bare, buf: e.buf}
}

func (e *jsonEncoder) withGroup(name string) encoder {
	return &jsonEncoder{inner: e.inner.WithGroup(name), bare: e.bare, buf: e.buf}
}

func (e *jsonEncoder) encode(r slog.Record, max int) []byte {
	e.buf.mu.Lock()
	defer e.buf.mu.Unlock()
	line := e.buf.line(e.inner, r)
	if len(line) <= max {
		return line
	}
	// An object cannot be cut: the message alone, of which a byte may take up to
	// six, is written instead.
	message := cut([]byte(r.Message), max/6-40)
	short := slog.NewRecord(r.Time, r.Level, string(message), 0)
	short.AddAttrs(slog.Bool("cut", true))
	return e.buf.line(e.bare, short)
}

// line lets h write r to b and returns what it wrote. Writing to memory does not
// fail, and values that JSON cannot express become text about that.
func (b *jsonBuffer) line(h slog.Handler, r slog.Record) []byte {
	b.Reset()
	_ = h.Handle(context.Background(), r)
	return escapeJSON(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// escapeJSON returns a copy of a JSON text in which all that is not printable is
// written as \uXXXX. JSON itself asks that only of control characters below the
// space, but terminals obey some of the others. Such characters are in strings only.
func escapeJSON(in []byte) []byte {
	out := make([]byte, 0, len(in))
	for i := 0; i < len(in); {
		c, n := utf8.DecodeRune(in[i:])
		switch {
		case strconv.IsPrint(c):
			out = append(out, in[i:i+n]...)
		case c > 0xffff:
			hi, lo := utf16.EncodeRune(c)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, c)
		}
		i += n
	}
	return out
}
