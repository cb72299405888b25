package mail_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/mail"
	"rmilter/test/mimesuite"
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

// checkSmall parses with small limits.
func checkSmall(t *testing.T, raw []byte, n int) {
	n = n&15 + 1
	lim := mail.Limits{Parts: n, Depth: n, TextBytes: 8 * n, HeaderBytes: 1 << 20, Fields: 10 * n}
	if err := mimesuite.Check(mail.Parse(raw, lim), lim); err != nil {
		t.Errorf("%q with limit %d: %v", raw, n, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"A: 1\r\n b\r\n\r\nbody", "From x\nA:1\n\n", " x", "A : \x00\r\r\n", "\n", "A\n:\n"} {
		f.Add([]byte(s), 3, 10)
	}
	_, golden := goldenFiles(f)
	for _, raw := range golden {
		f.Add(raw, 0, 0)
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
		checkSmall(t, raw, fields)
		whole := mail.Parse(raw, mail.Limits{})
		if err := mimesuite.Check(whole, mail.DefaultLimits); err != nil {
			t.Errorf("%q: %v", raw, err)
		}
		// Every line is compared with each open boundary in every reading, twice, and
		// what is decoded or guessed is walked again.
		if got, most := mail.Steps(whole), 64*(bytes.Count(raw, []byte("--"))+1)*32; got > most {
			t.Errorf("%d comparisons for %d bytes, want %d at most", got, len(raw), most)
		}
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

// Views may be asked for by many at once.
func TestConcurrentViews(t *testing.T) {
	_, messages := goldenFiles(t)
	for _, raw := range messages {
		m := mail.Parse(raw, mail.Limits{})
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if err := mimesuite.Check(m, mail.DefaultLimits); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
}

func TestLongLine(t *testing.T) {
	for _, c := range []struct{ lines, count, offset int }{{0, 0, 0}, {998, 0, 0}, {999, 3, 0}, {5000, 3, 0}} {
		raw := strings.Repeat(strings.Repeat("x", c.lines)+"\r\n", 3)
		if got := mail.Parse([]byte("\n"+raw), mail.Limits{}).Defect(mail.LongLine); got.Count != c.count || got.Count > 0 && got.Offset != 1 {
			t.Errorf("3 lines of %d bytes: got %+v, want %d", c.lines, got, c.count)
		}
	}
	mixed := "a: b\n\n" + strings.Repeat("short\n", 500) + strings.Repeat("y", 1200) + "\nshort\n"
	if got := mail.Parse([]byte(mixed), mail.Limits{}).Defect(mail.LongLine); got.Count != 1 || mixed[got.Offset] != 'y' || mixed[got.Offset-1] != '\n' {
		t.Errorf("one long line: got %+v", got)
	}
}

// Every kind of defect has a name, and a message that has it.
func TestDefectKinds(t *testing.T) {
	_, messages := goldenFiles(t)
	seen := map[mail.DefectKind]bool{mail.LongLine: true}
	add := func(raw string, lim mail.Limits) {
		for _, d := range mail.Parse([]byte(raw), lim).Defects() {
			seen[d.Kind] = true
		}
	}
	for _, raw := range messages {
		add(string(raw), mail.Limits{})
	}
	part := "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\none\n"
	add("A: 1\nB: 2\n\n", mail.Limits{Fields: 1})
	add(part+"--b\n\ntwo\n--b--\n", mail.Limits{Parts: 2})
	add(part+"--b--\n", mail.Limits{Depth: 1})
	add("Content-Type: message/rfc822\n\nContent-Type: message/rfc822\n\nx: y\n\nz", mail.Limits{Depth: 1})
	add("\nlong text", mail.Limits{TextBytes: 3})
	add("Content-Transfer-Encoding: x-uuencode\n\nno data\n", mail.Limits{})
	for k := mail.DefectKind(0); k.String() != "?"; k++ {
		if !seen[k] {
			t.Errorf("no message has %v", k)
		}
	}
}
