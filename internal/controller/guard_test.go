package controller

import (
	"net/netip"
	"regexp"
	"testing"
)

func TestKnows(t *testing.T) {
	g, err := newGuard(Policy{Hosts: []string{"mx1.Example.com.", "192.0.2.7", "[2001:db8::7]", "proxy.example.com:443", ""}}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	local := netip.MustParseAddr("198.51.100.4")
	tests := []struct {
		header string
		want   bool
	}{
		{"", true}, // HTTP/1.0
		{"localhost", true},
		{"LOCALHOST.:11334", true},
		{"rmilter.localhost", true},
		{"127.0.0.1:11334", true},
		{"127.8.8.8", true},
		{"[::1]:11334", true},
		{"[::1]", true},
		{"::1", true},
		{"[::ffff:127.0.0.1]:80", true},
		{"198.51.100.4:11334", true},
		{"[::ffff:198.51.100.4]", true},
		{"198.51.100.5", false},
		{"mx1.example.com:11334", true},
		{"mx1.example.com.", true},
		{"192.0.2.7", true},
		{"[2001:db8::7]:11334", true},
		{"[2001:db8:0:0::7]", true},
		{"proxy.example.com", true},
		{"evil.example", false},
		{"evil.example:11334", false},
		{"localhost.evil.example", false},
		{"notlocalhost", false},
		{"127.0.0.1.evil.example", false},
		{"0x7f.1", false},
		{"2130706433", false},
		{".", false},
		{":11334", false},
		{"[", false},
		{"[::1%eth0]:11334", false},
		{"mx1.example.com@evil.example", false},
	}
	for _, tt := range tests {
		if got := g.knows(tt.header, local); got != tt.want {
			t.Errorf("knows(%q): got %v, want %v", tt.header, got, tt.want)
		}
	}
	if g.knows("198.51.100.4", netip.Addr{}) {
		t.Error("an address is known without a local address")
	}
}

// FuzzKnows looks for a Host header that gets in without naming this server: what
// is known is an address, or one of three names with a port at most.
func FuzzKnows(f *testing.F) {
	for _, s := range []string{"", "localhost", "[::1]:1", "127.0.0.1", "evil.example:80", "[::1%evil.example]", "a]b:1", "::"} {
		f.Add(s)
	}
	g, err := newGuard(Policy{Hosts: []string{"mx1.example.com"}}, nil, nil)
	if err != nil {
		f.Fatal(err)
	}
	address := regexp.MustCompile(`^\[?[0-9a-fA-F:.]+\]?(:.*)?$`)
	name := regexp.MustCompile(`(?i)^\[?(localhost|(?s:.*)\.localhost|mx1\.example\.com)\.?\]?(:(?s:.*))?$`)
	f.Fuzz(func(t *testing.T, header string) {
		if header != "" && g.knows(header, netip.Addr{}) && !address.MatchString(header) && !name.MatchString(header) {
			t.Errorf("%q is known", header)
		}
	})
}
