package mail_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/mail"
)

func TestParse(t *testing.T) {
	type fields = mail.Header
	for name, c := range map[string]struct {
		raw  string
		want mail.Header
		body string
	}{
		"crlf":              {"A: 1\r\nB:2\r\n\r\nbody\r\n", fields{{"A", " 1"}, {"B", "2"}}, "body\r\n"},
		"lf":                {"A: 1\nB: 2\n\nbody\n", fields{{"A", " 1"}, {"B", " 2"}}, "body\n"},
		"folded":            {"A: 1\r\n 2\r\n\t3\r\nB: 4\r\n\r\n", fields{{"A", " 1\r\n 2\r\n\t3"}, {"B", " 4"}}, ""},
		"folded lf":         {"A:\n 1\n\n", fields{{"A", "\n 1"}}, ""},
		"white space line":  {"A: 1\n \nB: 2\n\nx", fields{{"A", " 1\n "}, {"B", " 2"}}, "x"},
		"header only":       {"A: 1\r\n", fields{{"A", " 1"}}, ""},
		"no line end":       {"A: 1", fields{{"A", " 1"}}, ""},
		"empty":             {"", nil, ""},
		"empty header":      {"\r\nbody", nil, "body"},
		"only body":         {"hello world\nmore", nil, "hello world\nmore"},
		"junk in header":    {"A: 1\njunk\nB: 2\n\nbody", fields{{"A", " 1"}}, "junk\nB: 2\n\nbody"},
		"fold first":        {" folded\nA: 1\n\nbody", nil, " folded\nA: 1\n\nbody"},
		"mbox":              {"From joe@example.com Mon Jan  1\nA: 1\n\nbody", fields{{"A", " 1"}}, "body"},
		"mbox then fold":    {">From joe\n x\n", nil, " x\n"},
		"From field":        {"From: joe@example.com\n\nbody", fields{{"From", " joe@example.com"}}, "body"},
		"space before":      {"A : 1\nB\t:2\n\n", fields{{"A", " 1"}, {"B", "2"}}, ""},
		"space inside name": {"A: 1\nB C: 2\n\n", fields{{"A", " 1"}}, "B C: 2\n\n"},
		"8-bit name":        {"A: 1\nB\xe9: 2\n\n", fields{{"A", " 1"}}, "B\xe9: 2\n\n"},
		"no name":           {": 1\n\n", nil, ": 1\n\n"},
		"empty value":       {"A:\nB:\n\n", fields{{"A", ""}, {"B", ""}}, ""},
		"bare cr in value":  {"A: 1\r2\r\n\r\n", fields{{"A", " 1\r2"}}, ""},
		"two cr at the end": {"A: 1\r\r\n\r\r\nbody", fields{{"A", " 1\r"}}, "body"},
		"nul in value":      {"A: 1\x002\n\nb", fields{{"A", " 1\x002"}}, "b"},
		"8-bit value":       {"A: \xff\n\nb", fields{{"A", " \xff"}}, "b"},
	} {
		t.Run(name, func(t *testing.T) {
			m := mail.Parse([]byte(c.raw), mail.DefaultLimits)
			if d := cmp.Diff(c.want, m.Header()); d != "" {
				t.Errorf("header (-want +got):\n%s", d)
			}
			if got := string(m.Body()); got != c.body {
				t.Errorf("body: got %q, want %q", got, c.body)
			}
			if got := string(m.Raw()); got != c.raw {
				t.Errorf("raw: got %q, want %q", got, c.raw)
			}
			if got, want := m.BodyOffset(), len(c.raw)-len(c.body); got != want {
				t.Errorf("body offset: got %d, want %d", got, want)
			}
			if m.HeaderCut() {
				t.Error("header is said to be cut")
			}
		})
	}
}

func TestParseLimits(t *testing.T) {
	raw := []byte("A: 1\nB: 22\n 33\nC: 4\n\nbody")
	for _, c := range []struct {
		name string
		lim  mail.Limits
		want mail.Header
		cut  bool
	}{
		{"none", mail.Limits{}, mail.Header{{"A", " 1"}, {"B", " 22\n 33"}, {"C", " 4"}}, false},
		{"fields", mail.Limits{Fields: 2}, mail.Header{{"A", " 1"}, {"B", " 22\n 33"}}, true},
		{"fields just enough", mail.Limits{Fields: 3}, mail.Header{{"A", " 1"}, {"B", " 22\n 33"}, {"C", " 4"}}, false},
		{"bytes within a value", mail.Limits{HeaderBytes: 9}, mail.Header{{"A", " 1"}, {"B", " 2"}}, true},
		{"bytes within a fold", mail.Limits{HeaderBytes: 12}, mail.Header{{"A", " 1"}, {"B", " 22\n "}}, true},
		{"bytes within a name", mail.Limits{HeaderBytes: 5}, mail.Header{{"A", " 1"}}, true},
		{"bytes at the end of a field", mail.Limits{HeaderBytes: 14}, mail.Header{{"A", " 1"}, {"B", " 22\n 33"}}, true},
	} {
		m := mail.Parse(raw, c.lim)
		if d := cmp.Diff(c.want, m.Header()); d != "" || m.HeaderCut() != c.cut {
			t.Errorf("%s: cut %t, want %t; header (-want +got):\n%s", c.name, m.HeaderCut(), c.cut, d)
		}
		if got := string(m.Body()); got != "body" {
			t.Errorf("%s: body: got %q, want %q", c.name, got, "body")
		}
	}
}

// The header of a message with very many fields is bounded in number and memory.
func TestParseBomb(t *testing.T) {
	raw := bytes.Repeat([]byte("a:\n"), 1_000_000)
	m := mail.Parse(append(raw, "\nbody"...), mail.DefaultLimits)
	if got := len(m.Header()); got != mail.DefaultLimits.Fields {
		t.Errorf("fields: got %d, want %d", got, mail.DefaultLimits.Fields)
	}
	if got := string(m.Body()); got != "body" {
		t.Errorf("body: got %.20q, want %q", got, "body")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"A: 1\r\n b\r\n\r\nbody", "From x\nA:1\n\n", " x", "A : \x00\r\r\n", "\n", "A\n:\n"} {
		f.Add([]byte(s), 3, 10)
	}
	f.Fuzz(func(t *testing.T, raw []byte, fields, size int) {
		before := bytes.Clone(raw)
		m := mail.Parse(raw, mail.Limits{Fields: fields, HeaderBytes: size})
		if !bytes.Equal(raw, before) {
			t.Error("the input was changed")
		}
		if fields > 0 && len(m.Header()) > fields {
			t.Errorf("fields: got %d, want at most %d", len(m.Header()), fields)
		}
		whole := mail.Parse(raw, mail.Limits{})
		if got, want := m.BodyOffset(), whole.BodyOffset(); got != want {
			t.Errorf("body offset: got %d with limits, %d without", got, want)
		}
		// The fields stand in the message in this order, and nothing is invented.
		pos := 0
		for _, field := range whole.Header() {
			i := strings.Index(string(raw[pos:]), field.Name)
			if i < 0 || field.Name == "" {
				t.Fatalf("field %q is not in the message", field.Name)
			}
			j := strings.Index(string(raw[pos+i:]), field.Raw)
			if j < 0 {
				t.Fatalf("value %q is not in the message", field.Raw)
			}
			pos += i + j + len(field.Raw)
			if strings.ContainsAny(field.Value(), "\r\n") {
				t.Errorf("value not unfolded: %q", field.Value())
			}
			field.Text()
		}
		if !whole.HeaderCut() && pos > whole.BodyOffset() {
			t.Errorf("fields end at %d, beyond the body's begin %d", pos, whole.BodyOffset())
		}
	})
}
