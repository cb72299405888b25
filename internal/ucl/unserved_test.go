package ucl

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// later has sections that are read without effect.
func later() (top *Section, servers *Servers, timeout *Duration) {
	servers, timeout = new(Servers), new(Duration)
	domains := map[string]*Section{}
	return &Section{
		Options: []Option{{Name: "trace", Value: new(Flag), Unserved: true}, {Name: "log", Value: new(Flag)}},
		Sections: []*Section{
			{
				Name: "clamav", Unserved: true,
				Options: []Option{{Name: "servers", Value: servers}, {Name: "timeout", Value: timeout, Unserved: true}},
				Ignored: []Ignored{{Name: "port_timeout", Note: "there is one port"}, {Name: "prefix"}},
				Sections: []*Section{{
					Name: "domain", Key: "NAME",
					Repeat: func(key string) *Section {
						if domains[key] == nil {
							domains[key] = &Section{Name: "domain", Unserved: true, Options: []Option{{Name: "key", Value: new(String)}}}
						}
						return domains[key]
					},
				}},
			},
			{Name: "spamd", Options: []Option{{Name: "trace_symbol", Value: new(String), Unserved: true}, {Name: "trace_addr", Value: new(String), Unserved: true}, {Name: "subject", Value: new(String)}}},
			{Name: "rbl", Unserved: true, Opaque: true},
			{Name: "group", Key: "NAME", Repeat: func(string) *Section { return &Section{Name: "group", Unserved: true, Opaque: true} }},
		},
	}, servers, timeout
}

func TestUnserved(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []string
		want string
	}{
		{"nothing set", []string{"log = yes\nspamd { subject = x }"}, ""},
		{"a section, once", []string{"clamav {\n servers = a\n timeout = 1s\n prefix = x\n domain \"d\" { key = /k }\n domain e { }\n}\nclamav { }"},
			"a.conf:1:1: notice: section clamav: not served by this version\n    clamav {"},
		{"a section, once for all files", []string{"clamav { }", "clamav { timeout = 1s }", "rbl { }", "rbl { }"},
			"a.conf:1:1: notice: section clamav: not served by this version\n    clamav { }\n" +
				"c.conf:1:1: notice: section rbl: not served by this version\n    rbl { }"},
		{"its faults are told", []string{"clamav { servers = a:0; timeout = 5; tiemout = 5s; port_timeout = 5 }"},
			"a.conf:1:1: notice: section clamav: not served by this version\n    clamav { servers = a:0; timeout = 5; tiemout = 5s; port_timeout = 5 }\n" +
				"a.conf:1:20: servers: \"a:0\" is not a server; expected a port of 1 to 65535 after the host\n    clamav { servers = a:0; timeout = 5; tiemout = 5s; port_timeout = 5 }\n" +
				"a.conf:1:35: timeout: the time 5 has no unit; expected ms, s, m, h, d or w: did you mean 5s?\n    clamav { servers = a:0; timeout = 5; tiemout = 5s; port_timeout = 5 }\n" +
				"a.conf:1:38: unknown directive \"tiemout\" in section clamav; did you mean timeout?\n    clamav { servers = a:0; timeout = 5; tiemout = 5s; port_timeout = 5 }\n" +
				"a.conf:1:52: warning: port_timeout has no effect: there is one port\n    clamav { servers = a:0; timeout = 5; tiemout = 5s; port_timeout = 5 }"},
		{"options of a section that is served", []string{"trace = yes; log = no\nspamd { trace_symbol = x; trace_addr = y; trace_symbol = z }", "spamd { trace_addr = z }"},
			"a.conf:1:1: notice: trace: not served by this version\n    trace = yes; log = no\n" +
				"a.conf:2:9: notice: trace_symbol, trace_addr in section spamd: not served by this version\n    spamd { trace_symbol = x; trace_addr = y; trace_symbol = z }\n" +
				"a.conf:2:43: warning: trace_symbol was set before in line 2; this line replaces that one\n    spamd { trace_symbol = x; trace_addr = y; trace_symbol = z }\n" +
				"b.conf:1:9: notice: trace_addr in section spamd: not served by this version\n    spamd { trace_addr = z }"},
		{"no notice after a fault", []string{"trace = perhaps"},
			"a.conf:1:9: trace: \"perhaps\" is not a flag; expected yes or no\n    trace = perhaps"},
		{"opaque", []string{"rbl { a = 5; b { c = [1]; } }\ngroup \"x\" { what = ever }\ngroup y { }\nlog = yes"},
			"a.conf:1:1: notice: section rbl: not served by this version\n    rbl { a = 5; b { c = [1]; } }\n" +
				"a.conf:2:1: notice: section group \"x\": not served by this version\n    group \"x\" { what = ever }\n" +
				"a.conf:3:1: notice: section group \"y\": not served by this version\n    group y { }"},
		{"opaque, but its syntax counts", []string{"rbl { a = ] }"},
			"a.conf:1:1: notice: section rbl: not served by this version\n    rbl { a = ] }\n" +
				"a.conf:1:11: unexpected \"]\"; expected a value\n    rbl { a = ] }"},
	} {
		t.Run(c.name, func(t *testing.T) {
			top, _, _ := later()
			l := &Loader{}
			for i, text := range c.in {
				Decode(l.ReadText(string(rune('a'+i))+".conf", text), top, &l.Diagnostics)
			}
			if diff := cmp.Diff(c.want, remarks(&l.Diagnostics)); diff != "" {
				t.Errorf("remarks (-want +got):\n%s", diff)
			}
		})
	}
	top, servers, timeout := later()
	Decode(read(t, "clamav { servers = a:1; timeout = 5m }"), top, &Diagnostics{})
	if got, want := servers.String()+" "+timeout.String(), "a:1 5m"; got != want {
		t.Errorf("an unserved section is read as %s, want %s", got, want)
	}
	if got, want := Check(&Section{Name: "x", Doc: "It is.", Opaque: true}), "top level: an opaque section is unserved and declares nothing"; got == nil || got.Error() != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestContradictions(t *testing.T) {
	low, high := Int(1), Int(5)
	section := func() *Section {
		return &Section{
			Name:    "actions",
			Options: []Option{{Name: "low", Value: &low}, {Name: "high", Value: &high}},
			Check: func(warn func(option, format string, args ...any)) {
				if low > high {
					warn("low", "%v is above %v; expected less than high", low, high)
				}
			},
		}
	}
	check := func(text string) string {
		low, high = 1, 5
		inner := section()
		keyed := &Section{Name: "settings", Key: "NAME", Repeat: func(string) *Section { return inner }}
		top := &Section{Sections: []*Section{section(), keyed}}
		var ds Diagnostics
		Decode(read(t, text), top, &ds)
		Finish(top)
		Contradictions(top, &ds)
		return remarks(&ds)
	}
	for in, want := range map[string]string{
		"actions { low = 4 }":                       "",
		"actions { low = 6 }\nactions { high = 5 }": "t.conf:1:11: warning: low: 6 is above 5; expected less than high\n    actions { low = 6 }",
		"actions { high = 0 }":                      "t.conf:1:1: warning: low: 1 is above 0; expected less than high\n    actions { high = 0 }",
		"settings \"x\" { high = 0\n low = 2 }":     "t.conf:2:2: warning: low: 2 is above 0; expected less than high\n    low = 2 }",
	} {
		got := check(in)
		if strings.HasPrefix(in, "settings") { // both sections share their values here: the other has no place
			got, _, _ = strings.Cut(got, "\nwarning")
		}
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", in, got, want)
		}
	}
	defer func() {
		if got, want := recover(), `ucl: section "s" has no option b`; got != want {
			t.Errorf("an unknown option: got %v, want %s", got, want)
		}
	}()
	Contradictions(&Section{Name: "s", Check: func(warn func(option, format string, args ...any)) { warn("b", "x") }}, &Diagnostics{})
}
