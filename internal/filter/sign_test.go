package filter

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rmilter/dkim"
	"rmilter/internal/mail"
	"rmilter/internal/signing"
	"rmilter/internal/ucl"
	"rmilter/milter/miltertest"
	"rmilter/scan"
)

// records is what the DNS knows of our keys.
type records map[string]string

// TXT implements dkim.Lookup.
func (z records) TXT(_ context.Context, name string) ([]string, error) {
	if text, ok := z[name]; ok {
		return []string{text}, nil
	}
	return nil, dkim.ErrNotFound
}

// signs has a rig sign with two keys of example.com, and returns their records.
func (r *rig) signs(t *testing.T) records {
	t.Helper()
	z, c := records{}, signing.DefaultConfig()
	for _, selector := range []string{"one", "two"} {
		key, err := dkim.GenerateEd25519()
		must(t, err)
		text, err := key.PEM()
		must(t, err)
		path := filepath.Join(t.TempDir(), selector)
		must(t, os.WriteFile(path, text, 0o600))
		c.Domains = append(c.Domains, &signing.Domain{Domain: "example.com", Selector: signing.Selector(selector), Key: signing.KeyPath(path)})
		z[dkim.RecordName("example.com", selector)] = key.Record()
	}
	var err error
	r.rules.Signing, err = signing.New(c, signing.Env{Now: r.env.Now, Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	return z
}

// verified returns what becomes of the signatures that were added to a message.
func (r *rig) verified(z records, raw string, edits []miltertest.Edit) (all []string) {
	r.t.Helper()
	top := ""
	for _, e := range edits {
		if e.Name == "DKIM-Signature" {
			top = e.Name + ":" + e.Value + "\n" + top
		}
	}
	m := mail.Parse([]byte(strings.ReplaceAll(top+raw, "\n", "\r\n")), mail.Limits{})
	v := dkim.NewVerifier(m.Header(), dkim.VerifyOptions{Now: r.env.Now()})
	v.Start(r.t.Context(), z)
	v.Write(m.Body())
	for _, s := range v.Finish(r.t.Context()).Signatures {
		all = append(all, strings.TrimSpace(s.Selector+" "+string(s.Status)+" "+string(s.Reason)))
	}
	return all
}

const ourMail = "From: <alice@example.com>\nTo: <joe@sender.example>\nSubject: lunch\nMessage-ID: <1@example.com>\n\nTuesday?\n"

// TestSigned sends all kinds of mail and wants the signatures, and the word in the log line.
func TestSigned(t *testing.T) {
	user := smtp{macros: []string{"{auth_authen}", "alice"}}
	both := []string{"one pass", "two pass"}
	for _, c := range []struct {
		name    string
		client  smtp
		from    string // "" for alice
		raw     string
		prepare func(r *rig)
		word    string
		want    []string
	}{
		{name: "of our user", client: user, raw: ourMail, word: "example.com/one,two", want: both},
		{name: "of our network", client: smtp{"localhost", "127.0.0.1", 4711, miltertest.Inet, nil}, raw: ourMail, word: "example.com/one,two", want: both},
		{name: "local", client: smtp{"localhost", "127.0.0.1", 0, miltertest.Inet, nil}, raw: ourMail, word: "example.com/one,two", want: both},
		{name: "no body", client: user, raw: strings.TrimSuffix(ourMail, "Tuesday?\n"), word: "example.com/one,two", want: both},
		{name: "a stranger with our domain", client: smtp{}, raw: ourMail, word: ""},
		{name: "a relay with our domain", client: smtp{"mx2.example.com", "198.51.100.5", 25, miltertest.Inet, nil}, raw: ourMail, word: ""},
		{name: "another domain", client: user, from: "<joe@sender.example>", raw: clean, word: signing.NoKey},
		{name: "another author, our sender", client: user, raw: clean, word: "example.com/one,two", want: both},
		{name: "no sender", client: user, from: "<>", raw: ourMail, word: "example.com/one,two", want: both},
		{name: "large header of a stranger", client: smtp{}, raw: strings.Repeat("X-Large: "+strings.Repeat("x", 900)+"\n", 700) + ourMail, word: ""},
		{name: "a user of another domain", client: smtp{macros: []string{"{auth_authen}", "joe@sender.example"}}, raw: ourMail, word: signing.UserMismatch},
		{name: "no From", client: user, raw: strings.Replace(ourMail, "From", "X-From", 1), word: signing.NoFrom},
		{name: "two From", client: user, raw: "From: <joe@sender.example>\n" + ourMail, word: signing.SeveralFrom},
		{name: "refused", client: user, raw: ourMail + testString("X") + "\n", prepare: func(r *rig) { r.conf.StrictAuth = true }, word: notAccepted},
		{name: "dry run", client: user, raw: ourMail, prepare: func(r *rig) { r.conf.DryRun = true }, word: "dry_run:example.com/one,two"},
		{name: "dry run without a key", client: user, from: "<joe@sender.example>", raw: clean, prepare: func(r *rig) { r.conf.DryRun = true }, word: signing.NoKey},
		{name: "more fields than can be signed", client: user, raw: strings.Repeat("References: <1@example.com>\n", 200) + ourMail, word: tooManyFields},
		{name: "over max_size", client: user, raw: ourMail + strings.Repeat("a line of text that is rather long\n", 20000),
			prepare: func(r *rig) { r.conf.MaxSize = ucl.Size(headSize) }, word: "example.com/one,two", want: both},
		{name: "large header", client: user, raw: strings.Repeat("X-Large: "+strings.Repeat("x", 900)+"\n", 700) + ourMail, word: headerTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			var z records
			r := start(t, func(r *rig) {
				r.conf.TrustedRelays = ucl.MustNetworks("198.51.100.5")
				z = r.signs(t)
				if c.prepare != nil {
					c.prepare(r)
				}
			})
			conn := r.dial(c.client)
			for range 2 { // nothing is left of the one before
				o, res := conn.send(cmp.Or(c.from, "<alice@example.com>"), []string{"<joe@sender.example>"}, c.raw)
				if res.Signed != c.word && !(c.word == "" && res.Signed == "-") {
					t.Errorf("dkim_sign: got %q, want %q", res.Signed, c.word)
				}
				if got := r.verified(z, c.raw, o.Reply.Edits); !slices.Equal(got, c.want) {
					t.Errorf("signatures: got %q, want %q", got, c.want)
				}
				if c.client.macros != nil { // which the MTA tells with each message
					must(t, conn.Macro(miltertest.CmdMail, c.client.macros...))
				}
			}
			if strings.Contains(r.logged(), "level=ERROR") {
				t.Errorf("the log tells of an error: %s", r.logged())
			}
			if word := fmt.Sprintf(" dkim_sign=%s ", cmp.Or(c.word, "-")); strings.Count(r.logged(), word) != 2 {
				t.Errorf("the log lacks two of %q: %s", word, r.logged())
			}
		})
	}
}

// TestSignedThoughNotJudged has the Filter panic: our mail goes out, and signed.
func TestSignedThoughNotJudged(t *testing.T) {
	var z records
	r := start(t, func(r *rig) {
		z = r.signs(t)
		r.conf.StrictAuth = true
		r.scanner = scannerFunc(func(context.Context, *mail.Envelope, *mail.Message) *scan.Report { panic("told to") })
	})
	o, res := r.dial(smtp{macros: []string{"{auth_authen}", "alice"}}).send("<alice@example.com>", []string{"<joe@sender.example>"}, ourMail)
	if got, want := r.verified(z, ourMail, o.Reply.Edits), []string{"one pass", "two pass"}; !slices.Equal(got, want) || !slices.Contains(res.Flags, "failed") {
		t.Errorf("got %q with the flags %q and the reply %s, want %q and failed", got, res.Flags, o.Reply, want)
	}
}
