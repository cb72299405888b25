package signing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rmilter/dkim"
	"rmilter/internal/mail"
	"rmilter/internal/ucl"
)

// A clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// A rig is a directory of keys with a clock and a log.
type rig struct {
	t     *testing.T
	dir   string
	clock clock
	log   bytes.Buffer
}

func newRig(t *testing.T) *rig {
	return &rig{t: t, dir: t.TempDir(), clock: clock{now: time.Now().Add(time.Hour)}}
}

func (r *rig) env() Env {
	return Env{Now: r.clock.Now, Log: slog.New(slog.NewTextHandler(&r.log, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))}
}

// newKey makes a key of Ed25519, which takes no time.
func newKey(t testing.TB) *dkim.PrivateKey {
	t.Helper()
	k, err := dkim.GenerateEd25519()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// pem returns a key as its file has it.
func pem(t testing.TB, k *dkim.PrivateKey) []byte {
	t.Helper()
	b, err := k.PEM()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// key writes a new key to a file.
func (r *rig) key(name string) *dkim.PrivateKey {
	r.t.Helper()
	k := newKey(r.t)
	r.write(name, string(pem(r.t, k)))
	return k
}

func (r *rig) write(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(r.path(name), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) path(name string) string { return filepath.Join(r.dir, name) }

// config reads the content of dkim { }; $DIR is the directory.
func (r *rig) config(text string) Config {
	r.t.Helper()
	c := DefaultConfig()
	top := &ucl.Section{Sections: c.Sections()}
	var l ucl.Loader
	ucl.Decode(l.ReadText("test.conf", "dkim { "+strings.ReplaceAll(text, "$DIR", r.dir)+" }"), top, &l.Diagnostics)
	ucl.Finish(top)
	if err := l.Diagnostics.Err(); err != nil {
		r.t.Fatal(err)
	}
	return c
}

// signing is New of a configuration without faults.
func (r *rig) signing(text string) *Signing {
	r.t.Helper()
	s, err := New(r.config(text), r.env())
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// ask is Choose for a message of ours with an author, a sender and a user.
func ask(s *Signing, from, sender, user string) Choice {
	e := &mail.Envelope{Trust: mail.OurNetwork, User: user, From: mail.Path{Address: mail.ParseAddress(sender)}}
	if user != "" {
		e.Trust = mail.Authenticated
	}
	return s.Choose(Query{e, mail.Header{{Name: "From", Raw: " " + from}}})
}

func TestDeclaration(t *testing.T) {
	c := DefaultConfig()
	if err := ucl.Check(&ucl.Section{Sections: c.Sections()}); err != nil {
		t.Error(err)
	}
}

func TestChoose(t *testing.T) {
	r := newRig(t)
	for _, name := range []string{"org.key", "org2.key", "example.com.dkim.key", "xn--bcher-kva.example.dkim.key", "notexample.com.dkim.key", "sub.example.net.part.key", "example.net.part.key"} {
		r.key(name)
	}
	if err := os.Mkdir(r.path("other"), 0o700); err != nil {
		t.Fatal(err)
	}
	const conf = `
		domain { domain = "*"; selector = dkim; key = $DIR; }
		domain { domain = Example.ORG; selector = rsa; key = $DIR/org.key; }
		domain { domain = example.org; selector = ed; key = $DIR/org2.key; }
		domain { domain = example.net; selector = part; key = $DIR; }
		domain { domain = gone.example; selector = s; key = $DIR/gone.key; }
		domain { domain = lost.example; selector = s; key = $DIR/other; }`
	header, envelope := r.signing(conf), r.signing(conf+" sign_domain = envelope;")
	free := r.signing(conf + " allow_username_mismatch = yes;")
	for _, c := range []struct {
		name               string
		s                  *Signing
		from, sender, user string
		want               string
	}{
		{"the wildcard directory", header, "Joe <joe@example.com>", "<joe@example.org>", "", "example.com/dkim"},
		{"two keys", header, "joe@EXAMPLE.org", "<>", "", "example.org/rsa,ed"},
		{"a domain below", header, "joe@a.b.example.com", "<>", "", "example.com/dkim"},
		{"a domain below one with its own block", header, "joe@mail.example.org", "<>", "", "example.org/rsa,ed"},
		{"a name that ends the same is no domain below", header, "joe@badexample.org", "<>", "", "no_key"},
		{"its own key before that of the domain above", header, "joe@sub.example.net", "<>", "", "sub.example.net/part"},
		{"a domain beside it", header, "joe@other.example.net", "<>", "", "example.net/part"},
		{"another that has part of its name", header, "joe@notexample.com", "<>", "", "notexample.com/dkim"},
		{"U-labels", header, "joe@b\u00fccher.example", "<>", "", "xn--bcher-kva.example/dkim"},
		{"the envelope where From has no key", header, "joe@mail.example", "<joe@example.com>", "", "example.com/dkim"},
		{"none has a key", header, "joe@mail.example", "<joe@else.example>", "", "no_key"},
		{"a bounce", header, "MAILER-DAEMON@mail.example", "<>", "", "no_key"},
		{"sign_domain = envelope", envelope, "joe@example.com", "<joe@example.org>", "", "example.org/rsa,ed"},
		{"sign_domain = envelope, a bounce", envelope, "joe@example.com", "<>", "", "example.com/dkim"},
		{"the file is missing", header, "joe@gone.example", "<>", "", "key_missing"},
		{"the file is missing in its directory", header, "joe@lost.example", "<>", "", "key_missing"},
		{"the file is missing, the sender has one", header, "joe@gone.example", "<joe@example.com>", "", "example.com/dkim"},

		{"a user of the domain", header, "joe@example.com", "<>", "joe@Example.com", "example.com/dkim"},
		{"a user of a domain above", header, "joe@news.example.com", "<>", "joe@example.com", "example.com/dkim"},
		{"a user of a domain below", header, "joe@example.com", "<>", "joe@news.example.com", "user_mismatch"},
		{"a user of a domain beside", header, "joe@other.example.net", "<>", "joe@sub.example.net", "user_mismatch"},
		{"a user of another domain", header, "joe@example.com", "<joe@example.org>", "joe@example.org", "user_mismatch"},
		{"a user of a name that ends the same", header, "joe@notexample.com", "<>", "joe@example.com", "user_mismatch"},
		{"a user who writes for a domain that isn't ours", header, "joe@mail.example", "<joe@example.org>", "joe@example.org", "example.org/rsa,ed"},
		{"a user without domain", header, "joe@example.com", "<>", "joe", "example.com/dkim"},
		{"allow_username_mismatch", free, "joe@example.com", "<>", "joe@example.org", "example.com/dkim"},
		{"a user of another domain, by the envelope", envelope, "joe@example.com", "<joe@example.org>", "joe@example.com", "user_mismatch"},

		{"authors in one domain", header, "joe@example.com, Ann <ann@example.com>", "<>", "", "example.com/dkim"},
		{"authors in several domains", header, "joe@example.com, ann@example.org", "<>", "", "several_from"},
		{"no domain", header, "joe", "<joe@example.com>", "", "no_from"},
		{"empty", header, "", "<joe@example.com>", "", "no_from"},
		{"an empty group", header, "us:;", "<joe@example.com>", "", "no_from"},
		{"an address and something else", header, "joe@example.com, joe@@example.org@", "<>", "", "no_from"},
		{"an address literal", header, "joe@[192.0.2.1]", "<>", "", "no_key"},
		{"an address in the name", header, `"x@example.com" <joe@mail.example>`, "<>", "", "no_key"},
	} {
		got := ask(c.s, c.from, c.sender, c.user)
		if got.Word != c.want {
			t.Errorf("%s: From: %s, MAIL FROM %s, user %q: got %s, want %s", c.name, c.from, c.sender, c.user, got.Word, c.want)
		}
		domain, selectors, signs := strings.Cut(got.Word, "/")
		if !signs {
			domain, selectors = "", ""
		}
		var have []string
		for _, k := range got.Keys {
			if k.Domain != domain || k.Key == nil {
				t.Errorf("%s: got a key of %s: %v", c.name, k.Domain, k.Key)
			}
			have = append(have, k.Selector)
		}
		if got.Domain != domain || strings.Join(have, ",") != selectors {
			t.Errorf("%s: got domain %q and selectors %q with the word %s", c.name, got.Domain, have, got.Word)
		}
	}
}

// TestWhose has whose mail is signed: that of our own and of sign_networks, never that of
// strangers.
func TestWhose(t *testing.T) {
	r := newRig(t)
	r.key("k")
	const domain = "domain { domain = example.com; selector = s; key = $DIR/k; } "
	signs, more, old := r.signing(domain), r.signing(domain+"sign_networks = 192.0.2.0/24;"), r.signing(domain+"auth_only = no;")
	off, none := r.signing("enable = no; "+domain), r.signing("")
	inside, outside := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("198.51.100.7")
	for _, c := range []struct {
		name      string
		s         *Signing
		trust     mail.Trust
		client    netip.Addr
		word, log string
	}{
		{"a stranger", signs, mail.Stranger, inside, NotOurs, "-"},
		{"a stranger with auth_only = no", old, mail.Stranger, inside, NotOurs, "-"},
		{"a trusted relay", signs, mail.TrustedRelay, inside, NotOurs, "-"},
		{"a trusted relay with auth_only = no", old, mail.TrustedRelay, inside, NotOurs, "-"},
		{"sign_networks", more, mail.Stranger, inside, "example.com/s", "example.com/s"},
		{"outside of sign_networks", more, mail.Stranger, outside, NotOurs, "-"},
		{"no address", more, mail.Stranger, netip.Addr{}, NotOurs, "-"},
		{"our network", signs, mail.OurNetwork, outside, "example.com/s", "example.com/s"},
		{"our daemon", signs, mail.OurDaemon, outside, "example.com/s", "example.com/s"},
		{"a user", signs, mail.Authenticated, outside, "example.com/s", "example.com/s"},
		{"local injection", signs, mail.Local, netip.Addr{}, "example.com/s", "example.com/s"},
		{"off", off, mail.Local, netip.Addr{}, Off, Off},
		{"off, a stranger", off, mail.Stranger, outside, NotOurs, "-"},
		{"nothing configured", none, mail.Local, netip.Addr{}, Off, Off},
	} {
		e := &mail.Envelope{Trust: c.trust, ClientIP: c.client}
		got := c.s.Choose(Query{e, mail.Header{{Name: "From", Raw: " joe@example.com"}}})
		if got.Word != c.word || got.LogWord() != c.log {
			t.Errorf("%s: got %s, in the log %s; want %s, %s", c.name, got.Word, got.LogWord(), c.word, c.log)
		}
	}
	e := &mail.Envelope{Trust: mail.Local}
	from := mail.Field{Name: "from", Raw: " joe@example.com"}
	if got := signs.Choose(Query{e, mail.Header{from, from}}).Word; got != SeveralFrom {
		t.Errorf("two From: got %s, want %s", got, SeveralFrom)
	}
	if got := signs.Choose(Query{e, nil}).Word; got != NoFrom {
		t.Errorf("no From: got %s, want %s", got, NoFrom)
	}
	if got := (Choice{}).LogWord(); got != "-" {
		t.Errorf("no choice: got %s, want -", got)
	}
}

// TestHostileDomains has domains that are none, with files where they would lead to.
func TestHostileDomains(t *testing.T) {
	r := newRig(t)
	if err := os.Mkdir(r.path("keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	r.key("outside.dkim.key")
	r.key("keys/.dkim.key")
	r.key("keys/-.example.dkim.key")
	s := r.signing(`domain { domain = "*"; selector = dkim; key = $DIR/keys; }`)
	deep := strings.Repeat("a.", 120) + "example"
	for _, d := range []string{
		"", ".", "..", "../outside", "..%2foutside", "a/../../outside", r.path("outside"), "/outside", `..\outside`, "out\x00side", "outside\x00.example",
		"a..b", ".example", "*", "~", "a b", "\xff\xfe.example", "\u2024\u2024/outside", "\uff0e\uff0e\uff0foutside", "[127.0.0.1]", strings.Repeat("a", 300), strings.Repeat("a.", 300) + "example",
		strings.Repeat("a", 64) + ".example", deep,
	} {
		e := &mail.Envelope{Trust: mail.Local, From: mail.Path{Address: mail.Address{Local: "joe", Domain: d}}}
		got := s.Choose(Query{e, mail.Header{{Name: "From", Raw: " joe@mail.example"}}})
		if got.Word != NoKey || len(got.Keys) > 0 {
			t.Errorf("sender %q: got %s, want %s", d, got.Word, NoKey)
		}
		got = s.Choose(Query{e, mail.Header{{Name: "From", Raw: " <joe@" + d + ">"}}})
		if len(got.Keys) > 0 {
			t.Errorf("author %q: got %s", d, got.Word)
		}
	}
	for path := range s.files {
		if filepath.Dir(path) != r.path("keys") {
			t.Errorf("looked for %s", path)
		}
	}
	if n := len(s.files); n > 100 {
		t.Errorf("%d files were looked for, want 100 at most", n)
	}
	if got := FileName("/k", "../x", "s"); got != "" {
		t.Errorf("FileName gave %s", got)
	}
	if got := FileName("/k", "Example.com", "S"); got != "/k/example.com.s.key" {
		t.Errorf("FileName gave %s", got)
	}
}

// TestReload changes files under a Signing.
func TestReload(t *testing.T) {
	r := newRig(t)
	first := r.key("a")
	r.key("w.example.s.key")
	s := r.signing(`domain { domain = example.com; selector = s; key = $DIR/a; } domain { domain = "*"; selector = s; key = $DIR; }`)
	step := func(name, from, word string, key *dkim.PrivateKey, fault string) {
		t.Helper()
		got := ask(s, from, "<>", "")
		if got.Word != word {
			t.Errorf("%s: got %s, want %s", name, got.Word, word)
		}
		if key != nil && (len(got.Keys) != 1 || got.Keys[0].Key.Record() != key.Record()) {
			t.Errorf("%s: it is another key", name)
		}
		for range 2 { // a fault is told as long as it is there
			if err := s.Refresh(); fmt.Sprint(err) != strings.ReplaceAll(fault, "$DIR", r.dir) {
				t.Errorf("%s: Refresh: got %v, want %s", name, err, fault)
			}
		}
	}
	step("at first", "joe@example.com", "example.com/s", first, "<nil>")
	second := r.key("a")
	step("before the time", "joe@example.com", "example.com/s", first, "<nil>")
	r.clock.advance(checkEvery)
	step("another key", "joe@example.com", "example.com/s", second, "<nil>")
	if n := strings.Count(r.log.String(), "signing key read"); n != 1 {
		t.Errorf("the log tells %d times of the new key, want once:\n%s", n, &r.log)
	}

	r.write("a", "-----BEGIN PRIVATE KEY-----\ngone wrong\n-----END PRIVATE KEY-----\n")
	r.clock.advance(checkEvery)
	step("a broken file", "joe@example.com", "example.com/s", second, "dkim: $DIR/a: the PEM block is damaged; the key before stays in use")
	third := newKey(t)
	r.write("new", string(pem(t, third)))
	if err := os.Rename(r.path("new"), r.path("a")); err != nil {
		t.Fatal(err)
	}
	r.clock.advance(checkEvery)
	step("another file in its place", "joe@example.com", "example.com/s", third, "<nil>")
	if err := os.Remove(r.path("a")); err != nil {
		t.Fatal(err)
	}
	r.clock.advance(checkEvery)
	step("gone", "joe@example.com", "key_missing", nil, "dkim: $DIR/a: there is no such file, so nothing is signed with selector s")
	fourth := r.key("a")
	r.clock.advance(checkEvery)
	step("back", "joe@example.com", "example.com/s", fourth, "<nil>")

	step("no file in the directory", "joe@new.example", "no_key", nil, "<nil>")
	fresh := r.key("new.example.s.key")
	r.clock.advance(checkEvery)
	step("a file in the directory", "joe@new.example", "new.example/s", fresh, "<nil>")
	r.write("new.example.s.key", "nonsense")
	r.clock.advance(checkEvery)
	step("a broken one", "joe@new.example", "new.example/s", fresh, "dkim: $DIR/new.example.s.key: the file holds no private key; the key before stays in use")
	if err := os.Remove(r.path("new.example.s.key")); err != nil {
		t.Fatal(err)
	}
	r.clock.advance(checkEvery)
	step("gone from the directory", "joe@new.example", "no_key", nil, "<nil>")
	r.write("bad.example.s.key", "nonsense")
	step("broken from the beginning", "joe@bad.example", "key_missing", nil, "dkim: $DIR/bad.example.s.key: the file holds no private key")
	if n := len(s.files); n > 4 {
		t.Errorf("%d files are known, want 4 at most", n)
	}
}

// TestRefreshForgets has files of a directory that nobody needs any more.
func TestRefreshForgets(t *testing.T) {
	r := newRig(t)
	s := r.signing(`domain { domain = "*"; selector = s; key = $DIR; }`)
	for i := range maxFiles + 10 {
		ask(s, fmt.Sprintf("joe@d%d.example", i), "<>", "")
	}
	if n := len(s.files); n != maxFiles {
		t.Errorf("%d files are known, want %d", n, maxFiles)
	}
	if err := s.Refresh(); err != nil || len(s.files) != 0 {
		t.Errorf("Refresh left %d files, error %v", len(s.files), err)
	}
}

// TestNew has what is at the path of a key when the daemon starts.
func TestNew(t *testing.T) {
	r := newRig(t)
	r.key("good")
	r.write("bad", "nonsense")
	r.write("large", strings.Repeat("x", maxKeyFile+1))
	r.write("encrypted", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
	if err := syscall.Mkfifo(r.path("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := New(r.config(`
		domain { domain = a.example; selector = s; key = $DIR/bad; }
		domain { domain = b.example; selector = s; key = $DIR/large; }
		domain { domain = c.example; selector = s; key = $DIR/encrypted; }
		domain { domain = d.example; selector = s; key = $DIR/pipe; }
		domain { domain = e.example; selector = s; key = $DIR/good; }`), r.env())
	want := strings.ReplaceAll(`dkim: $DIR/bad: the file holds no private key
dkim: $DIR/large: it is too large for a key
dkim: $DIR/encrypted: the key is encrypted; it must be stored without a password
dkim: $DIR/pipe: it is no regular file`, "$DIR", r.dir)
	if diff := cmp.Diff(want, fmt.Sprint(err)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	r.log.Reset()
	if err := os.Chmod(r.path("good"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := r.signing(`
		domain { domain = a.example; selector = s; key = $DIR/gone; }
		domain { domain = "*"; selector = s; key = $DIR/good; }
		domain { domain = b.example; selector = s; key = $DIR/good/within; }`)
	wantLog := strings.ReplaceAll(`level=WARN msg="a signing key can't be used" reason="dkim: $DIR/gone: there is no such file, so nothing is signed with selector s"
level=WARN msg="other users of this machine can read a signing key" file=$DIR/good mode=0644 expected="0600 or 0640"
level=WARN msg="a signing key can't be used" reason="dkim: $DIR/good: it is a file and signs nothing; expected a directory, or the domain of the key in place of *"
level=WARN msg="a signing key can't be used" reason="dkim: $DIR/good/within: there is no such file, so nothing is signed with selector s"
`, "$DIR", r.dir)
	if diff := cmp.Diff(wantLog, r.log.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	if got := ask(s, "joe@c.example", "<>", "").Word; got != NoKey {
		t.Errorf("a file for *: got %s, want %s", got, NoKey)
	}
	if n := strings.Count(fmt.Sprint(s.Refresh()), "\n") + 1; n != 3 {
		t.Errorf("Refresh tells of %d faults, want 3", n)
	}
	for range 3 { // what others can read is told once
		r.clock.advance(checkEvery)
		s.Refresh()
	}
	if n := strings.Count(r.log.String(), "other users"); n != 1 {
		t.Errorf("the log warns %d times of the mode, want once", n)
	}
}

// TestBegin signs and has the signatures verified with the records of the keys.
func TestBegin(t *testing.T) {
	r := newRig(t)
	r.key("ed")
	rsa, err := dkim.GenerateRSA(1024)
	if err != nil {
		t.Fatal(err)
	}
	r.write("rsa", string(pem(t, rsa)))
	const domains = "domain { domain = example.com; selector = r; key = $DIR/rsa; } domain { domain = example.com; selector = e; key = $DIR/ed; } "
	for _, conf := range []string{"", "header_canon = simple; body_canon = simple;", "header_canon = simple;"} {
		s := r.signing(domains + conf)
		h := mail.Header{{Name: "From", Raw: " joe@example.com"}, {Name: "Subject", Raw: "  a  b"}}
		c := s.Choose(Query{&mail.Envelope{Trust: mail.Local}, h})
		signer, err := s.Begin(c)
		if err != nil {
			t.Fatal(err)
		}
		signer.Write([]byte("body  \r\n\r\n"))
		fields, err := signer.Sign(h)
		if err != nil || len(fields) != 2 {
			t.Fatalf("%d signatures, error %v, want 2", len(fields), err)
		}
		records := zone{}
		for _, k := range c.Keys {
			records[dkim.RecordName(k.Domain, k.Selector)] = []string{k.Key.Record()}
		}
		v := dkim.NewVerifier(append(fields, h...), dkim.VerifyOptions{Now: r.clock.Now()})
		v.Start(context.Background(), records)
		v.Write([]byte("body  \r\n\r\n"))
		canon := "c=relaxed/relaxed;"
		if conf != "" {
			canon = "c=simple/" + string(s.conf.BodyCanon) + ";"
		}
		for i, got := range v.Finish(context.Background()).Signatures {
			if got.Status != dkim.Pass || !strings.Contains(fields[i].Raw, canon) {
				t.Errorf("%s: signature %d: %s %s, want pass with %s:\n%s", conf, i, got.Status, got.Reason, canon, fields[i].Raw)
			}
		}
	}
	s := r.signing(domains)
	if signer, err := s.Begin(Choice{Word: NoKey}); signer != nil || err != nil {
		t.Errorf("without keys: got %v, %v", signer, err)
	}
}

// A zone is a Lookup; a name that holds nil is not to be had.
type zone map[string][]string

func (z zone) TXT(_ context.Context, name string) ([]string, error) {
	texts, ok := z[name]
	switch {
	case !ok:
		return nil, dkim.ErrNotFound
	case texts == nil:
		return nil, errors.New("server failed")
	}
	return texts, nil
}

func TestCheck(t *testing.T) {
	r := newRig(t)
	if err := os.Mkdir(r.path("keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(r.path("none"), 0o700); err != nil {
		t.Fatal(err)
	}
	good, other := r.key("good"), r.key("keys/b.example.dkim.key")
	r.key("keys/a.example.dkim.key")
	r.key("keys/a.example.old.key")
	r.key("keys/c.example.dkim.key")
	r.key("keys/d.example.dkim.key")
	r.write("keys/f.example.dkim.key", "nonsense")
	r.key("keys/..dkim.key")
	r.key("keys/UPPER.example.dkim.key")
	c := r.config(`
		domain { domain = example.com; selector = s; key = $DIR/good; }
		domain { domain = "*"; selector = dkim; key = $DIR/keys; }
		domain { domain = a.example; selector = dkim; key = $DIR/keys; }
		domain { domain = gone.example; selector = s; key = $DIR/gone; }
		domain { domain = none.example; selector = s; key = $DIR/none; }
		domain { domain = "*"; selector = s; key = $DIR/good; }`)
	list := CheckKeys(context.Background(), c, r.env(), zone{
		"s._domainkey.example.com":    {good.Record()},
		"dkim._domainkey.a.example":   {other.Record()},
		"dkim._domainkey.c.example":   nil,
		"dkim._domainkey.d.example":   {"v=DKIM1; p="},
		"dkim._domainkey.f.example":   {good.Record()},
		"s._domainkey.gone.example":   {good.Record()},
		"dkim._domainkey.unconfigued": {good.Record()},
	})
	var got []string
	wrong := 0
	for _, k := range list {
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s %s: %s", k.Domain, k.Selector, strings.TrimPrefix(k.File, r.dir), k.State, k.Detail)))
		if k.Wrong() {
			wrong++
		}
	}
	want := []string{
		"example.com s /good ok:",
		"a.example dkim /keys/a.example.dkim.key differs: the record holds another key",
		"b.example dkim /keys/b.example.dkim.key missing: there is no such record",
		"c.example dkim /keys/c.example.dkim.key temperror: the DNS gave no answer",
		"d.example dkim /keys/d.example.dkim.key broken: key revoked",
		"f.example dkim /keys/f.example.dkim.key no_key: the file holds no private key",
		"gone.example s /gone no_key: no such file or directory",
		"none.example s /none no_key: no file in it is named DOMAIN.s.key",
		"* s /good no_key: dkim: " + r.dir + "/good: it is a file and signs nothing; expected a directory, or the domain of the key in place of *",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	one := CheckKeys(context.Background(), c, r.env(), zone{}, "dkim._domainkey.b.example")
	if len(one) != 1 || one[0].Domain != "b.example" || one[0].State != Missing {
		t.Errorf("one name: got %+v", one)
	}
	if wrong != 7 {
		t.Errorf("%d keys are wrong, want 7", wrong)
	}
}

// TestRace has many goroutines choose while files change.
func TestRace(t *testing.T) {
	r := newRig(t)
	r.key("a")
	r.key("b.example.s.key")
	s := r.signing(`domain { domain = example.com; selector = s; key = $DIR/a; } domain { domain = "*"; selector = s; key = $DIR; }`)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 200 {
				for _, d := range []string{"example.com", "x.b.example", fmt.Sprintf("d%d.example", j)} {
					c := ask(s, "joe@"+d, "<>", "")
					if signs := len(c.Keys) == 1; signs == strings.HasPrefix(d, "d") {
						t.Errorf("%s: got %s", d, c.Word)
					}
				}
				if i == 0 {
					r.clock.advance(checkEvery / 2)
				}
			}
		})
	}
	for range 100 {
		new := newKey(t)
		r.write("new", string(pem(t, new)))
		if err := os.Rename(r.path("new"), r.path("a")); err != nil {
			t.Fatal(err)
		}
		if err := s.Refresh(); err != nil {
			t.Error(err)
		}
		s.Check(context.Background(), zone{})
	}
	wg.Wait()
}

// FuzzChoose has any From, sender and login. What is looked at lies in the directory.
func FuzzChoose(f *testing.F) {
	f.Add("joe@example.com", "<joe@example.org>", "joe@example.com")
	f.Add("\"a\" <joe@../../x>, b@c", "<@a:b@c>", "@")
	dir := f.TempDir()
	k := newKey(f)
	if err := os.WriteFile(filepath.Join(dir, "example.com.s.key"), pem(f, k), 0o600); err != nil {
		f.Fatal(err)
	}
	c := DefaultConfig()
	c.Domains = []*Domain{{Key: KeyPath(dir), Domain: "*", Selector: "s"}}
	s, err := New(c, Env{Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, from, sender, user string) {
		got := ask(s, from, sender, user)
		if len(got.Keys) > 0 && got.Domain != "example.com" || (len(got.Keys) > 0) != (got.Word == "example.com/s") {
			t.Errorf("From %q, sender %q, user %q: got %+v", from, sender, user, got)
		}
		if n := len(s.files); n > maxFiles {
			t.Errorf("%d files are known", n)
		}
		for path := range s.files {
			if filepath.Dir(path) != dir {
				t.Errorf("looked for %q", path)
			}
			delete(s.files, path)
		}
	})
}

func BenchmarkChoose(b *testing.B) {
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "example.com.s.key"), pem(b, newKey(b)), 0o600); err != nil {
		b.Fatal(err)
	}
	c := DefaultConfig()
	c.Domains = []*Domain{{Key: KeyPath(dir), Domain: "*", Selector: "s"}}
	s, err := New(c, Env{Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if c := ask(s, "joe@mail.example.com", "<>", ""); len(c.Keys) != 1 {
			b.Fatal(c.Word)
		}
	}
}
