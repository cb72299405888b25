package options

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rmilter/internal/config"
	"rmilter/internal/ucl"
)

// A valueCase is one way to write a value. An empty form is one that the reference
// tells in words.
type valueCase struct {
	kind, form string // as the reference's table of values has them
	text       string // in the file
	want       string // what it means
}

func valueCases() []valueCase {
	return []valueCase{
		{"flag", "yes", "yes", "true"}, {"flag", "true", "true", "true"}, {"flag", "on", "on", "true"}, {"flag", "1", "1", "true"},
		{"flag", "no", "no", "false"}, {"flag", "false", "false", "false"}, {"flag", "off", "off", "false"}, {"flag", "0", "0", "false"},
		{"size", "", "1000", "1000"}, {"size", "k", "3k", "3072"}, {"size", "m", "3m", "3145728"}, {"size", "g", "3g", "3221225472"},
		{"time", "ms", "500ms", "500ms"}, {"time", "s", "90s", "1m30s"}, {"time", "m", "5m", "5m0s"}, {"time", "h", "2h", "2h0m0s"},
		{"time", "d", "3d", "72h0m0s"}, {"time", "w", "1w", "168h0m0s"},
		{"networks", "192.0.2.1", "192.0.2.1", "192.0.2.1/32"},
		{"networks", "192.0.2.0/24", "192.0.2.0/24, 198.51.100.9", "192.0.2.0/24 198.51.100.9/32"},
		{"networks", "[2001:db8::]/32", "[2001:db8::]/32", "2001:db8::/32"},
		{"networks", "", "mail.example.com", "203.0.113.25/32 2001:db8::25/128"},
		{"recipients", "user", "alice", "alice@example.com alice@example.org"},
		{"recipients", "@domain", "@example.org", "alice@example.org bob@example.org"},
		{"recipients", "user@domain", "bob@example.com, alice@example.org", "bob@example.com alice@example.org"},
		{"sockets", "inet:PORT@HOST", "inet:9900@127.0.0.1", "tcp4 127.0.0.1:9900"},
		{"sockets", "inet6:PORT@[ADDRESS]", "inet6:9900@[::1]", "tcp6 [::1]:9900"},
		{"sockets", "unix:PATH", "unix:/run/x.sock", "unix /run/x.sock"},
		{"sockets", "fd:N", "fd:3", "descriptor 3"},
		{"sockets", "systemd:NAME", "systemd:milter", "systemd milter"},
		{"sockets", "HOST:PORT", "localhost:11334, 127.0.0.1:11335", "tcp localhost:11334, tcp 127.0.0.1:11335"},
		{"sockets", "*:PORT", "*:11334", "tcp :11334"},
		{"servers", "HOST", "cache.example.com", "tcp cache.example.com:1"},
		{"servers", "HOST:PORT", "cache.example.com:6379, 192.0.2.1:6380", "tcp cache.example.com:6379, tcp 192.0.2.1:6380"},
		{"servers", "[ADDRESS]:PORT", "[2001:db8::1]:6379", "tcp [2001:db8::1]:6379"},
		{"servers", "/PATH", "/run/clamav/clamd.sock", "unix /run/clamav/clamd.sock"},
		{"servers", "", "a" + strings.Repeat(", a", 31), "tcp a:1" + strings.Repeat(", tcp a:1", 31)},
		{"servers", "", "a" + strings.Repeat(", a", 32), "a fault"},
		{"bucket", "BURST:RATE", "30:0.25", "30, 0.25 a second"},
		{"bucket", "20:0.0166", "20:0.0166", "20, 0.0166 a second"},
		{"bucket", `"100 / 1h"`, `"90 / 1h"`, "90, 0.025 a second"},
		{"bucket", "0:0", "0:0", "off"},
		{"regular expression", "", "spam", "spam"},
		{"regular expression", "/PATTERN/FLAGS", "'/^s.*m$/mis'", "spam SPAM a\\ns\\nm\\nz"},
		{"regular expression", "i", "/SPAM/i", "spam SPAM"},
		{"regular expression", "m", "/^s$/m", "a\\ns\\nm\\nz"},
		{"regular expression", "s", "'/s.m/s'", "a\\ns\\nm\\nz"},
		{"text of several lines", "<<EOD", "<<EOD\none; {\ntwo\nEOD", `"one; {\ntwo"`},
		{"text of several lines", "EOD", "<<EOD\nthe EOD\nEOD", `"the EOD"`},
	}
}

// A meaning is a value of some type and what tells its meaning.
type meaning struct {
	value ucl.Value
	tell  func() string
}

// newMeaning returns the value for a row of the reference's table.
func newMeaning(kind string) (m meaning, known bool) {
	list := func(n int, item func(i int) string) string {
		var all []string
		for i := range n {
			all = append(all, item(i))
		}
		return strings.Join(all, ", ")
	}
	switch kind {
	case "flag":
		v := new(ucl.Flag)
		return meaning{v, func() string { return fmt.Sprint(bool(*v)) }}, true
	case "size":
		v := new(ucl.Size)
		return meaning{v, func() string { return fmt.Sprint(int64(*v)) }}, true
	case "time":
		v := new(ucl.Duration)
		return meaning{v, func() string { return v.Std().String() }}, true
	case "networks":
		v := new(ucl.Networks)
		return meaning{v, func() string { return strings.Trim(fmt.Sprint(v.Prefixes()), "[]") }}, true
	case "recipients":
		v := new(ucl.Recipients)
		return meaning{v, func() string {
			return matching([]string{"alice@example.com", "bob@example.com", "alice@example.org", "bob@example.org"}, func(s string) bool {
				local, domain, _ := strings.Cut(s, "@")
				return v.Match(local, domain)
			})
		}}, true
	case "sockets":
		v := new(ucl.Sockets)
		return meaning{v, func() string { return list(len(*v), func(i int) string { return tellSocket((*v)[i]) }) }}, true
	case "servers":
		v := new(ucl.Servers)
		return meaning{v, func() string {
			return list(len(*v), func(i int) string {
				network, address := (*v)[i].Address(1)
				return network + " " + address
			})
		}}, true
	case "bucket":
		v := &ucl.Bucket{Burst: 1, Rate: 1}
		return meaning{v, func() string {
			if v.Off() {
				return "off"
			}
			return fmt.Sprintf("%v, %v a second", v.Burst, v.Rate)
		}}, true
	case "regular expression":
		v := new(ucl.Regexp)
		return meaning{v, func() string {
			return matching([]string{"spam", "SPAM", "ham", "a\ns\nm\nz"}, v.Std().MatchString)
		}}, true
	case "text of several lines":
		v := new(ucl.Text)
		return meaning{v, func() string { return fmt.Sprintf("%q", string(*v)) }}, true
	}
	return meaning{}, false
}

// matching returns those of some texts that match, with line feeds as \n.
func matching(texts []string, match func(string) bool) string {
	all := slices.DeleteFunc(texts, func(s string) bool { return !match(s) })
	return strings.ReplaceAll(strings.Join(all, " "), "\n", `\n`)
}

// tellSocket tells what a socket stands for.
func tellSocket(s ucl.Socket) string {
	switch s.Kind {
	case ucl.FD:
		return fmt.Sprintf("descriptor %d", s.FD)
	case ucl.Systemd:
		return "systemd " + s.Name
	}
	return s.Network() + " " + s.Address()
}

// TestValueForms reads a value in every form that the reference shows for its type.
func TestValueForms(t *testing.T) {
	for _, c := range valueCases() {
		m, known := newMeaning(c.kind)
		if !known {
			t.Fatalf("no type %s", c.kind)
		}
		top := &ucl.Section{Options: []ucl.Option{{Name: "x", Value: m.value}}}
		var l ucl.Loader
		ucl.Decode(l.ReadText("/etc/rmilter.conf", "x = "+c.text+";\n"), top, &l.Diagnostics)
		ucl.Resolve(context.Background(), top, func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("203.0.113.25"), netip.MustParseAddr("2001:db8::25")}, nil
		}, &l.Diagnostics)
		ucl.Finish(top)
		got := ""
		if err := l.Diagnostics.Err(); err == nil {
			got = m.tell()
		} else if got = "a fault"; c.want != got {
			t.Error(err)
		}
		if got != c.want {
			t.Errorf("%s x = %s: got %s, want %s", c.kind, c.text, got, c.want)
		}
	}
}

// TestEveryForm wants a case for every type and form of the reference's table.
func TestEveryForm(t *testing.T) {
	cases := map[[2]string]bool{}
	for _, c := range valueCases() {
		cases[[2]string{c.kind, c.form}] = true
	}
	_, table, _ := strings.Cut(config.Reference(), "| Value | Written as |\n|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	forms := regexp.MustCompile("`([^`]+)`")
	rows := 0
	for row := range strings.Lines(table) {
		cells := strings.SplitN(strings.Trim(row, "|\n "), " | ", 2)
		if len(cells) != 2 {
			t.Fatalf("a row %q", row)
		}
		rows++
		for _, found := range forms.FindAllStringSubmatch(cells[1], -1) {
			for form := range strings.SplitSeq(found[1], ", ") {
				if key := [2]string{cells[0], form}; !cases[key] {
					t.Errorf("the reference writes a %s as %s, and no case does", cells[0], form)
				} else {
					delete(cases, key)
				}
			}
		}
		delete(cases, [2]string{cells[0], ""})
	}
	if rows < 6 {
		t.Errorf("got %d rows in the reference's table of values, want 6 at least", rows)
	}
	for key := range cases {
		t.Errorf("a case writes a %s as %s, which the reference doesn't show", key[0], key[1])
	}
}
