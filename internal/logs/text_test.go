package logs

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/slogtest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// messageLine is a line about a mail as the filter makes it.
const messageLine = `4f1a9c02de: action=reject reply="554 5.7.1" score=17.40/15.00 ip=203.0.113.7 from=<joe@sender.example> ` +
	`subject="a\"b\n" mid=<1@x> av=clean flags=- sym=RBL_SPAMHAUS_XBL(4.00){203.0.113.7},BAYES_SPAM(5.10){99.9%}`

func TestText(t *testing.T) {
	at := time.Date(2026, 3, 4, 12, 13, 14, 567e6, time.FixedZone("CET", 3600))
	tests := []struct {
		name string
		enc  textEncoder
		log  func(*slog.Logger)
		want string
	}{
		{"plain", textEncoder{}, func(l *slog.Logger) { l.Info("started") }, "started"},
		{"level", textEncoder{level: true}, func(l *slog.Logger) { l.Warn("slow") }, "WARN slow"},
		{"level and time", textEncoder{level: true, time: true}, func(l *slog.Logger) { l.Error("gone") }, "2026-03-04T12:13:14.567+01:00 ERROR gone"},
		{"line about a mail is unchanged", textEncoder{level: true}, func(l *slog.Logger) { l.Info(messageLine) }, "INFO " + messageLine},
		{"words bare, the rest quoted", textEncoder{}, func(l *slog.Logger) {
			l.Info("m", "a", "word", "b", "two words", "c", "", "d", "x=y", "e", `"`, "f", "Grüße", "g", `C:\x`)
		}, `m a=word b="two words" c="" d="x=y" e="\"" f=Grüße g=C:\x`},
		{"kinds", textEncoder{}, func(l *slog.Logger) {
			l.Info("m", "n", 5, "f", 0.5, "d", 90*time.Second, "ok", true, "t", at, "err", errors.New("no way"),
				"ip", netip.MustParseAddr("192.0.2.1"), "b", []byte("x\n"), "nil", nil)
		}, `m n=5 f=0.5 d=1m30s ok=true t=2026-03-04T12:13:14.567+01:00 err="no way" ip=192.0.2.1 b="x\n" nil=<nil>`},
		{"groups", textEncoder{}, func(l *slog.Logger) {
			l.With("a", 1).WithGroup("g").With("b", 2).Info("m", slog.Group("h", "c", 3), slog.Group("", "d", 4), slog.Group("empty"))
		}, "m a=1 g.b=2 g.h.c=3 g.d=4"},
		{"message cannot begin a line", textEncoder{level: true}, func(l *slog.Logger) { l.Info("a\nERROR b\r\x1b[31m\x00\u2028\u202e\xff\u0085") },
			`INFO a\nERROR b\r\x1b[31m\x00\u2028\u202e\xff\u0085`},
		{"value cannot begin a line", textEncoder{}, func(l *slog.Logger) { l.Info("m", "k", "a\nb\xff\u202e", "x\ny", "z") }, `m k="a\nb\xff\u202e" "x\ny"=z`},
		{"lines kept where records are framed", textEncoder{lines: true}, func(l *slog.Logger) { l.Info("a\n\tb\r", "k", "c\nd") }, "a\n\tb" + `\r k="c\nd"`},
		{"values that panic", textEncoder{}, func(l *slog.Logger) { l.Info("m", "e", (*os.PathError)(nil)) }, "m e=<nil>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			h := &handler{enc: &tt.enc, out: &writer{w: &out}, level: slog.LevelDebug}
			tt.log(slog.New(timeHandler{h, at}))
			if diff := cmp.Diff(tt.want+"\n", out.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestLevel(t *testing.T) {
	var out bytes.Buffer
	var level slog.LevelVar
	l := slog.New(&handler{enc: &textEncoder{level: true}, out: &writer{w: &out}, level: &level})
	l.Debug("one")
	l.Info("two")
	level.Set(slog.LevelDebug)
	l.Debug("three")
	level.Set(slog.LevelError)
	l.Warn("four")
	if got, want := out.String(), "INFO two\nDEBUG three\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCut(t *testing.T) {
	tests := []struct {
		in   string
		max  int
		want string
	}{
		{"0123456789", 10, "0123456789"},
		{"0123456789a", 10, "0123 [cut]"},
		{"012ü456789a", 10, "012 [cut]"},
		{"01ü456789ab", 10, "01ü [cut]"},
	}
	for _, tt := range tests {
		if got := string(cut([]byte(tt.in), tt.max)); got != tt.want {
			t.Errorf("cut(%q, %d): got %q, want %q", tt.in, tt.max, got, tt.want)
		}
	}
}

func TestJSON(t *testing.T) {
	var out bytes.Buffer
	l := slog.New(&handler{enc: newJSONEncoder(), out: &writer{w: &out}, level: slog.LevelDebug})
	nasty := "a\nb\x00\x7f\u0085\u2028\u202e\U000e0001é\xff\"\\"
	l.With("a", 1).WithGroup("g").Debug(nasty, "k", nasty)
	line := out.String()
	checkLine(t, line)
	var got struct {
		Level, Msg string
		A          int
		G          struct{ K string }
	}
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Fatalf("%v in %q", err, line)
	}
	want := strings.ToValidUTF8(nasty, "\ufffd")
	if got.Level != "DEBUG" || got.Msg != want || got.A != 1 || got.G.K != want {
		t.Errorf("got %+v, want %+q", got, want)
	}
}

func TestJSONTooLong(t *testing.T) {
	for _, record := range []slog.Record{
		slog.NewRecord(time.Time{}, slog.LevelInfo, strings.Repeat("\u202e", 8000), 0),
		slog.NewRecord(time.Time{}, slog.LevelInfo, strings.Repeat("\x01", 8000), 0),
	} {
		record.AddAttrs(slog.String("k", strings.Repeat("v", 8000)))
		line := newJSONEncoder().withAttrs([]slog.Attr{slog.Int("n", 1)}).encode(record, 7900)
		var got struct {
			Msg string
			Cut bool
		}
		if err := json.Unmarshal(line, &got); err != nil || len(line) > 7900 || !got.Cut || !strings.HasSuffix(got.Msg, " [cut]") {
			t.Errorf("got %d bytes %.200q, error %v, want at most 7900 of JSON that says cut", len(line), line, err)
		}
	}
}

// TestHandler runs the standard library's tests of what a slog.Handler must do.
func TestHandler(t *testing.T) {
	for _, format := range []string{Text, JSON} {
		t.Run(format, func(t *testing.T) {
			file, err := os.Create(filepath.Join(t.TempDir(), "log"))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			l, _, err := New(Options{Target: Stderr, Format: format, Stderr: file})
			if err != nil {
				t.Fatal(err)
			}
			read := func() []map[string]any {
				b, err := os.ReadFile(file.Name())
				if err != nil {
					t.Fatal(err)
				}
				var list []map[string]any
				for line := range strings.Lines(string(b)) {
					list = append(list, parse(t, format, strings.TrimSuffix(line, "\n")))
				}
				return list
			}
			if err := slogtest.TestHandler(l.Handler(), read); err != nil {
				t.Error(err)
			}
		})
	}
}

// parse reads back a line whose words hold no spaces.
func parse(t *testing.T, format, line string) map[string]any {
	t.Helper()
	m := make(map[string]any)
	if format == JSON {
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	words := strings.Split(line, " ")
	if _, err := time.Parse(time.RFC3339Nano, words[0]); err == nil {
		m["time"] = words[0]
		words = words[1:]
	}
	m["level"], m["msg"] = words[0], words[1]
	for _, w := range words[2:] {
		key, value, ok := strings.Cut(w, "=")
		if !ok {
			// The second word of a message.
			m["msg"] = m["msg"].(string) + " " + w
			continue
		}
		at := m
		path := strings.Split(key, ".")
		for _, group := range path[:len(path)-1] {
			if at[group] == nil {
				at[group] = make(map[string]any)
			}
			at = at[group].(map[string]any)
		}
		at[path[len(path)-1]] = value
	}
	return m
}

// checkLine fails unless s is one line of printable characters.
func checkLine(t *testing.T, s string) {
	t.Helper()
	line, ok := strings.CutSuffix(s, "\n")
	if !ok {
		t.Errorf("%q does not end in a line feed", s)
	}
	if !utf8.ValidString(line) {
		t.Errorf("%q is not UTF-8", line)
	}
	for _, c := range line {
		if !strconv.IsPrint(c) {
			t.Errorf("%q holds %U", line, c)
		}
	}
}

// FuzzLine looks for text that gets out of its line, in both formats.
func FuzzLine(f *testing.F) {
	f.Add("message", "key", "value")
	f.Add(messageLine, "k", "a b")
	f.Add("a\nb\r\x00\u2028\u202e\xff\U000e0001", "\n", "\n=\"")
	f.Fuzz(func(t *testing.T, message, key, value string) {
		for _, enc := range []encoder{&textEncoder{level: true}, newJSONEncoder()} {
			var out bytes.Buffer
			l := slog.New(&handler{enc: enc, out: &writer{w: &out}, level: slog.LevelInfo})
			l.With(key, value).WithGroup(key).Info(message, key, value)
			checkLine(t, out.String())
			if _, ok := enc.(*jsonEncoder); ok && !json.Valid(out.Bytes()) {
				t.Errorf("not JSON: %q", out.String())
			}
		}
	})
}
