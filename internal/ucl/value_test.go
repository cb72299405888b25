package ucl

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// set reads a directive `x = TEXT` into a value and returns what the value then
// writes, or the fault.
func set(t *testing.T, v Value, text string) string {
	t.Helper()
	b := read(t, "x = "+text)
	if len(b.Directives) != 1 {
		t.Fatalf("%q is read as %d directives, want 1", text, len(b.Directives))
	}
	if err := v.Set(b.Directives[0].Value, false); err != nil {
		return "ERR " + err.Error()
	}
	return v.String()
}

func TestValues(t *testing.T) {
	type level string
	for _, c := range []struct {
		fresh    func() Value
		in, want string
	}{
		{func() Value { return new(Size) }, "0", "0"},
		{func() Value { return new(Size) }, "1023", "1023"},
		{func() Value { return new(Size) }, "10M", "10M"},
		{func() Value { return new(Size) }, "10m", "10M"},
		{func() Value { return new(Size) }, "2048k", "2M"},
		{func() Value { return new(Size) }, "10MB", "10M"},
		{func() Value { return new(Size) }, "10 MiB", "10M"},
		{func() Value { return new(Size) }, "1.5g", "1536M"},
		{func() Value { return new(Size) }, `"64k"`, "64k"},
		{func() Value { return new(Size) }, "1t", "1024G"},
		{func() Value { return new(Size) }, "10X", `ERR "10X" is not a size; expected a number of bytes, or one with k, m or g as in 10M`},
		{func() Value { return new(Size) }, "10i", `ERR "10i" is not a size; expected a number of bytes, or one with k, m or g as in 10M`},
		{func() Value { return new(Size) }, "-1", `ERR "-1" is not a size; expected a number of bytes, or one with k, m or g as in 10M`},
		{func() Value { return new(Size) }, "1.2.3k", `ERR "1.2.3k" is not a size; expected a number of bytes, or one with k, m or g as in 10M`},
		{func() Value { return new(Size) }, ".", `ERR "." is not a size; expected a number of bytes, or one with k, m or g as in 10M`},
		{func() Value { return new(Size) }, `""`, `ERR "" is not a size; expected a number of bytes, or one with k, m or g as in 10M`},
		{func() Value { return new(Size) }, "9999999t", `ERR "9999999t" is too large; expected less than 8388608t`},
		{func() Value { return new(Size) }, "1, 2", `ERR a list of 2 values; expected one value (a fraction has a point, as in 1.2)`},
		{func() Value { return new(Size) }, "[]", `ERR an empty list; expected one value`},
		{func() Value { return new(Size) }, "{ a = 1 }", `ERR a block; expected one value`},
		{func() Value { return new(Size) }, "[5k]", "5k"},

		{func() Value { return new(Duration) }, "0", "0s"},
		{func() Value { return new(Duration) }, "500ms", "500ms"},
		{func() Value { return new(Duration) }, "5m", "5m"},
		{func() Value { return new(Duration) }, "5min", "5m"},
		{func() Value { return new(Duration) }, "300s", "5m"},
		{func() Value { return new(Duration) }, "90S", "90s"},
		{func() Value { return new(Duration) }, "0.2s", "200ms"},
		{func() Value { return new(Duration) }, "1.5h", "90m"},
		{func() Value { return new(Duration) }, "48h", "2d"},
		{func() Value { return new(Duration) }, "1w", "7d"},
		{func() Value { return new(Duration) }, "30 s", "30s"},
		{func() Value { return new(Duration) }, "0.5ms", "0.5ms"},
		{func() Value { return new(Duration) }, "30", `ERR the time 30 has no unit; expected ms, s, m, h, d or w: did you mean 30s?`},
		{func() Value { return new(Duration) }, "2y", "730d"},
		{func() Value { return new(Duration) }, "30q", `ERR "q" is not a unit of time; expected ms, s, m, h, d or w`},
		{func() Value { return new(Duration) }, "soon", `ERR "soon" is not a time; expected a number with ms, s, m, h, d or w as in 30s`},
		{func() Value { return new(Duration) }, "1h30m", `ERR "1h30m" is not a time; expected one number with one unit as in 90s`},
		{func() Value { return new(Duration) }, "99999999w", `ERR "99999999w" is too long; expected less than 290 years`},

		{func() Value { return new(Float) }, "4.50", "4.5"},
		{func() Value { return new(Float) }, "-3", "-3"},
		{func() Value { return new(Float) }, "NaN", `ERR "NaN" is not a number; expected one as in 4.5`},
		{func() Value { return new(Float) }, "1e9", `ERR "1e9" is not a number; expected one as in 4.5`},
		{func() Value { return new(Int) }, "-42", "-42"},
		{func() Value { return new(Int) }, "1k", `ERR "1k" is not a whole number; expected digits only`},
		{func() Value { return new(Int) }, "99999999999999999999", `ERR "99999999999999999999" has too many digits; expected at most 18`},
		{func() Value { return new(Flag) }, "Yes", "yes"},
		{func() Value { return new(Flag) }, "ON", "yes"},
		{func() Value { return new(Flag) }, "1", "yes"},
		{func() Value { return new(Flag) }, "false", "no"},
		{func() Value { return new(Flag) }, "perhaps", `ERR "perhaps" is not a flag; expected yes or no`},
		{func() Value { return new(Mode) }, "00600", "0600"},
		{func() Value { return new(Mode) }, `"0770"`, "0770"},
		{func() Value { return new(Mode) }, "0888", `ERR "0888" is not a file mode; expected octal digits as in 0600`},
		{func() Value { return new(Mode) }, "4755", `ERR "4755" is not a file mode; expected octal digits as in 0600`},
		{func() Value { return Within(new(Int), 1, 10) }, "10", "10"},
		{func() Value { return Within(new(Int), 1, 10) }, "11", `ERR 11 is out of range; expected 1 to 10`},
		{func() Value { return Within(new(Duration), Duration(time.Second), Duration(time.Hour)) }, "1ms", `ERR 1ms is out of range; expected 1s to 1h`},
		{func() Value { return Within(new(Size), 1<<10, 1<<20) }, "2g", `ERR 2G is out of range; expected 1k to 1M`},
		{func() Value { return Within(new(Float), 0, 1) }, "x", `ERR "x" is not a number; expected one as in 4.5`},

		{func() Value { return Optional(new(*Float), "number; expected one as in 4.5, or default") }, "4.50", "4.5"},
		{func() Value { return Optional(new(*Float), "number; expected one as in 4.5, or default") }, "DEFAULT", "default"},
		{func() Value { return Optional(new(*Float), "number; expected one as in 4.5, or default") }, "x", `ERR "x" is not a number; expected one as in 4.5, or default`},
		{func() Value { f := new(Flag); return Optional(&f, "choice; expected yes, no or default") }, "default", "default"},
		{func() Value { f := new(Flag); return Optional(&f, "choice; expected yes, no or default") }, "on", "yes"},
		{func() Value { return Optional(new(*Flag), "choice; expected yes, no or default") }, "a, b", "ERR a list of 2 values; expected one value (a text with commas needs quotes)"},

		{func() Value { return new(String) }, "Try again later", `"Try again later"`},
		{func() Value { return new(String) }, `"a \"b\" $2$x"`, `"a \"b\" $2$x"`},
		{func() Value { return new(String) }, "Sorry, no", `ERR a list of 2 values; expected one value (a text with commas needs quotes)`},
		{func() Value { return new(Strings) }, "a, <>, \"b c\"", `a, "<>", "b c"`},
		{func() Value { return new(Strings) }, "[]", "[]"},
		{func() Value { return new(Strings) }, "[a, [b]]", "ERR a list within a list; expected a list of values"},
		{func() Value { return new(Strings) }, "[a, { b = 1 }]", "ERR a block within a list; expected a list of values"},
		{func() Value { return new(Strings) }, "{ b = 1 }", "ERR a block; expected a list of values"},
		{func() Value { return Enum(new(level), "error", "warn", "info") }, "WARN", "warn"},
		{func() Value { return Enum(new(level), "error", "warn", "info") }, "loud", `ERR "loud" is not known here; expected error, warn or info`},

		{func() Value { return new(Recipients) }, "Alice, @Example.COM, <bob@example.org>, user1, *@example.net", "alice, @example.com, bob@example.org, user1, @example.net"},
		{func() Value { return new(Recipients) }, `"a b; c"`, "a, b, c"},
		{func() Value { return new(Recipients) }, "postmaster, <>", "postmaster"},
		{func() Value { return new(Recipients) }, "a@", `ERR "a@" is not a recipient; expected user, @domain or user@domain`},
		{func() Value { return new(Recipients) }, "*", `ERR "*" is not a recipient; expected user, @domain or user@domain`},
		{func() Value { return new(Recipients) }, "a@bücher.example", `ERR the domain of "a@bücher.example" is not ASCII; expected its xn-- form`},
	} {
		if got := set(t, c.fresh(), c.in); got != c.want {
			t.Errorf("%s: got %s, want %s", c.in, got, c.want)
			continue
		}
		if strings.HasPrefix(c.want, "ERR") {
			continue
		}
		if again := set(t, c.fresh(), c.want); again != c.want {
			t.Errorf("%s is written as %s, which is then read as %s", c.in, c.want, again)
		}
	}
}

func TestValueStaysAfterError(t *testing.T) {
	n, r, s := MustNetworks("192.0.2.1"), MustRecipients("a"), MustSockets("fd:3")
	i := Int(5)
	for _, v := range []Value{&n, &r, &s, Within(&i, 1, 10)} {
		before := v.String()
		if err := v.Set(ListNode("192.0.2.2", "1.2.3", "a@", "fd:4"), false); err == nil {
			t.Errorf("%T: no error", v)
		}
		if got := v.String(); got != before {
			t.Errorf("%T: got %s after an error, want %s", v, got, before)
		}
	}
}

func TestAppendDoesNotAlias(t *testing.T) {
	base := Strings(make([]string, 1, 8))
	a, b := base, base
	if err := a.Set(TextNode("x"), true); err != nil {
		t.Fatal(err)
	}
	if err := b.Set(TextNode("y"), true); err != nil {
		t.Fatal(err)
	}
	if a[1] != "x" || b[1] != "y" {
		t.Errorf("got %v and %v: two lists share their memory", a, b)
	}
}

func TestSecret(t *testing.T) {
	const hidden = "hunter2"
	s := NewSecret(hidden)
	inner := struct{ p Secret }{s}
	coded, err := json.Marshal(map[string]any{"p": s})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "p", s, "q", &s)
	for _, shown := range []string{
		s.String(), fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %q %s", s, s, s, s, s), fmt.Sprintf("%v %+v %#v", inner, inner, inner),
		fmt.Sprintf("%v %s", &s, &s), string(coded), log.String(),
	} {
		if strings.Contains(shown, hidden) {
			t.Errorf("the secret is shown: %s", shown)
		}
	}
	if s.Reveal() != hidden || !s.IsSet() || !s.Equal(NewSecret(hidden)) || s.Equal(NewSecret("x")) {
		t.Error("the secret is not kept")
	}
	var none Secret
	if none.IsSet() || none.String() != `""` || none.Reveal() != "" {
		t.Errorf("the zero secret is %s", none)
	}
}

func TestRecipientsMatch(t *testing.T) {
	r := MustRecipients("postmaster", "@example.org", "bob@example.com")
	raw := Recipients{items: r.items} // not prepared
	for _, c := range []struct {
		local, domain string
		want          bool
	}{
		{"postmaster", "anywhere.example", true},
		{"postmaster", "", true},
		{"alice", "example.org", true},
		{"", "example.org", true},
		{"bob", "example.com", true},
		{"alice", "example.com", false},
		{"bob", "example.net", false},
		{"bob", "sub.example.org", false},
		{"", "", false},
	} {
		if got := r.Match(c.local, c.domain); got != c.want {
			t.Errorf("Match(%q, %q): got %v, want %v", c.local, c.domain, got, c.want)
		}
		if got := raw.Match(c.local, c.domain); got != c.want {
			t.Errorf("unprepared Match(%q, %q): got %v, want %v", c.local, c.domain, got, c.want)
		}
	}
	if (*Recipients)(nil).Match("a", "b") || new(Recipients).Match("a", "b") {
		t.Error("an empty list matches")
	}
}

func TestSockets(t *testing.T) {
	for _, c := range []struct{ in, want, network, address string }{
		{"inet:9900@127.0.0.1", "inet:9900@127.0.0.1", "tcp4", "127.0.0.1:9900"},
		{"inet:9900", "inet:9900", "tcp4", ":9900"},
		{"inet:9900@mx.example.com", "inet:9900@mx.example.com", "tcp4", "mx.example.com:9900"},
		{"inet6:9900@[::1]", "inet6:9900@[::1]", "tcp6", "[::1]:9900"},
		{"inet6:9900@::1", "inet6:9900@[::1]", "tcp6", "[::1]:9900"},
		{"inet6:9900", "inet6:9900", "tcp6", ":9900"},
		{"unix:/run/rmilter/rmilter.sock", "unix:/run/rmilter/rmilter.sock", "unix", "/run/rmilter/rmilter.sock"},
		{"local:/run/x.sock", "unix:/run/x.sock", "unix", "/run/x.sock"},
		{"/run/x.sock", "unix:/run/x.sock", "unix", "/run/x.sock"},
		{`"/run/x.sock mode=0660 owner=u group=g"`, `"unix:/run/x.sock mode=0660 owner=u group=g"`, "unix", "/run/x.sock"},
		{"fd:3", "fd:3", "", ""},
		{"systemd:milter", "systemd:milter", "", ""},
		{"systemd", "systemd", "", ""},
		{"127.0.0.1:11334", "127.0.0.1:11334", "tcp", "127.0.0.1:11334"},
		{"[::1]:11334", `"[::1]:11334"`, "tcp", "[::1]:11334"},
		{"localhost:11334", "localhost:11334", "tcp", "localhost:11334"},
		{`"*:11333"`, `"*:11333"`, "tcp", ":11333"},
		{"*v4:11333", "inet:11333", "tcp4", ":11333"},
		{"*v6:11333", "inet6:11333", "tcp6", ":11333"},
		{"inet:0@127.0.0.1", "inet:0@127.0.0.1", "tcp4", "127.0.0.1:0"},
	} {
		var s Sockets
		if got := set(t, &s, c.in); got != c.want {
			t.Errorf("%s: got %s, want %s", c.in, got, c.want)
			continue
		}
		if s[0].Network() != c.network || s[0].Address() != c.address {
			t.Errorf("%s: got %s %s, want %s %s", c.in, s[0].Network(), s[0].Address(), c.network, c.address)
		}
		if again := set(t, new(Sockets), c.want); again != c.want {
			t.Errorf("%s is written as %s, which is then read as %s", c.in, c.want, again)
		}
	}
	var s Sockets
	if got, want := set(t, &s, "inet:9900@127.0.0.1, unix:/x"), "inet:9900@127.0.0.1, unix:/x"; got != want {
		t.Errorf("list: got %s, want %s", got, want)
	}
}

func TestSocketFaults(t *testing.T) {
	const (
		inet = "inet:PORT@HOST as in inet:9900@127.0.0.1"
		any  = "inet:PORT@HOST, unix:PATH, fd:N, systemd:NAME or HOST:PORT"
	)
	for in, want := range map[string]string{
		"9900":                         any,
		"rmilter":                      any,
		"inet:":                        inet,
		"inet:99000":                   "a port of 0 to 65535",
		"inet:9900@":                   inet,
		"inet:9900@::1":                "inet6:PORT@[ADDRESS] as in inet6:9900@[::1]",
		"inet:9900@a/b":                inet,
		"inet6:9900@127.0.0.1":         inet,
		"inet6:9900@":                  "inet6:PORT@[ADDRESS] as in inet6:9900@[::1]",
		"tcp:9900":                     inet,
		"2001:db8::1:9900":             "brackets around the address as in [2001:db8::1]:9900",
		"unix:rmilter.sock":            "a path that begins with /",
		"unix:":                        "a path that begins with /",
		"/x mode=9":                    "mode= with octal digits as in mode=0660",
		"/x group=":                    "a value after group=",
		"/x colour=red":                "mode=, owner= or group= after the path",
		"/" + strings.Repeat("x", 103): "a path of at most 103 bytes",
		"fd:x":                         "fd:N with the number of an inherited descriptor",
		"systemd:":                     "systemd:NAME with the name from FileDescriptorName=",
		"localhost:smtp":               "a port of 0 to 65535 after the host",
		"a b:25":                       any,
	} {
		_, err := ParseSocket(in)
		if err == nil {
			t.Errorf("%s: no error", in)
			continue
		}
		if got, want := err.Error(), quoteFor(in)+" is not a socket; expected "+want; got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}
