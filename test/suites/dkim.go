package suites

import (
	"strings"
	"testing"

	"rmilter/internal/dns/dnstest"
)

// The example of RFC 6376, appendix A, with its key of appendix C.
const (
	RFC6376Key = "v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYt" +
		"IxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhi" +
		"tdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB"
	RFC6376Message = `DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;
      c=simple/simple; q=dns/txt; i=joe@football.example.com;
      h=Received : From : To : Subject : Date : Message-ID;
      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB
      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut
      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV
      4bmp/YzhwvcubU4=;
Received: from client1.football.example.com  [192.0.2.1]
      by submitserver.example.com with SUBMISSION;
      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game. Are you hungry yet?

Joe.
`
)

// The example of RFC 8463, appendix A.
const (
	RFC8463Seed = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
	RFC8463Ed   = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
	RFC8463RSA  = "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQi" +
		"Y/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLz" +
		"BfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"
	RFC8463Message = `DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
`
)

// A DKIMVector is a signed message.
type DKIMVector struct {
	Name    string
	Message string            // with LF
	Keys    map[string]string // records by name
	Results []string          // of the signatures from the top: a status of RFC 8601, and why it isn't pass
}

// DKIMExamples returns the examples of RFC 6376 and RFC 8463, which need no suites.
func DKIMExamples() []DKIMVector {
	return []DKIMVector{
		{"RFC 6376, appendix A", RFC6376Message, map[string]string{"brisbane._domainkey.example.com": RFC6376Key}, []string{"pass"}},
		{"RFC 8463, appendix A", RFC8463Message, map[string]string{"brisbane._domainkey.football.example.com": RFC8463Ed, "test._domainkey.football.example.com": RFC8463RSA}, []string{"pass", "pass"}},
	}
}

// DKIM returns the examples of the RFCs and the messages of dkimpy's set.
func DKIM(t testing.TB) []DKIMVector {
	t.Helper()
	record := func(name string) string { return strings.TrimSpace(dkimpy(t, name)) }
	football := map[string]string{"test._domainkey.football.example.com": record("test.txt"), "brisbane._domainkey.football.example.com": RFC8463Ed}
	all := append(DKIMExamples(), []DKIMVector{
		{"rfc6376.signed.msg", dkimpy(t, "rfc6376.signed.msg"), football, []string{"pass", "pass"}},
		{"ed25519test2.msg", dkimpy(t, "ed25519test2.msg"), map[string]string{"sed._domainkey.test.ex": record("eximtest.dns")}, []string{"pass"}},
		// The keys of these are not in the set. Their bodies are.
		{"test2.message", dkimpy(t, "test2.message"), map[string]string{"20120113._domainkey.gmail.com": record("test2.txt")}, []string{"fail (bad signature)"}},
		{"message.mbox", dkimpy(t, "message.mbox"), map[string]string{"2007-00._domainkey.kitterman.com": record("test2.txt")}, []string{"fail (bad signature)"}},
		{"test.message", dkimpy(t, "test.message"), nil, nil},
	}...)
	for name, why := range map[string]string{"badk.txt": "unknown key type", "badversion.txt": "key record broken", "test_bad.txt": "key record broken"} {
		all = append(all, DKIMVector{"rfc6376.signed.msg with " + name, dkimpy(t, "rfc6376.signed.msg"),
			map[string]string{"test._domainkey.football.example.com": record(name), "brisbane._domainkey.football.example.com": RFC8463Ed}, []string{"pass", "permerror (" + why + ")"}})
	}
	return all
}

// Serve starts a server with the keys.
func (v *DKIMVector) Serve(t testing.TB) *dnstest.Server {
	t.Helper()
	return serveTXT(t, v.Keys)
}

// A DKIMKey is a key of dkimpy's set.
type DKIMKey struct {
	Name   string
	Key    string // its file
	Record string // of the DNS
}

// DKIMKeys returns the keys.
func DKIMKeys(t testing.TB) []DKIMKey {
	t.Helper()
	return []DKIMKey{
		{"test.private", dkimpy(t, "test.private"), strings.TrimSpace(dkimpy(t, "test.txt"))},
		{"ed25519test.key", dkimpy(t, "ed25519test.key"), strings.TrimSpace(dkimpy(t, "ed25519test.dns"))},
		{"rfc8032_7_1.key", dkimpy(t, "rfc8032_7_1.key"), RFC8463Ed},
	}
}

// DKIMMessages returns the messages of dkimpy's set that are there to be signed, with LF,
// by name.
func DKIMMessages(t testing.TB) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range []string{"test.message", "test_extra.message", "test_nofrom.message", "ed25519test.msg", "rfc6376.msg"} {
		all[name] = dkimpy(t, name)
	}
	return all
}

// A DKIMRecord is a key record of dkimpy's set.
type DKIMRecord struct {
	Name   string
	Record string
	Fault  string // why it is refused, "" when it isn't
}

// DKIMRecords returns the key records.
func DKIMRecords(t testing.TB) (all []DKIMRecord) {
	t.Helper()
	for _, r := range []DKIMRecord{
		{"test.txt", "", ""}, {"test2.txt", "", ""}, {"eximtest.dns", "", ""}, {"ed25519test.dns", "", ""}, {"test_tlsrpt.txt", "", ""},
		{"badk.txt", "", "unknown key type"},
		{"badversion.txt", "", "key record broken: not a record of DKIM1"},
		{"test_bad.txt", "", "key record broken: p= is no RSA key"},
	} {
		r.Record = strings.TrimSpace(dkimpy(t, r.Name))
		all = append(all, r)
	}
	return all
}

// dkimpy returns a file of dkimpy's set.
func dkimpy(t testing.TB, name string) string {
	t.Helper()
	return Read(t, "dkimpy/dkim/tests/data/"+name)
}
