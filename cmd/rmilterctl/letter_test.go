package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/controller"
	"rmilter/internal/filter"
	"rmilter/internal/metrics"
	"rmilter/internal/policy"
	"rmilter/internal/spool"
	"rmilter/internal/ucl"
	"rmilter/scan"
)

// wordCheck reports a symbol for each word of a message that is one's name.
func wordCheck() scan.Check {
	symbols := []*scan.Symbol{
		{Name: "ONE", Score: 1, Group: "numbers", Doc: "There is one."},
		{Name: "HALF", Score: 0.5, Group: "numbers", Doc: "There is a half."},
		{Name: "THIRD", Score: 0.3333, Group: "numbers", Doc: "There is a third."},
		{Name: "BIG", Score: 9, Group: "subject", Doc: "There is something big."},
	}
	return &scan.Spec[struct{}, struct{}]{
		Name: "words", Doc: "The words of a test.", Symbols: symbols,
		New: func(struct{}, scan.Env) (scan.Runner[struct{}], error) {
			return scan.RunnerFunc[struct{}](func(_ context.Context, p *scan.Pass) (struct{}, error) {
				for _, word := range bytes.Fields(p.Message.Body()) {
					for _, s := range symbols {
						if s.Name == string(word) {
							p.Report(s, "as a word")
						}
					}
				}
				if bytes.Contains(p.Message.Body(), []byte("REFUSED")) {
					p.Demand(scan.Reject, "Not that word")
				}
				if bytes.Contains(p.Message.Body(), []byte("FAIL")) {
					return struct{}{}, errors.New("no\nmood")
				}
				return struct{}{}, nil
			}), nil
		},
	}
}

// scanning runs a controller that looks at messages.
func scanning(t *testing.T, password string) (socket, host string) {
	t.Helper()
	now := func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }
	log := slog.New(slog.DiscardHandler)
	conf := scan.NewConfig([]scan.Check{wordCheck()})
	var l ucl.Loader
	ucl.Decode(l.ReadText("a.conf", `composite "BOTH" { expression = "ONE & HALF"; score = 2; description = "Both are there."; }`), &ucl.Section{Sections: conf.Sections()[1:]}, &l.Diagnostics)
	engine, err := scan.NewEngine(conf, scan.Env{Now: now, Log: log})
	if err = errors.Join(err, l.Diagnostics.Err()); err != nil {
		t.Fatal(err)
	}
	pol, c := policy.DefaultConfig(), filter.DefaultConfig()
	pol.ExtendedHeaders = true
	pol.Blocks = []*policy.Block{{Name: "vip", Enable: true, Rcpt: ucl.MustRecipients("vip@example.com"), Actions: policy.Actions{Reject: policy.At(30)}}}
	c.OurNetworks = ucl.MustNetworks("192.0.2.0/24")
	env := &filter.Env{Hostname: "mx.example.com", Spool: spool.New(t.TempDir(), 64<<20), Figures: metrics.New(now), Log: log, Now: now, HardEnd: time.Minute,
		NewID: func() string { return "0123456789" }, Done: func(*filter.Result) { t.Error("an inspection is accounted for") }}
	f := filter.New(c, pol, filter.Rules{Scanner: engine}, env)
	return serve(t, controller.Options{
		Status: func() metrics.Status { return metrics.Status{} }, Policy: controller.Policy{Password: password},
		Filter: func() *filter.Filter { return f }, Spool: env.Spool, Log: log,
	})
}

// save writes a message to a file.
func save(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.eml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const head = "Message-ID: <1@example.com>\nSubject: =?utf-8?q?h=C3=A9?=\nX-Spam: no\n\n"

// times is what differs from run to run.
var times = regexp.MustCompile(`\([0-9.]+ seconds\)|[0-9]+ us`)

func TestSymbols(t *testing.T) {
	socket, host := scanning(t, "")
	path := save(t, head+"ONE BIG REFUSED http://www.example.net/ mailto:joe@example.org\n")
	want := `Results for file: FILE 
[Metric: default]
Action: reject
Spam: true
Score: 7.00 / 15.00
Symbol: BIG (9.00)[as a word]
Symbol: GROUP_CAP (-3.00)[subject 6.00 of 9.00]
Symbol: ONE (1.00)[as a word]
Message-ID: 1@example.com
Queue-ID: Q1
Urls: ["www.example.net"]
Emails: ["joe@example.org"]
Message - smtp_message: Not that word [0123456789]

`
	for _, way := range [][]string{{"--socket", socket}, {"-h", host}, {"--socket", filepath.Join(t.TempDir(), "none"), "-h", host}} {
		got := call(noStdin(t), nil, append(way, "symbols", "--queue-id", "Q1", path)...)
		text := strings.Replace(times.ReplaceAllString(got.stdout, ""), path, "FILE", 1)
		if diff := cmp.Diff(result{0, want, ""}, result{got.code, text, got.stderr}, cmp.AllowUnexported(result{})); diff != "" {
			t.Errorf("%v (-want +got):\n%s", way, diff)
		}
	}
	// Several messages, of which one is missing.
	got := call(strings.NewReader(head+"HALF FAIL\n"), nil, "--socket", socket, "symbols", "--profile", path, path+".none", "-")
	if got.code != exitNotScanned || strings.Count(got.stdout, "Results for file: ") != 2 || !strings.Contains(got.stdout, "Results for file: stdin (") ||
		got.stderr != "rmilterctl: "+path+".none: no such file or directory\n" {
		t.Errorf("several: got %+v", got)
	}
	if want := "\nNot known: check words: no?mood\nProfile: words 0 us\n"; !strings.Contains(got.stdout, want) {
		t.Errorf("got %s, want %q in it", got.stdout, want)
	}
	// Without a name it is standard input; --json is the reply.
	got = call(strings.NewReader(head+"HALF\n"), nil, "--socket", socket, "--json", "symbols")
	var r controller.Reply
	if err := json.Unmarshal([]byte(got.stdout), &r); err != nil || r.Score != 0.5 || r.Symbols["HALF"].Metric != 0.5 {
		t.Errorf("--json: got %+v, %v", got, err)
	}
}

func TestExplain(t *testing.T) {
	socket, _ := scanning(t, "")
	for _, c := range []struct {
		name   string
		args   []string
		letter string
		want   string
	}{
		{"little known", nil, "ONE ONE", `message     <1@example.com>  "hé"  77 bytes
client      a stranger

    score  symbol  group    what was found
     2.00  ONE     numbers  There is one.
                            [as a word]
   ------
     2.00

thresholds  greylist 4.00 (2.00 more), add header 6.00 (4.00 more), reject 15.00 (13.00 more)
action      no action
changes     delete X-Spam (1)
            add X-Spamd-Result: default: False [2.00 / 15.00] ONE(2.00)[as a word]
            add X-Rspamd-Server: mx.example.com
            add X-Rspamd-Scan-Time: 0.00
not told    the client's address, the HELO, the sender of the envelope, the recipients: what needs it was not looked at
time        0 ms, checks run: 1
`},
		{"composite, cap, rounding, several settings", []string{"-i", "203.0.113.7", "--helo", "mx.sender.example", "--hostname", "mx.sender.example", "-F", "joe@sender.example",
			"-r", "vip@example.com", "-r", "alice@example.com,bob@example.com"}, "ONE HALF THIRD BIG", `message     <1@example.com>  "hé"  88 bytes
client      203.0.113.7  mx.sender.example  HELO mx.sender.example  a stranger
from        <joe@sender.example>
to          <vip@example.com>  settings vip
            <alice@example.com>, <bob@example.com>  settings default

      score  symbol     group      what was found
     0.0000  ONE        numbers    There is one.
                                   [as a word]
                                   BOTH stands for it; alone it would add 1.0000
     0.0000  HALF       numbers    There is a half.
                                   [as a word]
                                   BOTH stands for it; alone it would add 0.5000
     0.3333  THIRD      numbers    There is a third.
                                   [as a word]
     9.0000  BIG        subject    There is something big.
                                   [as a word]
     2.0000  BOTH       composite  Both are there.
                                   [ONE, HALF]
    -3.0000  GROUP_CAP  caps       What the symbols of a group weigh more than the group may altogether.
                                   [subject 6.00 of 9.00]
   --------
     8.3333
       8.33                        rounded

thresholds  vip: score 8.33, reject 30.00 (21.67 more); no action, counts
            default: score 8.33, greylist 4.00 reached, add header 6.00 reached, reject 15.00 (6.67 more); add header
            the mildest action counts for all
action      no action
changes     delete X-Spam (1)
            add X-Spamd-Result: default: False [8.33 / 30.00] BIG(9.00)[as a word] GROUP_CAP(-3.00)[subject 6.00 of 9.00] BOTH(2.00)[ONE, HALF] THIRD(0.33)[as a word]
            add X-Rspamd-Server: mx.example.com
            add X-Rspamd-Scan-Time: 0.00
time        0 ms, checks run: 1
`},
		{"forced, ours, failed", []string{"-i", "192.0.2.1", "-u", "joe", "-F", "<>", "--profile", "-d", "vip@example.com", "--helo", "x"}, "REFUSED", `message     <1@example.com>  "hé"  77 bytes
client      192.0.2.1  HELO x  user joe  logged in
from        <>
settings    vip
as mail     it is not scanned: it is our own (strict_auth = no)

symbols     none
thresholds  reject 30.00 (30.00 more)
forced by   words: reject "Not that word"
action      reject
reply       554 5.7.1 Not that word [0123456789]
not told    the client's name, the recipients: what needs it was not looked at
time        0 ms, checks run: 1
                     0 us  words
`},
		{"softened, not known", []string{"-i", "192.0.2.1", "--settings-id", "nobody"}, "BIG", `message     <1@example.com>  "hé"  73 bytes
client      192.0.2.1  in our_networks
as mail     it is not scanned: it is our own (strict_auth = no)

`},
		{"failed", nil, "FAIL", "not known   check words: no?mood\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := call(noStdin(t), nil, append([]string{"--socket", socket, "explain", save(t, head+c.letter+"\n")}, c.args...)...)
			text := regexp.MustCompile(`(?m)^time        [0-9.]+ ms`).ReplaceAllString(got.stdout, "time        0 ms")
			if len(c.want) < 300 && strings.Contains(text, c.want) {
				return // a part of it
			}
			if diff := cmp.Diff(c.want, text); diff != "" || got.code != 0 || got.stderr != "" {
				t.Errorf("code %d, stderr %q (-want +got):\n%s", got.code, got.stderr, diff)
			}
		})
	}
	got := call(noStdin(t), nil, "--socket", socket, "explain", save(t, ""))
	if got.code != 0 || got.stdout != "an empty message: there is nothing to look at\n" {
		t.Errorf("nothing: got %+v", got)
	}
	got = call(strings.NewReader(head+"ONE\n"), nil, "--socket", socket, "--json", "explain", "-")
	var r controller.Reply
	if err := json.Unmarshal([]byte(got.stdout), &r); err != nil || r.Explanation == nil || len(r.Explanation.Rows) != 1 {
		t.Errorf("--json: got %+v, %v", got, err)
	}
}

// TestLetterRefused is about messages that nobody looks at.
func TestLetterRefused(t *testing.T) {
	socket, host := scanning(t, "secret")
	none := filepath.Join(t.TempDir(), "none")
	path := save(t, head+"ONE\n")
	other := otherServer(t)
	for _, c := range []struct {
		args  []string
		stdin string
		code  int
		want  string // in stderr
	}{
		{[]string{"--socket", none}, "", 3, "unreachable: " + none},
		{[]string{"-h", host}, "", 3, "password missing or wrong"},
		{[]string{"-h", host, "-P", "secret"}, "", 0, ""},
		{[]string{"-h", host, "-P", "-"}, "secret\n", 0, ""},
		{[]string{"-h", other}, "", 3, "is this rmilter?"},
		{[]string{"--socket", socket, "-i", "here"}, "", 64, `--ip: "here" is not an address`},
		{[]string{"--socket", socket, "-u", "a\nb"}, "", 64, "control characters"},
		{[]string{"--socket", socket, "--helo", strings.Repeat("x", 2000)}, "", 1, "HTTP 400: Helo is longer than 1024 bytes"},
	} {
		for _, command := range []string{"symbols", "explain"} {
			got := call(strings.NewReader(c.stdin), nil, append([]string{command, path}, c.args...)...)
			if got.code != c.code || !strings.Contains(got.stderr, c.want) || c.code == 0 != (got.stdout != "") {
				t.Errorf("%s %.200v: got %+v, want code %d and %q", command, c.args, got, c.code, c.want)
			}
		}
	}
	if got := call(strings.NewReader("x"), nil, "symbols", "-h", host, "-P", "-", "-"); got.code != 64 {
		t.Errorf("password and message on standard input: got %+v", got)
	}
}

// otherServer is an HTTP server that knows nothing of scans.
func otherServer(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("{}")) })}
	go s.Serve(ln)
	t.Cleanup(func() { s.Close() })
	return ln.Addr().String()
}
