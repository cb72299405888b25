package logs

import (
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// A textEncoder writes "TIME LEVEL message key=value group.key=value".
type textEncoder struct {
	level bool // write the level
	time  bool // write the time
	lines bool // keep line feeds and tabs in the message: the target frames records

	group string // "a.b." for the attributes to come
	attrs []byte // attributes so far, each after a space
}

func (e *textEncoder) withAttrs(attrs []slog.Attr) encoder {
	c := *e
	c.attrs = slices.Clone(e.attrs)
	for _, a := range attrs {
		c.attrs = appendAttr(c.attrs, c.group, a)
	}
	return &c
}

func (e *textEncoder) withGroup(name string) encoder {
	c := *e
	c.group += name + "."
	return &c
}

func (e *textEncoder) encode(r slog.Record, max int) []byte {
	b := make([]byte, 0, 256)
	if e.time && !r.Time.IsZero() {
		b = r.Time.AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
		b = append(b, ' ')
	}
	if e.level {
		b = append(b, r.Level.String()...)
		b = append(b, ' ')
	}
	b = appendEscaped(b, r.Message, e.lines)
	b = append(b, e.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		b = appendAttr(b, e.group, a)
		return true
	})
	return cut(b, max)
}

func appendAttr(b []byte, group string, a slog.Attr) []byte {
	v := a.Value.Resolve()
	if a.Key == "" && v.Equal(slog.Value{}) {
		return b
	}
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, inner := range v.Group() {
			b = appendAttr(b, group, inner)
		}
		return b
	}
	b = append(b, ' ')
	b = appendValue(b, group+a.Key)
	b = append(b, '=')
	return appendValue(b, valueText(v))
}

func valueText(v slog.Value) string {
	switch v.Kind() {
	case slog.KindString:
		return v.String()
	case slog.KindTime:
		return v.Time().Format(time.RFC3339Nano)
	case slog.KindAny:
		if b, ok := v.Any().([]byte); ok {
			return string(b)
		}
		// fmt survives values whose methods panic, nil errors among them.
		return fmt.Sprint(v.Any())
	}
	return v.String()
}

// appendValue writes s as it is when it is one printable word, else quoted with
// Go's escapes.
func appendValue(b []byte, s string) []byte {
	if s == "" {
		return append(b, `""`...)
	}
	for _, c := range s {
		if c == ' ' || c == '=' || c == '"' || c == utf8.RuneError || !strconv.IsPrint(c) {
			return strconv.AppendQuote(b, s)
		}
	}
	return append(b, s...)
}

// appendEscaped writes s with Go's escapes for what is not printable, and nothing
// else changed. Line feeds and tabs are kept if lines is set.
func appendEscaped(b []byte, s string, lines bool) []byte {
	for i := 0; i < len(s); {
		c, n := utf8.DecodeRuneInString(s[i:])
		if c == utf8.RuneError && n == 1 {
			b = fmt.Appendf(b, `\x%02x`, s[i])
		} else if strconv.IsPrint(c) || lines && (c == '\n' || c == '\t') {
			b = append(b, s[i:i+n]...)
		} else {
			q := strconv.QuoteRune(c)
			b = append(b, q[1:len(q)-1]...)
		}
		i += n
	}
	return b
}

// cut shortens a line to at most max bytes, at the border of a character.
func cut(line []byte, max int) []byte {
	const mark = " [cut]"
	if len(line) <= max {
		return line
	}
	n := max - len(mark)
	for n > 0 && !utf8.RuneStart(line[n]) {
		n--
	}
	return append(line[:n:n], mark...)
}
