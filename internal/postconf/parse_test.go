package postconf

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/config"
	"rmilter/internal/ucl"
)

func TestParse(t *testing.T) {
	p, err := Parse(stock, "smtpd_milters = $x\nconfig_directory = /etc/postfix\n",
		"smtp       inet  n       -       y       -       -       smtpd -o {smtpd_milters={ inet:[::1]:9900, connect_timeout = 4s }, unix:/run/x}\n"+
			"[::1]:10025 inet n   -       -       -       -       smtpd -v\nshort line\n# comment a b c d e f g\n",
		"smtp/inet/smtpd_milters = { inet:[::1]:9900, connect_timeout = 4s }, unix:/run/x\n"+
			"[::1]:10025/inet/smtpd_milters =\nno/such/thing = 1\nodd = 2\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []*Service{
		{"smtp", "inet", "y", "smtpd", map[string]string{"smtpd_milters": "{ inet:[::1]:9900, connect_timeout = 4s }, unix:/run/x"}},
		{"[::1]:10025", "inet", "-", "smtpd", map[string]string{"smtpd_milters": ""}},
	}
	if diff := cmp.Diff(want, p.Services); diff != "" {
		t.Errorf("services, -want +got:\n%s", diff)
	}
	if got := p.Value(p.Services[1], "smtpd_milters"); got != "" {
		t.Errorf("an empty override: got %q", got)
	}
	if got := p.Value(p.Services[1], "milter_protocol"); got != "6" {
		t.Errorf("without override: got %q", got)
	}
	if want := map[string]string{"smtpd_milters": "$x", "config_directory": "/etc/postfix"}; !maps.Equal(p.Set, want) {
		t.Errorf("set: got %v, want %v", p.Set, want)
	}
	if _, err := Parse("hello world\n", "", "", ""); err == nil {
		t.Error("any text is taken for postconf's")
	}
}

// TestBounds wants the largest configuration to take little time and one beyond it to
// be refused.
func TestBounds(t *testing.T) {
	var master, overrides strings.Builder
	list := strings.Repeat("{ inet:[::1]:9900, connect_timeout=1s } inet:localhost:8891 ", 1000)
	for i := range maxServices - len(stockServices()) {
		fmt.Fprintf(&master, "192.0.2.1:%d inet n - y - - smtpd\n", i+1)
		fmt.Fprintf(&overrides, "192.0.2.1:%d/inet/smtpd_milters = %s\n", i+1, list)
	}
	p, err := Parse(stock+"mynetworks = "+strings.Repeat("!192.0.2.1 192.0.2.0/24 ", maxPatterns), "", stockMaster+master.String(), overrides.String())
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	r := Check(p, config.Default(), Machine{FS: fstest.MapFS{}, User: lookupUser, Group: lookupGroup, Lookup: lookup})
	if took := time.Since(start); took > 10*time.Second || len(r.Findings) == 0 || len(r.Findings) > maxFindings {
		t.Errorf("got %d findings in %v, want at most %d in a moment", len(r.Findings), took, maxFindings)
	}
	if _, err := Parse(stock, "", stockMaster+master.String()+"one inet n - y - - smtpd\n", ""); err == nil {
		t.Error("one service too many is accepted")
	}
}

// stockServices are the services that every test has.
func stockServices() []string {
	return strings.Split(strings.TrimSpace(stockMaster), "\n")
}

func TestParseMilters(t *testing.T) {
	got := parseMilters("inet:127.0.0.1:9900, { inet:localhost:9900, connect_timeout=10s, { default_action = accept } },{ unix:rmilter/s , protocol = 4 }\tlocal:/x inet:[::1]:1 inet:9900 odd { } inet::25")
	want := []milterRef{
		{text: "inet:127.0.0.1:9900", host: "127.0.0.1", port: "9900"},
		{text: "inet:localhost:9900", host: "localhost", port: "9900", attr: map[string]string{"connect_timeout": "10s", "default_action": "accept"}},
		{text: "unix:rmilter/s", path: "rmilter/s", attr: map[string]string{"protocol": "4"}},
		{text: "local:/x", path: "/x"},
		{text: "inet:[::1]:1", host: "::1", port: "1"},
		{text: "inet:9900", host: "localhost", port: "9900"},
		{text: "odd"},
		{text: "", attr: map[string]string{}},
		{text: "inet::25", host: "localhost", port: "25"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(milterRef{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestParseTime(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "30": 30 * time.Second, "30s": 30 * time.Second, "5M": 5 * time.Minute, "2h": 2 * time.Hour, "1d": 24 * time.Hour, "1w": 168 * time.Hour,
	} {
		if got, ok := parseTime(text); !ok || got != want {
			t.Errorf("%q: got %v, %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "s", "-1s", "1x", "1.5s", "99999999999999999999", "2147483647w"} {
		if got, ok := parseTime(text); ok {
			t.Errorf("%q: got %v, want none", text, got)
		}
	}
}

func TestNetworkSets(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "",
		"192.0.2.0/25 192.0.2.128/25":           "192.0.2.0/24",
		"192.0.2.1,192.0.2.2,192.0.2.3":         "192.0.2.1, 192.0.2.2/31",
		"!192.0.2.0/25, 192.0.2.0/24":           "192.0.2.128/25",
		"192.0.2.0/24 !192.0.2.0/25":            "192.0.2.0/24",
		"!!192.0.2.1":                           "192.0.2.1",
		"0.0.0.0/0":                             "0.0.0.0/0",
		"!255.255.255.255 0.0.0.0/0 !0.0.0.0/0": "0.0.0.0/1, 128.0.0.0/2, 192.0.0.0/3, 224.0.0.0/4, 240.0.0.0/5 and more",
		"[::]/0 0.0.0.0/0":                      "0.0.0.0/0, [::]/0",
		"[::ffff:192.0.2.0]/120":                "192.0.2.0/24",
		"2001:db8::/32":                         "[2001:db8::]/32",
		"255.255.255.255 [::]":                  "255.255.255.255, [::]/128",
	} {
		got, unknown := parseNetworks(text)
		if got.String() != want || len(unknown) > 0 {
			t.Errorf("%q: got %q, unknown %q, want %q", text, got, unknown, want)
		}
	}
	const odd = "hash:/x !/etc/list [::1 192.0.2.0/33 192.0.2.1/24 192.0.2.1/x fe80::1%eth0 host.example"
	if got, unknown := parseNetworks(odd); len(got) > 0 || !slices.Equal(unknown, strings.Fields(odd)) {
		t.Errorf("got %v, unknown %q, want all of them unknown", got, unknown)
	}
	if _, unknown := parseNetworks(strings.Repeat("192.0.2.1 ", maxPatterns+7)); !slices.Equal(unknown, []string{"7 further patterns"}) {
		t.Errorf("too many: got %q", unknown)
	}
}

// TestUnit reads what systemd's units say of sockets.
func TestUnit(t *testing.T) {
	const enabled, unit, dropIn = "etc/systemd/system/sockets.target.wants/rmilter.socket", "lib/systemd/system/rmilter.socket", "etc/systemd/system/rmilter.socket.d/a.conf"
	for _, tt := range []struct{ name, unit, dropIn, want string }{
		{"port", "[Socket]\nListenStream=9900\n", "", `"*:9900"`},
		{"address", "ListenStream = 127.0.0.1:9900\n", "", "127.0.0.1:9900"},
		{"two", "ListenStream=[::1]:9900\nListenStream=/run/s\n", "", `"[::1]:9900", "unix:/run/s mode=0666"`},
		{"rights", "ListenStream=/run/s\nSocketMode=0660\nSocketUser=u\nSocketGroup=g\n", "", `"unix:/run/s mode=0660 owner=u group=g"`},
		{"reset", "ListenStream=9900\n", "ListenStream=\nListenStream=9901\n", `"*:9901"`},
		{"strange", "ListenStream=vsock::1\nListenStream=@abstract\nSocketMode=x\n", "", "[]"},
		{"the controller's", "ListenStream=11334\nFileDescriptorName=control\n", "", "[]"},
	} {
		files := fstest.MapFS{enabled: {}, unit: {Data: []byte(tt.unit)}, dropIn: {Data: []byte(tt.dropIn)}}
		if got := ucl.Sockets(unitSockets(files)).String(); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
		delete(files, enabled)
		if got := unitSockets(files); got != nil {
			t.Errorf("%s: got %v of a unit that isn't enabled", tt.name, got)
		}
	}
}

// TestEndpoint wants our sockets as main.cf has to name them.
func TestEndpoint(t *testing.T) {
	for socket, want := range map[string]string{
		"inet:9900": "inet:127.0.0.1:9900", "inet6:9900": "inet:[::1]:9900", "*:9900": "inet:127.0.0.1:9900", "inet:9900@192.0.2.1": "inet:192.0.2.1:9900",
		"inet6:9900@[2001:db8::1]": "inet:[2001:db8::1]:9900", "unix:/run/s": "unix:/run/s", "unix:/var/spool/postfix/a/s": "unix:a/s", "inet:0@127.0.0.1": "inet:127.0.0.1:9900",
	} {
		c := &checker{p: setup{}.postfix(t), listeners: ucl.MustSockets(socket)}
		if got := c.endpoint(); got != want {
			t.Errorf("%s: got %s, want %s", socket, got, want)
		}
	}
}

// TestTakes tells which addresses lead to a socket.
func TestTakes(t *testing.T) {
	c := &checker{p: setup{}.postfix(t), machine: Machine{Lookup: lookup}}
	for _, tt := range []struct {
		socket, addr string
		want         bool
	}{
		{"inet:1", "192.0.2.1", true}, {"inet:1", "2001:db8::1", false}, {"inet6:1", "::1", true}, {"inet6:1", "127.0.0.1", false},
		{"*:1", "::1", true}, {"*:1", "127.0.0.1", true}, {"0.0.0.0:1", "127.0.0.1", true}, {"0.0.0.0:1", "::1", false}, {"[::]:1", "127.0.0.1", true},
		{"inet:1@127.0.0.1", "127.0.0.1", true}, {"inet:1@127.0.0.1", "127.0.0.2", false},
		{"localhost:1", "127.0.0.1", true}, {"localhost:1", "::1", false}, {"inet6:1@localhost", "::1", true},
		{"filter.example:1", "192.0.2.7", true}, {"filter.example:1", "192.0.2.8", false}, {"nobody.example:1", "192.0.2.8", false},
	} {
		if got := c.takes(ucl.MustSockets(tt.socket)[0], netip.MustParseAddr(tt.addr)); got != tt.want {
			t.Errorf("%s, %s: got %v, want %v", tt.socket, tt.addr, got, tt.want)
		}
	}
}

// TestThisMachine asks the machine that runs the test.
func TestThisMachine(t *testing.T) {
	m := ThisMachine()
	uid, gids, ok := m.User("root")
	if gid, found := m.Group("root"); !ok || uid != 0 || found && !slices.Contains(gids, gid) {
		t.Errorf("root: got %d, %v, %v; group %d", uid, gids, ok, gid)
	}
	if _, _, ok := m.User("no such user"); ok {
		t.Error("a user that there is not")
	}
	if _, ok := m.Group("no such group"); ok {
		t.Error("a group that there is not")
	}
	if a, err := m.Lookup(context.Background(), "127.0.0.1"); err != nil || len(a) != 1 {
		t.Errorf("an address looked up: got %v, %v", a, err)
	}
	if _, err := m.FS.Open("."); err != nil {
		t.Error(err)
	}
}

// TestFind looks for the program in the right places only.
func TestFind(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	for _, d := range []string{a, b, filepath.Join(dir, "c", "postconf")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(a, "postconf"), nil, 0o600); err != nil { // not for running
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b, "postconf"), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if got, want := Find(strings.Join([]string{".", "c", filepath.Join(dir, "c"), a, b}, ":")), filepath.Join(b, "postconf"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// program writes a shell script in the place of postconf.
func program(t *testing.T, script string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "postconf")
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestRead(t *testing.T) {
	p, err := Read(context.Background(), program(t, `
test "$1 $2" = "-c /etc/other" || exit 7
test -z "$SECRET" || exit 8
case $3 in
-x) echo mail_version = 3.9; echo queue_directory = /q; echo 'postconf: warning: main.cf: unused parameter: x=1' >&2;;
-n) echo smtpd_milters = y;;
-M) echo smtp inet n - y - - smtpd;;
-Px) echo smtp/inet/a = b;;
esac
`), "/etc/other")
	if err != nil {
		t.Fatal(err)
	}
	want := &Postfix{
		Dir:      "/etc/other",
		Main:     map[string]string{"mail_version": "3.9", "queue_directory": "/q"},
		Set:      map[string]string{"smtpd_milters": "y"},
		Services: []*Service{{"smtp", "inet", "y", "smtpd", map[string]string{"a": "b"}}},
		Unused:   []string{"x=1"},
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, tt := range []struct{ script, want string }{
		{"echo 'postconf: warning: a' >&2; echo 'postconf: fatal: open /x/main.cf: No such file' >&2; exit 1", "postconf: fatal: open /x/main.cf: No such file"},
		{"exit 3", "exit status 3"},
		{"echo usage", "postconf printed no configuration of Postfix"},
		{"yes 'a line that comes again and again'", "writes more than 1048576 bytes"},
	} {
		if _, err := Read(context.Background(), program(t, tt.script), ""); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.script, err, tt.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Read(ctx, program(t, "sleep 60"), ""); err == nil {
		t.Error("a program that doesn't end is no error")
	}
}

// FuzzParse reads what might be postconf's output and checks it.
func FuzzParse(f *testing.F) {
	f.Add(stock+quickStart, stockMaster+submission, submissionNamed, "127.0.0.1")
	f.Add(stock+"smtpd_milters = { unix:x, {a=b} } inet:[::1]:9900 {{{ }}, inet:localhost:9900\n", "a:b pass - - - - - smtpd\n", "a:b/pass/smtpd_milters = {", "!192.0.2.1, [::]/0 hash:x")
	f.Add(stock+"smtpd_milters=unix:/../../s\n", stockMaster, "cleanup/unix/non_smtpd_milters = inet:9900\n", "0.0.0.0/0 !0.0.0.0/1 255.255.255.255")
	c := config.Default()
	c.Server.BindSocket = ucl.MustSockets("inet:9900@127.0.0.1", "unix:/var/spool/postfix/rmilter/s", "*:9901")
	m := Machine{FS: fstest.MapFS{}, User: lookupUser, Group: lookupGroup, Lookup: lookup}
	f.Fuzz(func(t *testing.T, main, master, overrides, networks string) {
		if len(main)+len(master)+len(overrides)+len(networks) > 20<<10 {
			return
		}
		p, err := Parse(main, main, master, overrides)
		if err != nil {
			return
		}
		p.Main["mynetworks"] = networks
		r := Check(p, c, m)
		for _, f := range r.Findings {
			if f.Text == "" || f.Effect == "" || f.ID == "" || f.Severity != Note && f.Severity != Warning {
				t.Errorf("a finding that says little: %+v", f)
			}
		}
		if want := len(p.Services) + 1; len(r.Services) > want {
			t.Errorf("%d services reported, want %d at most", len(r.Services), want)
		}
	})
}

// FuzzNetworks compares the set with the patterns, one address after the other.
func FuzzNetworks(f *testing.F) {
	f.Add("192.0.2.0/24 !192.0.2.128/25 0.0.0.0/0", []byte{192, 0, 2, 200})
	f.Add("!10.0.0.0/8, 10.1.0.0/16 [2001:db8::]/32 ![2001:db8::1]", []byte{0x20, 1, 0xd, 0xb8, 15: 1})
	f.Fuzz(func(t *testing.T, text string, b []byte) {
		a, ok := netip.AddrFromSlice(b)
		if !ok || len(text) > 2000 {
			return
		}
		a = a.Unmap()
		s, _ := parseNetworks(text)
		want := false
		for _, word := range splitList(text) {
			pattern := strings.TrimLeft(word, "!")
			if p, ok := parsePrefix(pattern); ok && p.Contains(a) {
				want = (len(word)-len(pattern))%2 == 0
				break
			}
		}
		one := newSet([]netip.Prefix{netip.PrefixFrom(a, a.BitLen())})
		if got := len(s.and(one)) == 1; got != want {
			t.Errorf("%q, %v: got %v, want %v", text, a, got, want)
		}
		list, more := s.prefixes(10000)
		if again := newSet(list); !more && !slices.Equal(again, s) {
			t.Errorf("%q: as networks %v, from %v", text, again, s)
		}
	})
}
