package ucl

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNetworks(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"127.0.0.1/32, [::1]/128, 192.168.0.0/16", "127.0.0.1, [::1]/128, 192.168.0.0/16"},
		{"10.1.2.3/8", "10.0.0.0/8"},
		{"::1", "[::1]/128"},
		{"[2001:db8::]/32, [2001:db8:1::/48]", "[2001:db8::]/32, [2001:db8:1::]/48"},
		{`"192.0.2.1, 192.0.2.2;192.0.2.3 192.0.2.4"`, "192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4"},
		{"::ffff:192.0.2.0/120", "192.0.2.0/24"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"Mail.Example.com, example.org/24", "mail.example.com, example.org/24"},
		{`""`, "[]"},
		{"[]", "[]"},
		{"300.1.1.1", `ERR "300.1.1.1" is not a network; expected an address such as 192.0.2.0/24 or [2001:db8::]/32, or a host name`},
		{"10/8", `ERR "10/8" is not a network; expected an address such as 192.0.2.0/24 or [2001:db8::]/32, or a host name`},
		{"192.0.2.0/33", `ERR the mask of "192.0.2.0/33" is too long; expected at most /32`},
		{"192.0.2.0/x", `ERR "192.0.2.0/x" has no valid mask; expected an address such as 192.0.2.0/24 or [2001:db8::]/32, or a host name`},
		{"2001:db8::/129", `ERR the mask of "2001:db8::/129" is too long; expected at most /128`},
		{"fe80::1%eth0", `ERR "fe80::1%eth0" has a zone; expected an address such as 192.0.2.0/24 or [2001:db8::]/32, or a host name`},
		{"1.2.3, a..b", "ERR \"1.2.3\" is not a network; expected an address such as 192.0.2.0/24 or [2001:db8::]/32, or a host name\n" +
			"\"a..b\" is not a network; expected an address such as 192.0.2.0/24 or [2001:db8::]/32, or a host name"},
	} {
		if got := set(t, new(Networks), c.in); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.in, got, c.want)
		}
	}
}

func TestNetworksContains(t *testing.T) {
	ns := MustNetworks("127.0.0.0/8", "[::1]/128", "192.0.2.0/24", "192.0.2.128/25", "192.0.3.0/24", "[2001:db8::]/32", "[fe80::]/10")
	for addr, want := range map[string]bool{
		"127.0.0.1":           true,
		"127.255.255.255":     true,
		"126.255.255.255":     false,
		"128.0.0.0":           false,
		"192.0.2.0":           true,
		"192.0.3.255":         true,
		"192.0.4.0":           false,
		"::1":                 true,
		"::2":                 false,
		"2001:db8:ffff::1":    true,
		"2001:db9::":          false,
		"::ffff:127.0.0.1":    true,
		"::ffff:198.51.100.1": false,
		"fe80::1%eth0":        true,
		"0.0.0.0":             false,
		"ffff::":              false,
	} {
		if got := ns.Contains(netip.MustParseAddr(addr)); got != want {
			t.Errorf("Contains(%s): got %v, want %v", addr, got, want)
		}
	}
	if ns.Contains(netip.Addr{}) || (*Networks)(nil).Contains(netip.MustParseAddr("::1")) || new(Networks).Contains(netip.MustParseAddr("::1")) {
		t.Error("something is contained in nothing, or nothing in something")
	}
	a := netip.MustParseAddr("192.0.2.7")
	if n := testing.AllocsPerRun(100, func() { ns.Contains(a) }); n != 0 {
		t.Errorf("Contains allocates %v times, want 0", n)
	}
}

// TestNetworksContainsAgrees compares the search with a walk over the list.
func TestNetworksContainsAgrees(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	addr := func() netip.Addr {
		if random.IntN(2) == 0 {
			return netip.AddrFrom4([4]byte{10, byte(random.IntN(3)), byte(random.IntN(256)), byte(random.IntN(256))})
		}
		return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 14: byte(random.IntN(4)), 15: byte(random.IntN(256))})
	}
	for range 200 {
		var items []string
		for range random.IntN(30) {
			a := addr()
			p, err := a.Prefix(a.BitLen() - random.IntN(16))
			if err != nil {
				t.Fatal(err)
			}
			items = append(items, p.String())
		}
		fast := MustNetworks(items...)
		slow := Networks{items: fast.items}
		for range 200 {
			if a := addr(); fast.Contains(a) != slow.Contains(a) {
				t.Fatalf("%v in %v: got %v by search, %v by walk", a, fast, fast.Contains(a), slow.Contains(a))
			}
		}
	}
}

// hosts declares two lists of networks and reads them.
func hosts(t *testing.T, text string) (*Section, *Networks, *Networks) {
	t.Helper()
	a, b := new(Networks), new(Networks)
	s := &Section{Options: []Option{{Name: "a", Value: a}}, Sections: []*Section{{Name: "s", Options: []Option{{Name: "b", Value: b}}}}}
	var ds Diagnostics
	Decode(read(t, text), s, &ds)
	if err := ds.Err(); err != nil {
		t.Fatal(err)
	}
	return s, a, b
}

func TestResolve(t *testing.T) {
	s, a, b := hosts(t, "a = mx.example, 192.0.2.0/24, gone.example\ns { b = mx.example/24, empty.example }")
	var ds Diagnostics
	asked := make(chan string, 10)
	Resolve(t.Context(), s, func(_ context.Context, host string) ([]netip.Addr, error) {
		asked <- host
		switch host {
		case "mx.example":
			return []netip.Addr{netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("2001:db8::7")}, nil
		case "empty.example":
			return nil, nil
		}
		return nil, errors.New("no such host")
	}, &ds)
	Finish(s)
	if n := len(asked); n != 3 {
		t.Errorf("got %d look-ups, want 3: one for each name", n)
	}
	prefixes := func(ns *Networks) string {
		var list []string
		for _, p := range ns.Prefixes() {
			list = append(list, p.String())
		}
		return strings.Join(list, " ")
	}
	if got, want := prefixes(a), "198.51.100.7/32 2001:db8::7/128 192.0.2.0/24"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := prefixes(b), "198.51.100.0/24 2001:db8::7/128"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if !a.Contains(netip.MustParseAddr("198.51.100.7")) || !b.Contains(netip.MustParseAddr("198.51.100.200")) {
		t.Error("addresses of host names are not contained")
	}
	if got, want := a.String(), "mx.example, 192.0.2.0/24, gone.example"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var got []string
	for _, d := range ds.All() {
		got = append(got, d.String())
	}
	want := []string{
		"t.conf:1:31: warning: cannot look up the host name \"gone.example\": no such host; it is left out of the list\n    a = mx.example, 192.0.2.0/24, gone.example",
		"t.conf:2:24: warning: the host name \"empty.example\" has no addresses; it is left out of the list\n    s { b = mx.example/24, empty.example }",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

// TestResolveTakesBoundedTime has a resolver that never answers.
func TestResolveTakesBoundedTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a, _ := hosts(t, "a = a.example, b.example, 192.0.2.1")
		stuck := make(chan struct{})
		start := time.Now()
		var ds Diagnostics
		Resolve(t.Context(), s, func(context.Context, string) ([]netip.Addr, error) {
			<-stuck // heeds no context
			return nil, nil
		}, &ds)
		if took := time.Since(start); took != ResolveTimeout {
			t.Errorf("took %v, want %v", took, ResolveTimeout)
		}
		close(stuck)
		Finish(s)
		if !a.Contains(netip.MustParseAddr("192.0.2.1")) {
			t.Error("an address beside the names is lost")
		}
		if n := len(ds.All()); n != 2 || ds.Err() != nil {
			t.Errorf("got %d remarks (%v), want 2 warnings", n, ds.All())
		}
	})
}
