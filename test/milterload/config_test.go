package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAddress(t *testing.T) {
	for _, tt := range []struct{ in, network, addr string }{
		{"127.0.0.1:9900", "tcp", "127.0.0.1:9900"},
		{"localhost:9900", "tcp", "127.0.0.1:9900"},
		{"[::1]:9900", "tcp", "[::1]:9900"},
		{"inet:9900@127.0.0.1", "tcp", "127.0.0.1:9900"},
		{"inet6:9900@[::1]", "tcp", "[::1]:9900"},
		{"unix:/run/m", "unix", "/run/m"},
		{"local:/run/m", "unix", "/run/m"},
		{"/run/m", "unix", "/run/m"},
	} {
		network, addr, err := address(tt.in)
		if network != tt.network || addr != tt.addr || err != nil {
			t.Errorf("%q: got %s %s, error %v, want %s %s", tt.in, network, addr, err, tt.network, tt.addr)
		}
	}
	for _, in := range []string{
		"192.0.2.1:9900", "inet:9900@192.0.2.1", "0.0.0.0:9900", "[::]:9900", "mail.example.com:9900", "[2001:db8::1]:9900",
		"127.0.0.1", "127.0.0.1:0", "127.0.0.1:smtp", "inet:9900", "unix:", "",
	} {
		if network, addr, err := address(in); err == nil {
			t.Errorf("%q: taken as %s %s", in, network, addr)
		}
	}
}

func TestRefusedOptions(t *testing.T) {
	for _, args := range []string{
		"-c 0", "-n -1", "-d 0s", "-d 25h", "-abort 2", "-auth -1", "-mta exim", "-envelope x", "-idle 5", "-idle 5 -pid 1 -idle-after x",
		"-version 1", "-version 7", "-actions x", "-protocol 0x1ffffffff", "-clients 192.0.2", "-macro x", "-macro C:j", "-macro X:j=1",
		"-chunk 0", "-per-conn 0", "surplus", "-dir /nonexistent", "-addr 192.0.2.1:1", "-unknown",
	} {
		var errOut bytes.Buffer
		if exit := run(t.Context(), strings.Fields(args), io.Discard, &errOut); exit != 2 || errOut.Len() == 0 {
			t.Errorf("%s: exit %d, stderr %q, want 2 with a reason", args, exit, &errOut)
		}
	}
}

func TestHelp(t *testing.T) {
	var errOut bytes.Buffer
	if exit := run(t.Context(), []string{"-h"}, io.Discard, &errOut); exit != 0 || !strings.Contains(errOut.String(), "-idle-after") {
		t.Errorf("exit %d, text %q, want 0 with all options", exit, &errOut)
	}
}

func TestMacroOption(t *testing.T) {
	c, err := parse([]string{"-macro", "C:{daemon_name}=ORIGINATING", "-macro", "C:x=a=b"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(c.macros['C'], " "), "{daemon_name} ORIGINATING x a=b"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"a.eml":     "From: Joe <joe@sender.example>\nTo: alice@example.com,\n bob@example.com\nCc: carol@example.com\n\nhello\n",
		"sub/b.eml": "Subject: x\n\n",
		"c.txt":     "not mail",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	letters, err := (&config{dir: dir}).messages()
	if err != nil || len(letters) != 2 {
		t.Fatalf("got %d messages, error %v, want 2", len(letters), err)
	}
	a := letters[0]
	if a.from != "joe@sender.example" || strings.Join(a.rcpts, " ") != "alice@example.com bob@example.com carol@example.com" {
		t.Errorf("got from %q, recipients %q", a.from, a.rcpts)
	}
	s := sender{load: &load{config: &config{envelope: "header", nrcpt: 1}}}
	if d := s.delivery(&a); d.From.Addr != "<joe@sender.example>" || len(d.Rcpts) != 3 || d.Rcpts[1].Addr != "<bob@example.com>" {
		t.Errorf("got %+v", d)
	}
	if letters, err := (&config{dir: filepath.Join(dir, "c.txt")}).messages(); err != nil || len(letters) != 1 {
		t.Errorf("one file by its name: %d messages, error %v", len(letters), err)
	}
}

func TestGeneratedMail(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	letters := newGenerator(1, now).letters(400)
	kinds := map[string]int{}
	small, large := 0, 0
	for i, l := range letters {
		kind, _, _ := strings.Cut(l.name, "-")
		kinds[kind]++
		if l.size < minSize/2 || l.size > maxSize*5/4 {
			t.Errorf("%s: %d bytes", l.name, l.size)
		}
		if l.size < medianSize {
			small++
		}
		if l.size > 64<<10 {
			large++
		}
		if l.from == "" || len(l.rcpts) != 1 || len(l.message.Header) < 8 || len(l.message.Body) == 0 {
			t.Errorf("%s: from %q, recipients %q, %d fields, body of %d", l.name, l.from, l.rcpts, len(l.message.Header), len(l.message.Body))
		}
		for _, line := range strings.Split(string(l.message.Bytes()), "\r\n") {
			if len(line) > 998 || strings.ContainsAny(line, "\r\n\x00") {
				t.Errorf("%s: line %.80q of %d bytes", l.name, line, len(line))
			}
		}
		if again := newGenerator(1, now); i == 0 && string(again.letters(1)[0].message.Bytes()) != string(l.message.Bytes()) {
			t.Error("equal seeds gave different mail")
		}
	}
	if len(kinds) != 7 || small < 120 || small > 280 || large < 4 || large > 80 {
		t.Errorf("got kinds %v, %d of 400 under %d bytes, %d over 64 KB", kinds, small, medianSize, large)
	}
}

func TestParseStat(t *testing.T) {
	p, err := parseStat([]byte("4711 (a (b) c) S 12 4711 4711 0 -1 4194560 1 2 3 4 150 25 6 7 20 0 5 0 99 1000 200\n"))
	if err != nil || p.pid != 4711 || p.parent != 12 || p.cpu != 1750*time.Millisecond {
		t.Errorf("got %+v, error %v, want 4711 below 12 with 1.75s", p, err)
	}
	for _, s := range []string{"", "1 (x", "1 (x) S 1", "x (y) S 1 1 1 0 -1 1 1 2 3 4 150 25"} {
		if p, err := parseStat([]byte(s)); err == nil {
			t.Errorf("%q: taken as %+v", s, p)
		}
	}
}

func TestPercentiles(t *testing.T) {
	v := make([]float64, 200)
	for i := range v {
		v[i] = float64(200 - i)
	}
	if got, want := newPercentiles(v), (percentiles{100, 180, 198, 200}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := newPercentiles(nil); got != (percentiles{}) {
		t.Errorf("got %v of nothing", got)
	}
}

// TestWrite writes generated messages and reads them again.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	var errOut bytes.Buffer
	if exit := run(t.Context(), []string{"-write", dir, "-corpus", "12", "-seed", "7"}, io.Discard, &errOut); exit != 0 {
		t.Fatalf("exit %d: %s", exit, &errOut)
	}
	want, err := (&config{corpus: 12, seed: 7}).messages()
	if err != nil {
		t.Fatal(err)
	}
	got, err := (&config{dir: dir}).messages()
	if err != nil || len(got) != len(want) {
		t.Fatalf("got %d messages, error %v, want %d", len(got), err, len(want))
	}
	for i := range got {
		if got[i].from != want[i].from || got[i].size != want[i].size {
			t.Errorf("%s: got %d bytes from %s, want %d from %s", got[i].name, got[i].size, got[i].from, want[i].size, want[i].from)
		}
	}
	if exit := run(t.Context(), []string{"-write", filepath.Join(dir, "none")}, io.Discard, &errOut); exit != 2 {
		t.Errorf("folder that isn't there: exit %d, want 2", exit)
	}
}
