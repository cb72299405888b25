package dkim

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"rmilter/internal/mail"
)

// sealed puts ARC sets on top of a header, with a selector for each instance.
func sealed(t testing.TB, h mail.Header, body string, sets int, key *PrivateKey, selector func(instance int) string) mail.Header {
	t.Helper()
	c := chain{}
	for n := 1; n <= sets; n++ {
		cv := "pass"
		if n == 1 {
			cv = "none"
		}
		ams := forge(t, h, "ARC-Message-Signature", fmt.Sprintf(" i=%d; a=%s-sha256; c=relaxed/simple; d=example.com; s=%s; h=from:to; bh=%s; b=",
			n, key.Type(), selector(n), bodyHash(body, -1)), key)
		aar := mail.Field{Name: "ARC-Authentication-Results", Raw: fmt.Sprintf(" i=%d; mx.example.org;\n\tspf=pass", n)}
		value := fmt.Sprintf(" i=%d; a=%s-sha256; cv=%s; d=example.com; s=%s; b=", n, key.Type(), cv, selector(n))
		as := mail.Field{Name: "ARC-Seal", Raw: value}
		h = append(mail.Header{as, ams, aar}, h...)
		for i := range c.sets {
			c.sets[i].seal, c.sets[i].message, c.sets[i].results = c.sets[i].seal+3, c.sets[i].message+3, c.sets[i].results+3
		}
		c.sets = append(c.sets, arcSet{results: 2, message: 1, seal: 0, signedSeal: signed{from: len(value), to: len(value)}})
		digests := c.digests(newHeader(h))
		b, err := key.sign([sha256.Size]byte(digests[n-1]))
		if err != nil {
			t.Fatal(err)
		}
		h[0].Raw += base64.StdEncoding.EncodeToString(b)
		last := &c.sets[n-1].signedSeal
		last.to = len(h[0].Raw)
	}
	return h
}

func TestChains(t *testing.T) {
	zone := records{"s._domainkey.example.com": forgeKey.Record(), "slow._domainkey.example.com": "!"}
	same := func(int) string { return "s" }
	for _, c := range []struct {
		name   string
		sets   int
		change func(h mail.Header) mail.Header
		body   string
		want   string
		oldest int
	}{
		{"none", 0, nil, forgeBody, "none", 0},
		{"one", 1, nil, forgeBody, "pass", 0},
		{"three", 3, nil, forgeBody, "pass", 0},
		{"fifty", 50, nil, forgeBody, "pass", 0},
		{"body changed", 3, nil, "other\r\n", "fail (bad body hash)", 0},
		{"header changed", 3, func(h mail.Header) mail.Header { h[len(h)-3].Raw = " x"; return h }, forgeBody, "fail (bad signature)", 0},
		{"results changed", 3, func(h mail.Header) mail.Header { h[8].Raw += "x"; return h }, forgeBody, "fail (bad signature)", 0},
		{"last set gone", 3, func(h mail.Header) mail.Header { return h[3:] }, forgeBody, "pass", 0},
		{"first set gone", 3, func(h mail.Header) mail.Header { return append(h[:6:6], h[9:]...) }, forgeBody, "fail (set missing)", 0},
		{"seal gone", 3, func(h mail.Header) mail.Header { return append(h[:3:3], h[4:]...) }, forgeBody, "fail (incomplete set)", 0},
		{"seal twice", 2, func(h mail.Header) mail.Header { return append(mail.Header{h[0]}, h...) }, forgeBody, "fail (field occurs twice in a set)", 0},
		{"instance 51", 1, func(h mail.Header) mail.Header { h[2].Raw = strings.Replace(h[2].Raw, "1", "51", 1); return h }, forgeBody, "fail (bad instance)", 0},
		{"too many", 1, func(h mail.Header) mail.Header {
			for range 50 {
				h = append(h, h[:3:3]...)
			}
			return h
		}, forgeBody, "fail (too many ARC sets)", 0},
		{"sealed as failed", 2, func(h mail.Header) mail.Header {
			h[0].Raw = strings.Replace(h[0].Raw, "cv=pass", "cv=fail", 1)
			return h
		}, forgeBody, "fail (sealed as failed)", 0},
		{"none above none", 2, func(h mail.Header) mail.Header {
			h[0].Raw = strings.Replace(h[0].Raw, "cv=pass", "cv=none", 1)
			return h
		}, forgeBody, "fail (bad cv=)", 0},
		{"large field", 1, func(h mail.Header) mail.Header { h[1].Raw += strings.Repeat(" ", 17<<10); return h }, forgeBody, "policy (over the limits)", 0},
		{"instance not a number", 1, func(h mail.Header) mail.Header { h[1].Raw = " i=x;" + h[1].Raw[5:]; return h }, forgeBody, "fail (bad instance)", 0},
		{"seal with h=", 1, func(h mail.Header) mail.Header { h[0].Raw = " h=from;" + h[0].Raw; return h }, forgeBody, "fail (seal has h=)", 0},
		{"names in other case", 2, func(h mail.Header) mail.Header { h[0].Name = "arc-SEAL"; h[2].Name += " "; return h }, forgeBody, "pass", 0},
		{"no DNS for a seal", 2, func(h mail.Header) mail.Header { h[3].Raw = strings.Replace(h[3].Raw, "s=s;", "s=slow;", 1); return h }, forgeBody, "fail (bad signature)", 0},
		{"no DNS for the last seal", 2, func(h mail.Header) mail.Header { h[0].Raw = strings.Replace(h[0].Raw, "s=s;", "s=slow;", 1); return h }, forgeBody, "temperror (key unavailable)", 0},
	} {
		h := sealed(t, forgeHeader, forgeBody, c.sets, forgeKey, same)
		if c.change != nil {
			h = c.change(h)
		}
		r, _ := run(t, h, c.body, zone, VerifyOptions{})
		if got := outcomeOf(r.ARC.Status, r.ARC.Reason); got != c.want || r.ARC.OldestPass != c.oldest {
			t.Errorf("%s: %s (%s), oldest pass %d; want %s, %d", c.name, got, r.ARC.Detail, r.ARC.OldestPass, c.want, c.oldest)
		}
		if r.ARC.Status == Pass && (len(r.ARC.Sets) == 0 || r.ARC.Sets[0].Results != "mx.example.org; spf=pass") {
			t.Errorf("%s: sets %+v", c.name, r.ARC.Sets)
		}
	}
}
