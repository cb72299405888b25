package dkim

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rmilter/test/activator"
	"rmilter/test/e2e"
	"rmilter/test/mta"
	"rmilter/test/smtpclient"
)

// binary returns the daemon's program.
func binary(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("RMILTER_TEST_BINARY"); path != "" {
		return path
	}
	path := filepath.Join(t.TempDir(), "rmilter")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, "rmilter/cmd/rmilter")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the daemon does not build: %v\n%s", err, out)
	}
	return path
}

// startDaemon starts a daemon that signs with the keys. It returns where its milter
// listens, and its log.
func startDaemon(t *testing.T, program string, keys []key, more string) (string, *e2e.Log) {
	t.Helper()
	port, err := mta.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	d := launch(t, program, fmt.Sprintf("bind_socket = inet:%d@127.0.0.1;\ndns { nameserver = \"127.0.0.1:1\"; }\nrbl { enabled = no; } surbl { enabled = no; }\n%s\n%s", port, more, signed(keys)))
	return fmt.Sprintf("inet:127.0.0.1:%d", port), d.log
}

// signed is the part of a configuration that names the keys.
func signed(keys []key) string {
	conf := "dkim {\n"
	for _, k := range keys {
		conf += fmt.Sprintf("domain { domain = %q; selector = %q; key = %q; }\n", k.Domain, k.Selector, k.path)
	}
	return conf + "}\n"
}

// A daemon is a running rmilter.
type daemon struct {
	log *e2e.Log
	pid int
}

// launch starts a daemon that refuses and marks nothing, and stops it when the test ends.
func launch(t testing.TB, program, more string) daemon {
	t.Helper()
	dir := t.TempDir()
	conf := fmt.Sprintf("log = stderr;\ncontrol_socket = \"%s/control.sock\";\n"+
		"worker \"controller\" { bind_socket = \"127.0.0.1:0\"; } worker \"normal\" { bind_socket = []; }\n"+
		"actions { greylist = off; add_header = off; reject = off; }\n%s", dir, more)
	write(t, filepath.Join(dir, "rmilter.conf"), []byte(conf))
	log := new(e2e.Log)
	s, err := activator.New(activator.Config{
		Command: []string{program, "-c", filepath.Join(dir, "rmilter.conf"), "-data-dir", filepath.Join(dir, "state")},
		Output:  log,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			lines := strings.Split(log.String(), "\n")
			t.Logf("the end of the daemon's log:\n%s", strings.Join(lines[max(0, len(lines)-40):], "\n"))
		}
	})
	if err := s.Start(); err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	return daemon{log: log, pid: s.Pid()}
}

// startMTAs starts Postfix and sendmail with a milter.
func startMTAs(t *testing.T, milter string) []mta.Server {
	return []mta.Server{
		mta.StartPostfix(t, mta.Options{Milter: milter}),
		mta.StartSendmail(t, mta.Options{Milter: milter}),
	}
}

// send hands a message to an MTA. Mail that needs SMTPUTF8 goes with it to Postfix.
// sendmail of Debian is built without it (USE_EAI) and refuses the word: it gets the
// same header without, as from a client that doesn't care, and an envelope of ASCII.
func send(t *testing.T, s mta.Server, m message) {
	t.Helper()
	c, err := smtpclient.DialHello(s.Addr(), "client.example.com")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	from := "joe@example.com"
	if m.utf8 != "" && s.Name() == "postfix" {
		from = m.utf8 + " BODY=8BITMIME SMTPUTF8"
	} else if m.utf8 != "" {
		if r, err := c.Cmd("MAIL FROM:<%s> SMTPUTF8", from); err != nil || !r.Is(555, "5.5.4") {
			t.Fatalf("%s: %v, %v; want 555 5.5.4: as it takes SMTPUTF8, it should be sent so", s.Name(), r, err)
		}
		from += " BODY=8BITMIME"
	}
	r, err := c.Send(from, []string{"alice@example.com"}, m.text())
	if err != nil || r.Last().Code != 250 {
		t.Fatalf("%s: %s: %v, %v", s.Name(), m.name, r.Last(), err)
	}
}

// withOnly returns a message without the signatures that have another selector.
func withOnly(text []byte, selector string) []byte {
	var out []byte
	drop := false
	header, body, _ := bytes.Cut(text, []byte("\r\n\r\n"))
	for line := range bytes.Lines(append(slices.Clip(header), "\r\n"...)) {
		if line[0] != ' ' && line[0] != '\t' {
			drop = false
		}
		if bytes.HasPrefix(line, []byte("DKIM-Signature:")) {
			drop = !bytes.Contains(line, []byte(" s="+selector+";"))
		}
		if !drop {
			out = append(out, line...)
		}
	}
	return append(append(out, "\r\n"...), body...)
}

// TestThroughMTAs sends messages of ours through real MTAs. What arrives has two
// signatures, of RSA and of Ed25519, and each verifies with every program that knows its
// algorithm.
func TestThroughMTAs(t *testing.T) {
	need(t)
	keys := newKeys(t)
	milter, log := startDaemon(t, binary(t), keys, "")
	for _, server := range startMTAs(t, milter) {
		t.Run(server.Name(), func(t *testing.T) {
			dir := t.TempDir()
			files := map[string]key{}
			sent := 0
			for _, m := range messages() {
				if !m.smtp {
					continue
				}
				send(t, server, m)
				sent++
				text := smtpclient.CRLF(string(mta.WaitDeliveries(t, server, "alice", sent)[sent-1]))
				if got, want := verify(t, text, records(keys)), []string{"rsa-sha256 pass", "ed25519-sha256 pass"}; !slices.Equal(got, want) {
					t.Errorf("%s: got %q, want %q\n%.2000s", m.name, got, want, text)
				}
				if m.utf8 != "" && !bytes.Contains(text, []byte("<"+m.utf8+">")) {
					t.Errorf("%s: the UTF-8 of From did not arrive:\n%.2000s", m.name, text)
				}
				for _, k := range keys {
					name := m.name + "-" + k.Selector
					write(t, filepath.Join(dir, name+".eml"), withOnly(text, k.Selector))
					files[name] = k
				}
			}
			if sent < 12 {
				t.Errorf("%d messages were sent, want 12 at least", sent)
			}
			for _, p := range peers(t, keys) {
				passed := 0
				said := p.verify(t, dir)
				for _, name := range slices.Sorted(maps.Keys(files)) {
					if files[name].Key.Type() == "ed25519" && !p.ed25519 {
						continue
					}
					if said[name] != "pass" {
						t.Errorf("%s, %s: got %q, want pass", name, p.name, said[name])
						continue
					}
					passed++
				}
				t.Logf("%s: %d signatures pass", p.name, passed)
			}
		})
	}
	if got := strings.Count(log.String(), " dkim_sign=example.com/rsa,ed "); got < 24 {
		t.Errorf("%d log lines tell of the signatures, want 24 at least", got)
	}
}

// TestOutsiders has a stranger use our domain.
func TestOutsiders(t *testing.T) {
	need(t)
	keys := newKeys(t)
	milter, log := startDaemon(t, binary(t), keys, "our_networks = 192.0.2.0/24;")
	for _, server := range startMTAs(t, milter) {
		send(t, server, messages()[0])
		if text := mta.WaitDeliveries(t, server, "alice", 1)[0]; bytes.Contains(text, []byte("DKIM-Signature")) {
			t.Errorf("%s: a stranger's mail is signed:\n%s", server.Name(), text)
		}
	}
	if got := strings.Count(log.String(), " dkim_sign=- "); got != 2 {
		t.Errorf("%d log lines have dkim_sign=-, want 2", got)
	}
}

// fieldLine finds the lines that begin DKIM-Signature and Authentication-Results, with the
// selector or the service.
var fieldLine = regexp.MustCompile(`(?m)^(DKIM-Signature|Authentication-Results|Received|From):(?: v=1;[^\n]* s=| )([^;\s]*)`)

// order returns these fields of a message, and Received and From, in their order.
func order(text []byte) (names []string) {
	for _, m := range fieldLine.FindAllSubmatch(text, -1) {
		names = append(names, string(m[1])+" "+string(m[2]))
	}
	return names
}

// TestEditedAndSigned has mail signed that is edited as well: of a client that is not ours
// and is signed for all the same. What was deleted, changed and added is not in the way of
// the signatures, in either canonicalization, and all that is inserted is in its place.
func TestEditedAndSigned(t *testing.T) {
	need(t)
	keys := newKeys(t)
	program := binary(t)
	for _, canon := range []string{"relaxed", "simple"} {
		milter, log := startDaemon(t, program, keys, "our_networks = 192.0.2.0/24;\nauthserv_id = mx.example.com;\nactions { rewrite_subject = 5; }\nregexp \"MARKED\" { re = '/offer/'; where = subject; score = 7; }\n"+
			"dkim { sign_networks = 127.0.0.0/8; header_canon = "+canon+"; body_canon = "+canon+"; }\n")
		for _, server := range startMTAs(t, milter) {
			t.Run(canon+"/"+server.Name(), func(t *testing.T) {
				const foreign = "Authentication-Results: mx.example.org; spf=pass\nX-Spam: no\nDKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=other; h=from; bh=AAAA; b=AAAA\nX-Spam-Status: no\n"
				m := message{name: "edited", header: foreign + strings.Replace(head, "Subject: hello", "Subject: an  offer\n\tfor you", 1) + "Reply-To: joe@example.com\nX-Spam: no\n", body: "hello \n\n\n"}
				send(t, server, m)
				text := mta.WaitDeliveries(t, server, "alice", 1)[0]
				if got, want := order(text), []string{"Received from", "DKIM-Signature rsa", "DKIM-Signature ed", "Authentication-Results mx.example.com",
					"Authentication-Results mx.example.org", "DKIM-Signature other", "From Joe"}; !slices.Equal(got, want) {
					t.Errorf("got the fields %q, want %q\n%s", got, want, text)
				}
				if bytes.Contains(text, []byte("X-Spam: no")) || !bytes.Contains(text, []byte("\nSubject: ***SPAM*** an  offer\n\tfor you\n")) {
					t.Errorf("not edited:\n%s", text)
				}
				got := verify(t, smtpclient.CRLF(string(text)), records(keys))
				if len(got) != 3 || got[0] != "rsa-sha256 pass" || got[1] != "ed25519-sha256 pass" {
					t.Errorf("got %q, want two signatures that pass, and another one\n%s", got, text)
				}
			})
		}
		if got := strings.Count(log.String(), " dkim_sign=example.com/rsa,ed "); got != 2 {
			t.Errorf("%d log lines tell of the signatures, want 2", got)
		}
	}
}
