package checks

import (
	"net/netip"
	"strings"
	"testing"
)

func TestDynamicGrade(t *testing.T) {
	client := netip.MustParseAddr("203.0.113.7")
	for want, names := range []string{
		// Mail servers and other machines with a name of their own.
		0: `example.com mail.example.com mx1.example.com mx10.mail.example.com smtp-out-203-0-113-7.example.com mail-203-0-113-7.example.com o1.ptr1234.example.com
			mta-203-0-113-7.dyn.example.net a8-31.smtp-out.example.com mail-oi1-f169.example.com mail-eopbgr70101.outbound.protection.example.com 203-0-113-7.mailer.example.com
			server1.example.com web12.example.com vps-a1b2c3.example.com static.example.com host7.example.com ns1.example.com relay3.example.org out-7.smtp.example.net
			7.example.com a.b.c.example.com ec2.example.com s7.node12.example.com gw.dynamic.example dynamic.example pool.example dsl.example
			lists.example.com bounce-203-0-113-7.example.com mout-7-113.example.com dedicated12.example.com 12.34.example.com xn--bcher-kva.example.com`,
		1: `static-203-0-113-7.example.net 7.113.0.203.static.example.net ec2-203-0-113-7.compute.example.com vps203-0-113-7.cloud.example.com 203-0-113-7.business.example.net
			dynamic.example.net pool.example.net client12345.example.net adsl-203-0-113-7.static.example.net`,
		2: `203-0-113-7.example.net ip-203-0-113-7.example.net host-203-0-113-7.example.net 7.113.0.203.example.net 203.000.113.007.example.net 203000113007.example.net
			xcb007107.example.net h203-0-113-7.example.net dialup12.example.net dsl-4711.example.net customer-113-7.example.net ip198-51-100-23.example.net pool3.example.net`,
		3: `customer-203-0-113-7.example.net client-203-0-113-7.example.net 7.113.0.203.cust.example.net cable-113-7.example.net dynamic-203-0-113-7.static.example.net adsl-7-113.example.net`,
		4: `adsl-203-0-113-7.example.net 203-0-113-7.cable.example.net ftth-7-113-0-203.example.net cpe-203-0-113-7.res.example.net dyn-113-7.example.net dhcp4711.example.net
			203-0-113-7.bb.example.net catv-cb007107.example.net 203.0.113.7.wireless.example.net`,
		5: `203-0-113-7.dynamic.example.net dynamic-203-0-113-7.example.net pppoe-7-113-0-203.example.net 203-0-113-7.pool.example.net pCB007107.dip0.example.net
			7.113.0.203.dhcp.example.net dialup-203-0-113-7.adsl.example.co.uk DYN-203-0-113-7.EXAMPLE.NET. 198-51-100-9.dyn.example.net`,
	} {
		for name := range strings.FieldsSeq(names) {
			if got := dynamicGrade(name, client); got != want {
				t.Errorf("%s: got %d, want %d", name, got, want)
			}
		}
	}
	six := netip.MustParseAddr("2001:db8:12::7")
	for name, want := range map[string]int{
		"2001-db8-12-0-0-0-0-7.dyn.example.net": 5, "20010db8001200000000000000000007.cable.example.net": 4,
		"7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.1.0.0.8.b.d.0.1.0.0.2.example.net": 2,
		"mx.example.net": 0, "a-b-c.example.net": 0, "dyn.example.net": 1, "mail-2001-db8-12-0-0-0-0-7.example.net": 0,
	} {
		if got := dynamicGrade(name, six); got != want {
			t.Errorf("%s: got %d, want %d", name, got, want)
		}
	}
	for _, name := range []string{"", ".", "..", "-", "1", "1.2.3.4", strings.Repeat("1-", 100_000) + ".dyn.example.net", "dyn.\xff\x00.example.net"} {
		if got := dynamicGrade(name, netip.Addr{}); got > 1 {
			t.Errorf("%.40q: got %d", name, got)
		}
	}
}

// FuzzDynamicGrade wants a grade for any name, in upper and in lower case.
func FuzzDynamicGrade(f *testing.F) {
	f.Add("203-0-113-7.dyn.example.net", []byte{203, 0, 113, 7})
	f.Add("2001-db8-12-0-0-0-0-7.dsl.example.net", []byte("0123456789abcdef"))
	f.Add("99999999999999999999-1.example", []byte{})
	f.Fuzz(func(t *testing.T, name string, addr []byte) {
		ip, _ := netip.AddrFromSlice(addr)
		got := dynamicGrade(name, ip)
		if got < 0 || got > 5 || got != dynamicGrade(name+".", ip) && !strings.HasSuffix(name, ".") && len(name) < maxGraded {
			t.Errorf("%q %v: %d", name, ip, got)
		}
	})
}
