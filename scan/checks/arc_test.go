package checks

import (
	"strings"
	"testing"

	"rmilter/dkim"
	"rmilter/internal/dns/dnstest"
	"rmilter/internal/mail"
	"rmilter/scan"
)

func TestARC(t *testing.T) {
	r := newAuthRig(t, "arc { trusted_sealers = Lists.example, .mx.example.org; }", keyZone(t, "evil.example", "lists.example", "a.mx.example.org", "down.example"))
	r.server.Script("s._domainkey.down.example", "TXT", dnstest.ServFail)
	const said = "mx.lists.example; dmarc=pass header.from=example.net"
	once := sealed(t, plainText, "lists.example", said)
	r.fixtures(t, ARC.Symbols, []fixture{
		{"none", nil, plainText, "ARC_NA"},
		{"trusted", nil, once, "ARC_ALLOW{lists.example:s=s:i=1}"},
		{"trusted, below the name", nil, sealed(t, once, "a.mx.example.org", said), "ARC_ALLOW{a.mx.example.org:s=s:i=2}"},
		{"not trusted", nil, sealed(t, plainText, "evil.example", said), "ARC_ALLOW*0{evil.example:s=s:i=1,sealer not trusted}"},
		{"not trusted behind a trusted one", nil, sealed(t, once, "evil.example", said), "ARC_ALLOW*0{evil.example:s=s:i=2,sealer not trusted}"},
		{"changed", nil, strings.Replace(once, "\nHello\n", "\nHullo\n", 1), "ARC_REJECT{lists.example:s=s:i=1,bad body hash in set 1}"},
		{"seal changed", nil, strings.Replace(once, "dmarc=pass", "dmarc=fail", 1), "ARC_REJECT{lists.example:s=s:i=1,bad signature in set 1}"},
		{"no key", nil, sealed(t, plainText, "none.example", said), "ARC_REJECT{none.example:s=s:i=1,key not found in set 1}"},
		{"malformed", nil, "ARC-Seal: i=1; cv=none\n" + plainText, "ARC_INVALID{incomplete set in set 1}"},
		{"set missing", nil, strings.Replace(once, "ARC-Authentication-Results: i=1", "X-Old: i=1", 1), "ARC_INVALID{incomplete set in set 1}"},
		{"DNS fails", nil, sealed(t, plainText, "down.example", said), "ARC_DNSFAIL{down.example:s=s:i=1,key unavailable in set 1}"},
		{"From not signed", nil, sealedOver(t, plainText, "lists.example", said, "subject"), "ARC_REJECT{header From not signed in set 1}"},
		{"From not signed, and changed", nil, strings.Replace(sealedOver(t, plainText, "lists.example", said, "subject"), "joe@example.net", "boss@bank.example", 1), "ARC_REJECT{header From not signed in set 1}"},
		{"nothing signed", nil, sealedOver(t, plainText, "lists.example", said, ""), "ARC_ALLOW*0{lists.example:s=s:i=1,From not signed}"},
		{"second From above", nil, "From: boss@bank.example\n" + once, "ARC_REJECT{lists.example:s=s:i=1,an unsigned From field in set 1}"},
		{"both From signed", nil, sealedOver(t, "From: joe@example.net\n"+plainText, "lists.example", said, "from:from"), "ARC_ALLOW{lists.example:s=s:i=1}"},
		{"an older one without From", nil, sealed(t, sealedOver(t, plainText, "evil.example", said, "subject"), "lists.example", said), "ARC_ALLOW{lists.example:s=s:i=2}"},
		{"our user", trust(mail.Authenticated), once, ""},
	})
}

// TestARCConfig has names that are none.
func TestARCConfig(t *testing.T) {
	for _, conf := range []string{`arc { trusted_sealers = "a b" }`, `arc { trusted_sealers = "example..org" }`, `arc { trusted_sealers = /etc/rmilter/sealers }`} {
		if _, err := build(conf, scan.Env{Now: frozen}, authChecks()...); err == nil || !strings.Contains(err.Error(), "section arc: trusted_sealers: ") {
			t.Errorf("%s: got %v", conf, err)
		}
	}
}

// TestAttested sees whose word is believed, and about what.
func TestAttested(t *testing.T) {
	r := &arcRunner{trusted: []string{"lists.example", "mx.example"}}
	const pass, fail = "x; dmarc=pass (p=REJECT) header.from=Example.net", "x; dmarc=fail header.from=example.net"
	for _, c := range []struct {
		name string
		sets []string // SEALER RESULTS, the oldest first
		want bool
	}{
		{"none", nil, false},
		{"trusted", []string{"lists.example " + pass}, true},
		{"not trusted", []string{"evil.example " + pass}, false},
		{"no name of theirs", []string{"evillists.example " + pass}, false},
		{"trusted, fails", []string{"lists.example " + fail}, false},
		{"of another From", []string{"lists.example x; dmarc=pass header.from=example.org"}, false},
		{"of no From", []string{"lists.example x; dmarc=pass"}, false},
		{"not said", []string{"lists.example x; spf=pass smtp.mailfrom=example.net"}, false},
		{"two answers", []string{"lists.example " + fail + "; dmarc=pass header.from=example.net"}, false},
		{"both trusted, the older saw it pass", []string{"lists.example " + pass, "mx.example " + fail}, true},
		{"both trusted, the older saw it fail", []string{"lists.example " + fail, "mx.example " + pass}, false},
		{"a stranger before", []string{"evil.example " + pass, "mx.example " + fail}, false},
		{"a stranger before, who is believed by none", []string{"evil.example " + fail, "mx.example " + pass}, true},
		{"a stranger behind", []string{"lists.example " + pass, "evil.example " + pass}, false},
		{"a stranger between", []string{"lists.example " + pass, "evil.example " + pass, "mx.example " + fail}, false},
	} {
		out := &ARCResult{}
		for i, s := range c.sets {
			sealer, results, _ := strings.Cut(s, " ")
			out.Chain.Sets = append(out.Chain.Sets, dkim.Set{Instance: i + 1, Results: results, Message: dkim.Signature{Names: []string{"from"}}, Seal: dkim.Signature{Domain: sealer}})
		}
		r.trust(out)
		if got := out.provesDMARC("example.net"); got != c.want {
			t.Errorf("%s: got %t, want %t", c.name, got, c.want)
		}
	}
	if (*ARCResult)(nil).provesDMARC("example.net") {
		t.Error("without a chain: got true, want false")
	}
}
