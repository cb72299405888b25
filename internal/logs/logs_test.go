package logs

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

func TestChoose(t *testing.T) {
	tests := []struct {
		inJournal, terminal, syslog bool
		want                        string
	}{
		{true, false, true, Journal},
		{true, true, true, Journal},
		{false, true, true, Stderr},
		{false, true, false, Stderr},
		{false, false, true, Syslog},
		{false, false, false, Stderr},
	}
	for _, tt := range tests {
		if got := choose(tt.inJournal, tt.terminal, tt.syslog); got != tt.want {
			t.Errorf("choose(%v, %v, %v): got %s, want %s", tt.inJournal, tt.terminal, tt.syslog, got, tt.want)
		}
	}
}

// stream is the JOURNAL_STREAM of a file.
func stream(t *testing.T, f *os.File) string {
	t.Helper()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

func TestInJournal(t *testing.T) {
	f := tempFile(t)
	for value, want := range map[string]bool{
		"":                     false,
		"1:2":                  false,
		"x":                    false,
		stream(t, f):           true,
		stream(t, f) + "0":     false,
		" " + stream(t, f):     false,
		stream(t, tempFile(t)): false,
	} {
		o := Options{Stderr: f, Getenv: func(string) string { return value }}
		if got := o.inJournal(); got != want {
			t.Errorf("JOURNAL_STREAM=%q: got %v, want %v", value, got, want)
		}
	}
}

func TestTerminal(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	other, err := os.OpenFile("/dev/zero", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for _, tt := range []struct {
		f    *os.File
		want bool
	}{{null, false}, {other, true}, {tempFile(t), false}} {
		if got := (Options{Stderr: tt.f}).terminal(); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.f.Name(), got, tt.want)
		}
	}
}

// TestAuto runs New where the parts of Auto exist or not.
func TestAuto(t *testing.T) {
	dir := socketDir(t)
	journalPath, syslogPath := filepath.Join(dir, "journal"), filepath.Join(dir, "log")
	journalSocket, syslogSocket := listenDatagrams(t, journalPath), listenDatagrams(t, syslogPath)
	env := func(value string) func(string) string {
		return func(name string) string {
			if name == "JOURNAL_STREAM" {
				return value
			}
			return ""
		}
	}
	stderr := tempFile(t)
	base := Options{Stderr: stderr, JournalSocket: journalPath, SyslogSocket: syslogPath, Getenv: env("")}

	o := base
	o.Getenv = env(stream(t, stderr))
	l, _ := open(t, o)
	l.Info("hello")
	if got := fields(t, receive(t, journalSocket))["MESSAGE"]; got != "hello" {
		t.Errorf("under systemd: got %q in the journal, want hello", got)
	}
	l, _ = open(t, base)
	l.Info("hello")
	if got := receive(t, syslogSocket); !strings.HasSuffix(got, ": hello") {
		t.Errorf("with syslog: got %q, want hello", got)
	}
	o = base
	o.SyslogSocket = filepath.Join(dir, "none")
	l, _ = open(t, o)
	l.Info("hello", "n", 1)
	if got, want := content(t, stderr), regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d) INFO hello n=1\n$`); !want.MatchString(got) {
		t.Errorf("with nothing: got %q on standard error, want %v", got, want)
	}
}

func content(t *testing.T, f *os.File) string {
	t.Helper()
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestStderrUnderSystemd has the journal add the time.
func TestStderrUnderSystemd(t *testing.T) {
	stderr := tempFile(t)
	l, closer := open(t, Options{Target: Stderr, Stderr: stderr, Getenv: func(string) string { return stream(t, stderr) }})
	l.Warn(messageLine)
	if got, want := content(t, stderr), "WARN "+messageLine+"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := closer.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if d, ok := closer.(interface{ Dropped() uint64 }); !ok || d.Dropped() != 0 {
		t.Errorf("the closer has no Dropped of 0: %T", closer)
	}
}

func TestNewErrors(t *testing.T) {
	for _, o := range []Options{{Target: "file"}, {Target: "Auto"}, {Target: Stderr, Format: "xml"}} {
		if l, c, err := New(o); err == nil || l != nil || c != nil {
			t.Errorf("New(%+v): got %v, %v, %v, want an error alone", o, l, c, err)
		}
	}
}

// TestIsSocket follows links, as /dev/log is one under systemd.
func TestIsSocket(t *testing.T) {
	dir := socketDir(t)
	ln, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if err := os.Symlink("socket", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"socket": true, "link": true, "none": false, ".": false} {
		if got := isSocket(filepath.Join(dir, name)); got != want {
			t.Errorf("isSocket(%s): got %v, want %v", name, got, want)
		}
	}
}
