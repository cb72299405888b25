package ucl

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestServers(t *testing.T) {
	for _, c := range []struct {
		in   string
		want string // as written
		list Servers
	}{
		{"localhost", "localhost", Servers{{Host: "localhost"}}},
		{"r:localhost:11333", "localhost:11333", Servers{{Host: "localhost", Port: 11333}}},
		{"r:11333", "r:11333", Servers{{Host: "r", Port: 11333}}},
		{"r:192.0.2.1", "192.0.2.1", Servers{{Host: "192.0.2.1"}}},
		{"192.0.2.1:3310:2", "192.0.2.1:3310:2", Servers{{Host: "192.0.2.1", Port: 3310, Priority: 2}}},
		{"[2001:db8::1]:6379", `"[2001:db8::1]:6379"`, Servers{{Host: "2001:db8::1", Port: 6379}}},
		{"[2001:db8::1]:6379:7", `"[2001:db8::1]:6379:7"`, Servers{{Host: "2001:db8::1", Port: 6379, Priority: 7}}},
		{"[2001:db8::1]", `"[2001:db8::1]"`, Servers{{Host: "2001:db8::1"}}},
		{`"2001:db8::1"`, `"[2001:db8::1]"`, Servers{{Host: "2001:db8::1"}}},
		{"/run/clamav/clamd_1.ctl", "/run/clamav/clamd_1.ctl", Servers{{Path: "/run/clamav/clamd_1.ctl"}}},
		{"unix:/run/redis.sock", "/run/redis.sock", Servers{{Path: "/run/redis.sock"}}},
		{"local:/run/redis.sock", "/run/redis.sock", Servers{{Path: "/run/redis.sock"}}},
		{"a, b:1, /c", "a, b:1, /c", Servers{{Host: "a"}, {Host: "b", Port: 1}, {Path: "/c"}}},
		{`"a:1,b:2; c"`, "a:1, b:2, c", Servers{{Host: "a", Port: 1}, {Host: "b", Port: 2}, {Host: "c"}}},
		{"[a, b]", "a, b", Servers{{Host: "a"}, {Host: "b"}}},
		{"[]", "[]", nil},
	} {
		var s Servers
		if got := set(t, &s, c.in); got != c.want {
			t.Errorf("%s: got %s, want %s", c.in, got, c.want)
		}
		if diff := cmp.Diff(c.list, s); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.in, diff)
		}
		if again := set(t, new(Servers), c.want); again != c.want {
			t.Errorf("%s is written as %s, which is then read as %s", c.in, c.want, again)
		}
	}
}

func TestServerFaults(t *testing.T) {
	const (
		any  = "expected HOST, HOST:PORT or /PATH"
		port = "expected a port of 1 to 65535 after the host"
		path = "expected a path that begins with / and has at most 103 bytes"
	)
	for in, want := range map[string]string{
		"1.2.3":                               any,
		"192.0.2.256:25":                      any,
		"a/b":                                 any,
		":25":                                 any,
		"*:25":                                any,
		"-":                                   any,
		`"[2001:db8::1"`:                      any,
		`"[2001:db8::1]25"`:                   any,
		`"[192.0.2.1]:25"`:                    any,
		"a:":                                  port,
		"a:0":                                 port,
		"a:65536":                             port,
		"a:smtp":                              port,
		"a:-1":                                port,
		`"[::1]:"`:                            port,
		"a:25:":                               "expected a priority of 0 to 65535 after the port",
		"a:25:high":                           "expected a priority of 0 to 65535 after the port",
		"a:25:1:2":                            "expected a priority of 0 to 65535 after the port",
		"unix:run/x":                          path,
		"unix:":                               path,
		`"/` + strings.Repeat("x", 103) + `"`: path,
	} {
		want = "ERR " + quoteFor(strings.Trim(in, `"`)) + " is not a server; " + want
		if got := set(t, new(Servers), in); got != want {
			t.Errorf("%s:\n got %s\nwant %s", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"[a, [b]]":    "ERR a list within a list; expected a list of values",
		"{ b = 1 }":   "ERR a block; expected a list of values",
		"{a, [b]}":    "ERR a list within a list; expected a list of values",
		"a:0, b:0, c": "ERR \"a:0\" is not a server; expected a port of 1 to 65535 after the host\n\"b:0\" is not a server; expected a port of 1 to 65535 after the host",
		strings.TrimSuffix(strings.Repeat("a, ", 33), ", "): "ERR 33 servers; expected at most 32",
	} {
		if got := set(t, new(Servers), in); got != want {
			t.Errorf("%s:\n got %s\nwant %s", in, got, want)
		}
	}
}

func TestServersDecode(t *testing.T) {
	var s Servers
	section := &Section{Options: []Option{{Name: "servers", Value: &s}}}
	var ds Diagnostics
	Decode(read(t, "servers = {a:1, b:2}, {c}\nservers += [{d, e}, f]\nservers += {g, h}"), section, &ds)
	if got, want := s.String(), "a:1, c, d, f, g"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	want := []string{
		"t.conf:1:11: warning: servers: mirrored servers; expected one, the first counts\n    servers = {a:1, b:2}, {c}",
		"t.conf:2:13: warning: servers: mirrored servers; expected one, the first counts\n    servers += [{d, e}, f]",
		"t.conf:3:12: warning: servers: mirrored servers; expected one, the first counts\n    servers += {g, h}",
	}
	if diff := cmp.Diff(strings.Join(want, "\n"), remarks(&ds)); diff != "" {
		t.Errorf("remarks (-want +got):\n%s", diff)
	}
	for _, c := range []struct {
		server Server
		want   string
	}{
		{Server{Host: "a"}, "tcp a:6379"},
		{Server{Host: "a", Port: 1}, "tcp a:1"},
		{Server{Host: "::1"}, "tcp [::1]:6379"},
		{Server{Path: "/x"}, "unix /x"},
	} {
		network, address := c.server.Address(6379)
		if got := fmt.Sprint(network, " ", address); got != c.want {
			t.Errorf("%+v: got %s, want %s", c.server, got, c.want)
		}
	}
}
