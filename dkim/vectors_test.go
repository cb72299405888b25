package dkim_test

import (
	"strings"
	"testing"

	"rmilter/dkim"
	"rmilter/internal/mail"
)

// The example of RFC 6376, appendix A, with its key of appendix C.
const (
	rfc6376Key = "v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYt" +
		"IxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhi" +
		"tdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB"
	rfc6376Message = `DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;
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
	rfc8463Seed = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
	rfc8463Ed   = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
	rfc8463RSA  = "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQi" +
		"Y/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLz" +
		"BfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"
	rfc8463Message = `DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
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

func TestRFC6376(t *testing.T) {
	records := zone{"brisbane._domainkey.example.com": rfc6376Key}
	r := verify(t, crlf(rfc6376Message), records, dkim.VerifyOptions{})
	if got, want := outcomes(r), "pass"; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	s := r.Signatures[0]
	if s.Domain != "example.com" || s.Identity != "joe@football.example.com" || s.Selector != "brisbane" || s.Short != "AuUoFEfD" ||
		s.Algorithm != "rsa-sha256" || s.KeyType != "rsa" || s.KeyBits != 1024 || s.HeaderCanon != dkim.Simple || len(s.Names) != 6 {
		t.Errorf("got %+v", s)
	}
	if r.ARC.Status != dkim.None {
		t.Errorf("ARC %s, want none", r.ARC.Status)
	}
}

func TestRFC8463(t *testing.T) {
	records := zone{"brisbane._domainkey.football.example.com": rfc8463Ed, "test._domainkey.football.example.com": rfc8463RSA}
	r := verify(t, crlf(rfc8463Message), records, dkim.VerifyOptions{})
	if got, want := outcomes(r), "pass, pass"; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	if s := r.Signatures[0]; s.KeyType != "ed25519" || s.KeyBits != 256 || s.Signed.Unix() != 1528637909 {
		t.Errorf("got %+v", s)
	}
	k, err := dkim.ParseKey([]byte(rfc8463Seed + "\n"))
	if err != nil || k.Record() != rfc8463Ed {
		t.Errorf("record %q, %v; want %q", k.Record(), err, rfc8463Ed)
	}
}

func TestDkimpySet(t *testing.T) {
	file := func(name string) string { return read(t, "dkimpy/dkim/tests/data/"+name) }
	records := zone{
		"test._domainkey.football.example.com":     strings.TrimSpace(file("test.txt")),
		"brisbane._domainkey.football.example.com": rfc8463Ed,
		"sed._domainkey.test.ex":                   strings.TrimSpace(file("eximtest.dns")),
		"20120113._domainkey.gmail.com":            strings.TrimSpace(file("test2.txt")),
		"2007-00._domainkey.kitterman.com":         strings.TrimSpace(file("test2.txt")),
	}
	for _, c := range []struct{ name, want string }{
		{"rfc6376.signed.msg", "pass, pass"},
		{"ed25519test2.msg", "pass"},
		// The keys of these are not in the set. Their bodies are.
		{"test2.message", "fail (bad signature)"},
		{"message.mbox", "fail (bad signature)"},
		{"test.message", ""},
	} {
		if got := outcomes(verify(t, crlf(file(c.name)), records, dkim.VerifyOptions{})); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	for name, want := range map[string]string{
		"test.txt": "", "test2.txt": "", "eximtest.dns": "", "ed25519test.dns": "", "test_tlsrpt.txt": "",
		"badk.txt": "unknown key type", "badversion.txt": "key record broken: not a record of DKIM1",
		"test_bad.txt": "key record broken: p= is no RSA key",
	} {
		got := ""
		if _, err := dkim.ParseRecord(strings.TrimSpace(file(name))); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, c := range []struct{ key, record string }{{"test.private", "test.txt"}, {"ed25519test.key", "ed25519test.dns"}, {"rfc8032_7_1.key", ""}} {
		key, err := dkim.ParseKey([]byte(file(c.key)))
		if err != nil {
			t.Errorf("%s: %v", c.key, err)
			continue
		}
		record := rfc8463Ed
		if c.record != "" {
			record = strings.TrimSpace(file(c.record))
		}
		if r, err := dkim.ParseRecord(record); err != nil || !r.Matches(key) {
			t.Errorf("%s doesn't match %s: %v", c.record, c.key, err)
		}
		for _, message := range []string{"test.message", "test_extra.message", "test_nofrom.message", "ed25519test.msg", "rfc6376.msg"} {
			signVerify(t, message, crlf(file(message)), record, key)
		}
	}
}

// signVerify signs a message and sees that it verifies.
func signVerify(t *testing.T, name, raw, record string, key *dkim.PrivateKey) {
	t.Helper()
	signed := sign(t, raw, dkim.SignOptions{Now: now}, dkim.SigningKey{Domain: "example.com", Selector: "test", Key: key})
	r := verify(t, signed, zone{"test._domainkey.example.com": record}, dkim.VerifyOptions{})
	if got := outcomes(r); !strings.HasPrefix(got, "pass") {
		t.Errorf("%s with a %s key: %s, want pass", name, key.Type(), got)
	}
}

// sign returns a message with a signature of each key on top.
func sign(t testing.TB, raw string, o dkim.SignOptions, keys ...dkim.SigningKey) string {
	t.Helper()
	s, err := dkim.NewSigner(keys, o)
	if err != nil {
		t.Fatal(err)
	}
	m := mail.Parse([]byte(raw), mail.Limits{})
	s.Write(m.Body())
	fields, err := s.Sign(m.Header())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range fields {
		b.WriteString(f.Name + ":" + crlf(f.Raw) + "\r\n")
	}
	return b.String() + raw
}
