package dnslist_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/dns/dnstest"
	"rmilter/internal/dnslist"
)

func TestProbe(t *testing.T) {
	lists := dnslist.Catalog()
	r := newRig(t, `
		7.113.0.203.zen.spamhaus.org A 127.0.0.4
		7.113.0.203.zen.spamhaus.org TXT https://example.org/query/203.0.113.7
		7.113.0.203.list.dnswl.org A 127.0.0.255
		7.113.0.203.bl.blocklist.de A 127.0.0.99
		example.com.dbl.spamhaus.org A 127.0.1.2
		2.0.0.127.zen.spamhaus.org A 127.0.0.2
		dbltest.com.dbl.spamhaus.org A 127.0.1.2
		36a09e73778bf0db06d4205a486c6472bc041167.ebl.msbl.org A 127.0.0.2
	`)
	r.server.Script("7.113.0.203.rep.mailspike.net", "", dnstest.ServFail)
	r.server.Script("7.113.0.203.bl.spameatingmonkey.net", "", dnstest.Refused)
	for _, test := range []struct {
		what string
		want string
	}{
		{"203.0.113.7", `
spamhaus off RBL_SPAMHAUS_XBL https://example.org/query/203.0.113.7
mailspike off error
dnswl off blocked
blocklistde off undocumented
sem off blocked
senderscore off
senderscore_reput off
uceprotect1 off
SPAMHAUS_ZEN_URIBL off URIBL_XBL https://example.org/query/203.0.113.7
URIBL_MULTI off
SURBL_MULTI off`},
		{"[2001:db8::1]", "\nspamhaus off\ndnswl off\nblocklistde off\nsemIPv6 off\nSPAMHAUS_ZEN_URIBL off"},
		{"127.0.0.2", `
spamhaus off RBL_SPAMHAUS_SBL
mailspike off
dnswl off
blocklistde off
sem off
senderscore off
senderscore_reput off
uceprotect1 off
SPAMHAUS_ZEN_URIBL off URIBL_SBL
URIBL_MULTI off
SURBL_MULTI off`},
		{"www.Example.com", "\nDWL_DNSWL off\nDBL off DBL_SPAM\nURIBL_MULTI off\nSURBL_MULTI off\nSEM_URIBL off\nSEM_URIBL_FRESH15 off"},
		{"dbltest.com", "\nDWL_DNSWL off\nDBL off DBL_SPAM\nURIBL_MULTI off\nSURBL_MULTI off\nSEM_URIBL off\nSEM_URIBL_FRESH15 off"},
		{"joe.doe@gmail.com", "\nDBL off\nURIBL_MULTI off\nSURBL_MULTI off\nMSBL_EBL off MSBL_EBL"},
	} {
		probed, err := r.Probe(context.Background(), lists, test.what)
		if err != nil {
			t.Errorf("%s: %v", test.what, err)
		}
		got := ""
		for _, p := range probed {
			got += "\n" + p.List.Name + " " + string(p.State)
			for _, h := range p.Hits {
				got += " " + h.Code.Symbol
			}
			switch {
			case p.Err != nil:
				got += " error"
			case p.Blocked:
				got += " blocked"
			case p.Undocumented != nil:
				got += " undocumented"
			}
			for _, text := range p.Texts {
				got += " " + text
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s:\n%s", test.what, diff)
		}
	}
	for _, what := range []string{"", "localhost", "a b.example", "@example.com", "joe@", strings.Repeat("a", 300)} {
		if probed, err := r.Probe(context.Background(), lists, what); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%.80q", what)) {
			t.Errorf("%q: got %v, %v", what, probed, err)
		}
	}
}

// A probe tells the state of a list, counts what it asks and changes no state.
func TestProbeChangesNothing(t *testing.T) {
	l := list("spamhaus")
	r := newRig(t, healthy(l)+"1.100.51.198.zen.spamhaus.org A 127.255.255.254", l)
	r.check()
	before := r.state()
	probed, err := r.Probe(context.Background(), []*dnslist.List{l}, "198.51.100.1")
	if err != nil || len(probed) != 1 || !probed[0].Blocked || probed[0].State != dnslist.OK {
		t.Fatalf("got %+v, %v", probed, err)
	}
	after := r.state()
	if after.Queries != before.Queries+2 || after.State != dnslist.OK || after.Blocked != 0 || r.told() != nil {
		t.Errorf("got %+v, told %q", after, r.told())
	}
}
