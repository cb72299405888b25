package options

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"time"

	"rmilter/dkim"
	"rmilter/internal/mail"
)

// The zones of the entries: sender.example lets the first client send its mail, or nobody.
const (
	lets   = `sender.example TXT "v=spf1 ip4:` + stranger + ` -all"` + "\n"
	letsNo = `sender.example TXT "v=spf1 -all"` + "\n"
)

// allowed is what is found in mail that is from where the zone lets it come.
const allowed = `R_SPF_ALLOW(-0.20){sender.example,+ip4:203.0.113.7,"v=spf1 ip4:203.0.113.7 -all"}`

// fromJoe is the header that is signed.
const fromJoe = "From: joe@sender.example\n"

// authEntries are about who sent a message, and where that is asked.
func authEntries() []entry {
	const (
		spf    = "spf { enabled = yes; }\n"
		dkim   = "dkim_verify { enabled = yes; }\n"
		policy = spf + dkim + "dmarc { enabled = yes; } authentication_results = no;\n"
		arc    = dkim + "arc { enabled = yes; }\n"
		chain  = "auth=dkim:none,arc:pass sym=R_DKIM_NA(0.00),ARC_ALLOW"

		passes = "auth=spf:pass sym=" + allowed
		fail   = `R_SPF_FAIL(1.00){sender.example,-all,"v=spf1 -all"}`
		fails  = "auth=spf:fail,dkim:none,dmarc:fail sym=" + fail + ",R_DKIM_NA(0.00),DMARC_POLICY_"
	)
	asks := func(policy string) []string {
		return []string{letsNo + `_dmarc.sender.example TXT "v=DMARC1; p=` + policy + "\"\n"}
	}
	joe := letter{header: fromJoe, body: "hello\n"}
	plain, signed, sealed := known(joe), known(sign(joe)), known(seal(joe, "lists.example"))
	return []entry{
		// Without it those of resolv.conf are asked, where nobody is.
		{path: "dns nameserver", value: "$DNS0", with: spf, zones: []string{lets}, room: true, probe: plain,
			before: `auth=spf:temperror sym=R_SPF_DNSFAIL(0.00){sender.example,"dns: TXT sender.example: unreachable: read: connection refused"}`, after: passes},
		{path: `dns zone "DOMAIN" nameserver`, as: `dns zone "sender.example" nameserver`, value: "$DNS1", with: spf, zones: []string{letsNo, lets}, probe: plain,
			before: "auth=spf:fail sym=" + fail, after: passes},
		{path: "spf enabled", value: "no", zones: []string{lets}, probe: plain, before: passes, after: "auth=- sym=-"},
		{path: "dkim_verify enabled", value: "no", zones: []string{publish("sender.example")}, probe: signed,
			before: "auth=dkim:pass sym=R_DKIM_ALLOW(-0.20){sender.example:s=s},DKIM_TRACE(0.00){sender.example:+}", after: "auth=- sym=-"},
		{path: "arc enabled", value: "no", with: dkim, zones: []string{publish("lists.example")}, probe: sealed,
			before: chain + `(0.00){lists.example:s=s:i=1,"sealer not trusted"}`, after: "auth=dkim:none sym=R_DKIM_NA(0.00)"},
		{path: "arc trusted_sealers", value: "example.org, lists.example", with: arc, zones: []string{publish("lists.example")}, probe: sealed,
			before: chain + `(0.00){lists.example:s=s:i=1,"sealer not trusted"}`, after: chain + "(-1.00){lists.example:s=s:i=1}"},
		{path: "arc trusted_sealers", value: "lists.example", with: arc + policy + "dmarc { actions { reject = reject; } }", zones: []string{asks("reject")[0] + publish("lists.example")},
			probe: each(seal(joe, "lists.example")).fates, before: "554 5.7.1 Refused by the DMARC policy of sender.example [ID]", after: "continue"},
		{path: "dmarc enabled", value: "no", with: spf + dkim, zones: asks("none"), probe: plain,
			before: fails + `SOFTFAIL(0.10){sender.example,none,"nothing aligned passes"}`, after: "auth=spf:fail,dkim:none sym=" + fail + ",R_DKIM_NA(0.00)"},
		{path: "dmarc actions reject", value: "reject", with: policy, zones: asks("reject"), probe: each(joe).logging("auth"),
			before: "continue; auth=spf:fail,dkim:none,dmarc:fail", after: "554 5.7.1 Refused by the DMARC policy of sender.example [ID]; auth=spf:fail,dkim:none,dmarc:fail"},
		{path: "dmarc actions reject", value: `"soft reject"`, with: policy, zones: asks("reject"), probe: each(joe).logging("action"),
			before: `continue; action="no action"`, after: `451 4.7.1 Refused by the DMARC policy of sender.example [ID]; action="soft reject"`},
		{path: "dmarc actions quarantine", value: "add_header", with: policy, zones: asks("quarantine"), probe: each(joe).logging("auth"),
			before: "continue; auth=spf:fail,dkim:none,dmarc:fail", after: "continue, add X-Spam: yes; auth=spf:fail,dkim:none,dmarc:fail"},
	}
}

// authListEntries are about lists of domains that are proved, or should be.
func authListEntries() []entry {
	const proof = "spf { enabled = yes; } dkim_verify { enabled = yes; } dmarc { enabled = yes; } auth { enabled = yes; } auth_lists { enabled = yes; }\n"
	const policy = "_dmarc.sender.example TXT \"v=DMARC1; p=none\"\n"
	good := sign(letter{header: fromJoe, body: "hello\n"})
	altered := good
	altered.body = "hullo\n"
	var list []entry
	for _, l := range []struct {
		option string
		letter letter
		spf    string
		score  string
	}{
		{"whitelist_spf", good, lets, "-1.00"},
		{"whitelist_dkim", good, letsNo, "-1.00"},
		{"whitelist_spf_dkim", good, lets, "-3.00"},
		{"whitelist_dmarc", good, letsNo, "-7.00"},
		{"blacklist_spf", good, letsNo, "1.00"},
		{"blacklist_dkim", altered, lets, "2.00"},
		{"blacklist_spf_dkim", altered, lets, "3.00"},
		{"blacklist_dmarc", altered, letsNo, "6.00"},
	} {
		symbol := strings.ToUpper(l.option)
		list = append(list, entry{path: "auth_lists " + l.option, value: `"$DIR/list"`, with: proof, zones: []string{l.spf + policy + publish("sender.example")},
			prep: write("list", "sender.example\n"), probe: reported(symbol, l.letter), before: symbol + ": -", after: symbol + ": " + symbol + "(" + l.score + "){sender.example}"})
	}
	return append(list, entry{path: "auth_lists enabled", value: "no", with: proof + `auth_lists { whitelist_spf = "$DIR/list"; }`, zones: []string{lets},
		prep: write("list", "sender.example\n"), probe: reported("WHITELIST_SPF", good), before: "WHITELIST_SPF: WHITELIST_SPF(-1.00){sender.example}", after: "WHITELIST_SPF: -"})
}

// authFieldEntries are about the field that tells others who sent a message.
func authFieldEntries() []entry {
	const spf = "spf { enabled = yes; }\n"
	claims := each(letter{header: "Authentication-Results: mx.example.com; spf=fail\nAuthentication-Results: mx.example.org; spf=fail\n"}).fates
	says := func(id string) string {
		return "insert Authentication-Results: " + id + ";\n\tspf=pass (203.0.113.7 matches +ip4:203.0.113.7 of sender.example)\n\tsmtp.mailfrom=joe@sender.example"
	}
	return []entry{
		{path: "authentication_results", value: "no", with: spf, zones: []string{lets}, probe: claims,
			before: "continue, delete Authentication-Results, " + says("mx.example.com"), after: "continue, delete Authentication-Results"},
		{path: "authserv_id", value: "mx.example.org", with: spf, zones: []string{lets}, probe: claims,
			before: "continue, delete Authentication-Results, " + says("mx.example.com"), after: "continue, delete Authentication-Results, " + says("mx.example.org")},
	}
}

// known is a probe that tells what the log says of who sent a letter.
func known(l letter) probe {
	return func(d *daemon) string { return d.send(l).log("auth", "sym") }
}

// reported returns a probe that tells what the log has of one symbol.
func reported(symbol string, l letter) probe {
	pattern := regexp.MustCompile(`\b` + symbol + `\([^)]*\)(\{[^}]*\})?`)
	return func(d *daemon) string {
		said := pattern.FindString(d.send(l).log("sym"))
		if said == "" {
			said = "-"
		}
		return symbol + ": " + said
	}
}

// The key of the tests, for signatures and for seals, and the file that has it.
var (
	seed    = sha256.Sum256([]byte("a key for tests"))
	keyFile = base64.StdEncoding.EncodeToString(seed[:])
)

// key returns the key of the tests.
func key() *dkim.PrivateKey {
	k, err := dkim.ParseKey([]byte(keyFile))
	if err != nil {
		panic(err)
	}
	return k
}

// publish returns the record of the key for a domain and the selector s.
func publish(domain string) string {
	return "s._domainkey." + domain + " TXT " + key().Record() + "\n"
}

// sign returns a letter with a signature of sender.example. It covers what doesn't
// change from letter to letter.
func sign(l letter) letter {
	s, err := dkim.NewSigner([]dkim.SigningKey{{Domain: "sender.example", Selector: "s", Key: key()}},
		dkim.SignOptions{Now: time.Now(), BareLF: true, HeaderCanon: dkim.Relaxed, BodyCanon: dkim.Relaxed})
	if err != nil {
		panic(err)
	}
	m := mail.Parse([]byte(l.header+"Subject: hello\n\n"+l.body), mail.DefaultLimits)
	if _, err := s.Write(m.Body()); err != nil {
		panic(err)
	}
	fields, err := s.Sign(m.Header())
	if err != nil {
		panic(err)
	}
	l.header = fields[0].Name + ":" + fields[0].Raw + "\n" + l.header
	return l
}

// seal returns a letter with the first set of an ARC chain (RFC 8617). Its header has From
// alone; its body is in the relaxed form.
func seal(l letter, domain string) letter {
	hash := sha256.Sum256([]byte(strings.ReplaceAll(l.body, "\n", "\r\n")))
	made := func(over, name, value string) string {
		sum := sha256.Sum256([]byte(over + strings.ToLower(name) + ":" + value))
		return value + base64.StdEncoding.EncodeToString(ed25519.Sign(ed25519.NewKeyFromSeed(seed[:]), sum[:]))
	}
	by := "a=ed25519-sha256; d=" + domain + "; s=s; "
	from := strings.Replace(strings.TrimSpace(l.header), "From: ", "from:", 1) + "\r\nsubject:hello\r\n"
	results := "i=1; " + domain + "; dmarc=pass header.from=sender.example"
	message := made(from, "ARC-Message-Signature", fmt.Sprintf("i=1; c=relaxed/relaxed; %sh=from:subject; bh=%s; b=", by, base64.StdEncoding.EncodeToString(hash[:])))
	all := "arc-authentication-results:" + results + "\r\narc-message-signature:" + message + "\r\n"
	l.header = "ARC-Seal: " + made(all, "ARC-Seal", "i=1; cv=none; "+by+"b=") + "\nARC-Message-Signature: " + message + "\nARC-Authentication-Results: " + results + "\n" + l.header
	return l
}
