package options

import (
	"context"
	"fmt"
	"strings"
	"time"

	"rmilter/dkim"
	"rmilter/internal/mail"
)

// signEntries are about signatures of our own mail.
func signEntries() []entry {
	const (
		domain = `domain { domain = example.com; selector = s; key = "$DIR/key"; }`
		org    = `domain { domain = example.org; selector = s; key = "$DIR/key"; }`
		signed = "dkim_sign=example.com/s, relaxed/relaxed example.com s pass"
	)
	mine := letter{client: ours, from: "alice@example.com", header: "From: alice@example.com\n", rcpts: []string{"joe@sender.example"}}
	user := mine
	user.client, user.user = "192.0.2.9", "alice@example.org"
	two := mine
	two.from = "alice@example.org"
	below := mine
	below.header = "From: alice@news.example.com\n"
	stray := mine
	stray.client = stranger
	list := []entry{
		{path: "enable", value: "no", with: domain, probe: signatures(mine), before: signed, after: "dkim_sign=off"},
		{path: "sign_domain", value: "envelope", with: domain + org, probe: signatures(two), before: signed, after: "dkim_sign=example.org/s, relaxed/relaxed example.org s pass"},
		{path: "allow_username_mismatch", value: "yes", with: domain, probe: signatures(user), before: "dkim_sign=user_mismatch", after: signed},
		{path: "sign_networks", value: "203.0.113.0/24", with: domain, probe: signatures(stray), before: "dkim_sign=-", after: signed},
		{path: "header_canon", value: "simple", with: domain, probe: signatures(mine), before: signed, after: "dkim_sign=example.com/s, simple/relaxed example.com s pass"},
		{path: "body_canon", value: "simple", with: domain, probe: signatures(mine), before: signed, after: "dkim_sign=example.com/s, relaxed/simple example.com s pass"},
		// A block is of no use without the other options, so these come along.
		{path: `domain "DOMAIN" key`, as: `domain "example.com" key`, value: `"$DIR/key"; selector = s`, probe: signatures(mine, below),
			before: "dkim_sign=off\ndkim_sign=off", after: signed + "\n" + signed},
		{path: `domain "DOMAIN" key`, as: `domain "*" key`, value: `"$DIR"; selector = dir`, with: domain, probe: signatures(mine),
			before: signed, after: "dkim_sign=example.com/s,dir, relaxed/relaxed example.com s pass, relaxed/relaxed example.com dir pass"},
		{path: `domain "DOMAIN" domain`, as: `domain "mine" domain`, value: `example.com; selector = s; key = "$DIR/key"`, with: org, probe: signatures(mine),
			before: "dkim_sign=no_key", after: signed},
		{path: `domain "DOMAIN" selector`, as: `domain "example.com" selector`, value: `t; key = "$DIR/key"`, with: domain, probe: signatures(mine),
			before: signed, after: "dkim_sign=example.com/s,t, relaxed/relaxed example.com s pass, relaxed/relaxed example.com t pass"},
	}
	for i := range list {
		e := &list[i]
		e.path = "dkim " + e.path
		if e.as != "" {
			e.as = "dkim " + e.as
		}
		if e.with != "" {
			e.with = "dkim { " + e.with + " }\n"
		}
		e.prep = func(d *daemon) {
			write("key", keyFile)(d)
			write("example.com.dir.key", keyFile)(d)
		}
	}
	return list
}

// signatures returns a probe that tells of each letter what the log says of its
// signatures, and those that it gets: canonicalizations, domain, selector, and whether they
// verify.
func signatures(l ...letter) probe {
	return func(d *daemon) string {
		var seen []string
		for _, one := range l {
			f := d.send(one)
			said := f.log("dkim_sign")
			for _, s := range f.signatures() {
				said += fmt.Sprintf(", %v/%v %s %s %s", s.HeaderCanon, s.BodyCanon, s.Domain, s.Selector, s.Status)
			}
			seen = append(seen, said)
		}
		return strings.Join(seen, "\n")
	}
}

// signatures verifies the signatures of a letter as it goes on.
func (f fate) signatures() []dkim.Signature {
	f.d.t.Helper()
	var h mail.Header
	for _, field := range f.left.Header {
		h = append(h, mail.Field{Name: field.Name, Raw: field.Value})
	}
	v := dkim.NewVerifier(h, dkim.VerifyOptions{Now: time.Now()})
	v.Start(f.d.t.Context(), everywhere{})
	_, err := v.Write(f.left.Body)
	f.d.must(err)
	return v.Finish(f.d.t.Context()).Signatures
}

// everywhere is a DNS that has the record of the key under every name.
type everywhere struct{}

func (everywhere) TXT(context.Context, string) ([]string, error) {
	return []string{key().Record()}, nil
}
