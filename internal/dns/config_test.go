package dns_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/dns"
	"rmilter/internal/ucl"
)

// read reads a configuration as a file has it.
func read(text string) (dns.Config, []string) {
	c := dns.DefaultConfig()
	var l ucl.Loader
	top := &ucl.Section{Sections: c.Sections()}
	ucl.Decode(l.ReadText("test.conf", text), top, &l.Diagnostics)
	ucl.Finish(top)
	var told []string
	for _, d := range l.Diagnostics.All() {
		told = append(told, d.Text)
	}
	return c, told
}

func TestDeclaration(t *testing.T) {
	c := dns.DefaultConfig()
	if err := ucl.Check(&ucl.Section{Sections: c.Sections()}); err != nil {
		t.Error(err)
	}
}

func TestConfig(t *testing.T) {
	got, told := read(`
dns {
	nameserver = 127.0.0.1, [::1]:5353;
	zone "List.Example." { nameserver = "127.0.0.1:530"; }
	zone list.example { nameserver += 192.0.2.1 }
	zone other.example { nameserver = 192.0.2.2:53:10 }
}
`)
	want := dns.Config{
		Nameservers: ucl.Servers{{Host: "127.0.0.1"}, {Host: "::1", Port: 5353}},
		Zones: []*dns.Zone{
			{"list.example", ucl.Servers{{Host: "127.0.0.1", Port: 530}, {Host: "192.0.2.1"}}},
			{"other.example", ucl.Servers{{Host: "192.0.2.2", Port: 53, Priority: 10}}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" || told != nil {
		t.Errorf("%v (-want +got):\n%s", told, diff)
	}
	r := open(t, got)
	var servers []string
	for _, s := range r.Stats().Servers {
		servers = append(servers, s.Address.String()+" "+strings.Join(s.Zones, ","))
	}
	if diff := cmp.Diff([]string{"127.0.0.1:53 ", "127.0.0.1:530 list.example", "192.0.2.1:53 list.example", "192.0.2.2:53 other.example", "[::1]:5353 "}, servers); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestConfigFaults(t *testing.T) {
	for in, want := range map[string]string{
		"dns { nameserver = ns.example.com }":                    `"ns.example.com" is not the address of a resolver; expected one such as 127.0.0.1`,
		"dns { nameserver = /run/dns }":                          `"/run/dns" is not the address of a resolver`,
		"dns { nameserver = 127.0.0.1:99999 }":                   `expected a port of 1 to 65535 after the host`,
		`dns { zone "example.org" { } }`:                         `is not complete; expected nameserver in it`,
		`dns { zone "a..b" { nameserver = 127.0.0.1 } }`:         `zone`,
		`dns { zone { nameserver = 127.0.0.1 } }`:                `zone`,
		`dns { zone "example.org" { nameserver = list.local } }`: `is not the address of a resolver`,
		"dns { timeout = 5s }":                                   "timeout has no effect",
	} {
		_, told := read(in)
		if len(told) != 1 || !strings.Contains(told[0], want) {
			t.Errorf("%s: got %q, want one fault with %q", in, told, want)
		}
	}
	for _, host := range []string{"ns.example.com", ""} {
		if _, err := dns.New(dns.Config{Nameservers: ucl.Servers{{Host: host}}}, dns.Env{}); err == nil {
			t.Errorf("%q is taken for an address", host)
		}
	}
}
