package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// asked is what a daemon answers about DNS lists.
const asked = `{"what":"203.0.113.7","lists":[
{"name":"spamhaus","section":"rbl","zone":"zen.spamhaus.org","state":"ok","asked":"7.113.0.203.zen.spamhaus.org","answers":["127.0.0.4","127.0.0.10"],
 "symbols":[{"symbol":"RBL_SPAMHAUS_XBL","weight":4,"answer":"127.0.0.4"},{"symbol":"RBL_SPAMHAUS_PBL","weight":2,"answer":"127.0.0.10"}],
 "blocked":false,"undocumented":[],"texts":["see \u001b[31mhttps://list.example/"],"server":"127.0.0.1:53","cached":false,"took_ms":11.25,"error":""},
{"name":"mailspike","section":"rbl","zone":"rep.mailspike.net","state":"ok","asked":"7.113.0.203.rep.mailspike.net","answers":[],"symbols":[],"blocked":false,"undocumented":[],"texts":[],"server":"127.0.0.1:53","cached":true,"took_ms":0.01,"error":""}MORE]}`

const silent = `,
{"name":"dnswl","section":"rbl","zone":"list.dnswl.org","state":"out","asked":"7.113.0.203.list.dnswl.org","answers":["127.0.0.255"],"symbols":[],"blocked":true,"undocumented":[],"texts":[],"server":"127.0.0.1:53","cached":false,"took_ms":4,"error":""},
{"name":"odd","section":"rbl","zone":"odd.example","state":"ok","asked":"7.113.0.203.odd.example","answers":["192.0.2.1"],"symbols":[],"blocked":false,"undocumented":["192.0.2.1"],"texts":[],"server":"127.0.0.1:53","cached":false,"took_ms":4,"error":""},
{"name":"slow","section":"rbl","zone":"slow.example","state":"off","asked":"7.113.0.203.slow.example","answers":[],"symbols":[],"blocked":false,"undocumented":[],"texts":[],"server":"","cached":false,"took_ms":5000,"error":"dns: A 7.113.0.203.slow.example: timeout"}`

const shownGood = `listed   spamhaus   7.113.0.203.zen.spamhaus.org      11 ms  127.0.0.4 RBL_SPAMHAUS_XBL (4.00), 127.0.0.10 RBL_SPAMHAUS_PBL (2.00)
         see ?[31mhttps://list.example/
-        mailspike  7.113.0.203.rep.mailspike.net     cache
`

const shownSilent = `blocked  dnswl      7.113.0.203.list.dnswl.org         4 ms  127.0.0.255  (mail: out)
unknown  odd        7.113.0.203.odd.example            4 ms  192.0.2.1
error    slow       7.113.0.203.slow.example       5,000 ms  dns: A 7.113.0.203.slow.example: timeout  (mail: off)
`

func TestRBL(t *testing.T) {
	for _, tt := range []struct {
		name           string
		args           []string
		query          string // what the daemon is asked
		status         int
		body           string
		code           int
		stdout, stderr string
	}{
		{"all", []string{"203.0.113.7"}, "what=203.0.113.7", 200, strings.Replace(asked, "MORE", "", 1), 0, shownGood, ""},
		{"silent ones", []string{"203.0.113.7"}, "what=203.0.113.7", 200, strings.Replace(asked, "MORE", silent, 1), 1, shownGood + shownSilent, ""},
		{"one", []string{"spamhaus", "joe+x@spam.example"}, "list=spamhaus&what=joe%2Bx%40spam.example", 200, `{"what":"x","lists":[]}`, 0, "no list is asked about that\n", ""},
		{"no such list", []string{"nothing", "spam.example"}, "list=nothing&what=spam.example", 404, `{"error":"there is no such list"}`, 1, "", "rmilterctl: there is no such list\n"},
		{"nothing to ask about", []string{"joe"}, "what=joe", 400, `{"error":"\"joe\" is no address"}`, 64, "", "rmilterctl: \"joe\" is no address\n"},
		{"off", []string{"spam.example"}, "what=spam.example", 409, `{"error":"DNS lists are off in the configuration"}`, 3, "", "HTTP 409: DNS lists are off in the configuration"},
		{"another program", []string{"spam.example"}, "what=spam.example", 200, `{}`, 3, "", "the answer makes no sense"},
		{"another program's page", []string{"spam.example"}, "what=spam.example", 404, `Not found`, 3, "", "HTTP 404, is this rmilter?"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet || r.URL.Path != "/rbl" || r.URL.RawQuery != tt.query {
					t.Errorf("asked %s %s?%s, want GET /rbl?%s", r.Method, r.URL.Path, r.URL.RawQuery, tt.query)
				}
				w.WriteHeader(tt.status)
				w.Write([]byte(tt.body))
			}))
			defer s.Close()
			args := append([]string{"-h", strings.TrimPrefix(s.URL, "http://"), "rbl"}, tt.args...)
			got := call(noStdin(t), nil, args...)
			if diff := cmp.Diff(tt.stdout, got.stdout); diff != "" || got.code != tt.code || !strings.Contains(got.stderr, tt.stderr) {
				t.Errorf("got code %d, stderr %q, want %d, %q (-want +got):\n%s", got.code, got.stderr, tt.code, tt.stderr, diff)
			}
		})
	}
}

// TestRBLJSON wants the daemon's answer with the exit code of the lines.
func TestRBLJSON(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(strings.Replace(asked, "MORE", silent, 1)))
	}))
	defer s.Close()
	got := call(noStdin(t), nil, "-h", strings.TrimPrefix(s.URL, "http://"), "--json", "rbl", "203.0.113.7")
	if got.code != 1 || !strings.Contains(got.stdout, `"asked": "7.113.0.203.zen.spamhaus.org"`) || got.stderr != "" {
		t.Errorf("got %d, %q, %q", got.code, got.stdout, got.stderr)
	}
	for _, args := range [][]string{{"rbl"}, {"rbl", "a", "b", "c"}} {
		if got := call(noStdin(t), nil, args...); got.code != exitUsage {
			t.Errorf("%q: got %d, want %d", args, got.code, exitUsage)
		}
	}
}
