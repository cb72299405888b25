package dkim

import (
	"slices"
	"strings"
	"testing"

	"rmilter/internal/mail"
)

// FuzzTags reads tag lists: what is found lies where it says, each name once.
func FuzzTags(f *testing.F) {
	for _, s := range []string{"", ";", "a=b", " a = b ; c=\r\n d;", "a=b;;c=d", "=", "a", "a=b;a=c", "v=DKIM1; p=", "\xff=\xff", "a=\x00"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, s string, loose bool) {
		list, fault := parseTags(s, loose)
		if fault != nil {
			if fault.Reason != BadTags || list != nil {
				t.Errorf("%q: %v, %v", s, list, fault)
			}
			return
		}
		var names []string
		for _, tag := range list {
			if trimSpace(s[tag.from:tag.to]) != tag.value || !strings.HasSuffix(trimSpace(s[:tag.from-1]), tag.name) || strings.Contains(tag.value, ";") {
				t.Errorf("%q: tag %+v", s, tag)
			}
			names = append(names, tag.name)
		}
		slices.Sort(names)
		if len(slices.Compact(names)) != len(list) || len(list) > maxTags || len(list) == 0 {
			t.Errorf("%q: tags %v", s, names)
		}
	})
}

// FuzzRecord reads key records: a key that is taken keeps the bounds.
func FuzzRecord(f *testing.F) {
	f.Add(forgeKey.Record())
	f.Add("v=DKIM1; p=")
	f.Add("k=rsa; t=y:s; s=email; h=sha256; n=x; p=MIGJAoGBALVI635dLK4cJJAH3Lx6upo3X/Lm1tQz3mezcWTA3BUBnyIsdnRf57aD5BtNmhPrYYDlWlzw3UgnKisIxktkk5+iMQMlFtAS10JB8L3YadXNJY+JBcbeSi5TgJe4WFzNgW95FWDAuSTRXSWZfA/8xjflbTLDx0euFZOM7C4T0GwLAgMBAAE=")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRecord(s)
		if err != nil {
			if r.public != nil {
				t.Errorf("%q: a key and %v", s, err)
			}
			return
		}
		if r.Type == "rsa" && (r.Bits < minKeyBits || r.Bits > DefaultLimits.KeyBits) || r.work() <= 0 {
			t.Errorf("%q: %+v", s, r)
		}
		if r.verifies([32]byte{}, make([]byte, r.Bits/8)) {
			t.Errorf("%q: zeros are taken for a signature", s)
		}
	})
}

// fuzzedResults are what must hold for any message.
func fuzzedResults(t *testing.T, r Results) {
	t.Helper()
	statuses := []Status{Pass, Fail, Policy, TempError, PermError}
	for _, s := range r.Signatures {
		if !slices.Contains(statuses, s.Status) || (s.Status == Pass) != (s.Reason == "") {
			t.Errorf("signature %+v", s)
		}
		if s.Status == Pass {
			t.Errorf("a signature passes that nobody made: %+v", s)
		}
		for _, word := range []string{s.Domain, s.Selector, s.Algorithm, s.Short, s.Detail} {
			if printable(word) != word && len(word) <= 100 {
				t.Errorf("%q isn't printable", word)
			}
		}
	}
	if c := r.ARC; !slices.Contains([]Status{None, Fail, Policy, TempError}, c.Status) || (c.Status == None) != (c.Reason == "") {
		t.Errorf("chain %+v", c)
	}
}

// FuzzSignature reads signature fields.
func FuzzSignature(f *testing.F) {
	f.Add(" v=1; a=ed25519-sha256; c=relaxed/simple; d=example.com; s=s; i=@example.com; t=1; x=9999999999; l=3; q=dns/txt; h=from:to; bh=eA==; b=eA==", "body")
	f.Add(" v=1; a=rsa-sha256; d=ä.example; s=ö; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=\n eA==", "")
	f.Fuzz(func(t *testing.T, value, body string) {
		h := mail.Header{{Name: "DKIM-Signature", Raw: value}, {Name: "From", Raw: " x"}}
		r, _ := run(t, h, body, anyKey(forgeKey.Record()), VerifyOptions{})
		fuzzedResults(t, r)
	})
}

// FuzzARC reads the three fields of a set.
func FuzzARC(f *testing.F) {
	h := sealed(f, forgeHeader, forgeBody, 1, forgeKey, func(int) string { return "s" })
	f.Add(h[0].Raw+"A", h[1].Raw, h[2].Raw)
	f.Add(" i=1; cv=none", " i=1", " (x) i = 1 (y) ; z")
	f.Add(" i=50;", " i=51;", " i=0;")
	f.Fuzz(func(t *testing.T, seal, message, results string) {
		h := mail.Header{{Name: "ARC-Seal", Raw: seal}, {Name: "ARC-Message-Signature", Raw: message}, {Name: "ARC-Authentication-Results", Raw: results}}
		r, _ := run(t, append(h, forgeHeader...), "other", anyKey(forgeKey.Record()), VerifyOptions{})
		fuzzedResults(t, r)
	})
}

// FuzzParseKey reads private keys.
func FuzzParseKey(f *testing.F) {
	text, err := forgeKey.PEM()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="))
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := ParseKey(data)
		if (k == nil) == (err == nil) {
			t.Fatalf("key %v, error %v", k, err)
		}
		if k == nil {
			return
		}
		if r, err := ParseRecord(k.Record()); err != nil || !r.Matches(k) {
			t.Errorf("the record of a key doesn't match it: %v", err)
		}
	})
}
