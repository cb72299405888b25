package signing

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNext breaks files under a Signing and has another configuration come.
func TestNext(t *testing.T) {
	r := newRig(t)
	const conf = `domain { domain = "*"; selector = s; key = $DIR; } domain { domain = example.com; selector = t; key = $DIR/named; }`
	named, listed := r.key("named"), r.key("a.example.s.key")
	r.key("b.example.s.key")
	s := r.signing(conf)
	signs := func(when string, s *Signing) {
		t.Helper()
		for domain, key := range map[string]string{"a.example": listed.Record(), "example.com": named.Record()} {
			if got := ask(s, "joe@"+domain, "<>", ""); len(got.Keys) != 1 || got.Keys[0].Key.Record() != key {
				t.Errorf("%s: %s: got %s, want the key before", when, domain, got.Word)
			}
		}
	}
	warned := func() int { return strings.Count(r.log.String(), `msg="a signing key can't be used"`) }
	refused := func(when, want string) {
		t.Helper()
		next, err := s.Next(r.config(conf))
		if diff := cmp.Diff(strings.ReplaceAll(want, "$DIR", r.dir), fmt.Sprint(err)); diff != "" || next != nil {
			t.Errorf("%s: got %v and the error, -want +got:\n%s", when, next, diff)
		}
	}

	// Nobody has asked for the keys yet, and no time has passed.
	r.write("a.example.s.key", "nonsense")
	refused("broken in the directory", "dkim: $DIR/a.example.s.key: the file holds no private key; the key before stays in use")
	r.write("named", "nonsense")
	refused("both broken", "dkim: $DIR/named: the file holds no private key; the key before stays in use\ndkim: $DIR/a.example.s.key: the file holds no private key; the key before stays in use")
	signs("broken", s)
	if err := Test(r.config(conf), r.env()); err == nil || strings.Count(err.Error(), "\n") != 1 || strings.Contains(err.Error(), "before") {
		t.Errorf("Test: got %v, want the two files", err)
	}
	if n := warned(); n != 0 {
		t.Errorf("%d warnings, want none besides the error: %s", n, &r.log)
	}
	for range 3 {
		r.clock.advance(checkEvery)
		s.Refresh()
	}
	if n := warned(); n != 2 {
		t.Errorf("%d warnings, want one for each file: %s", n, &r.log)
	}

	// A file that can't be read now is no fault, and the next one has its key all the same.
	for _, name := range []string{"named", "a.example.s.key"} {
		if err := os.Remove(r.path(name)); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(name, r.path(name)); err != nil { // a loop
			t.Fatal(err)
		}
	}
	r.log.Reset()
	next, err := s.Next(r.config(conf))
	if err != nil {
		t.Fatal(err)
	}
	signs("unreadable", next)
	next.Refresh()
	if n := warned(); n != 2 {
		t.Errorf("%d warnings, want one for each file: %s", n, &r.log)
	}

	// The mended file is in use at once, and one that breaks again is told again.
	for _, name := range []string{"named", "a.example.s.key"} {
		if err := os.Remove(r.path(name)); err != nil {
			t.Fatal(err)
		}
	}
	named, listed = r.key("named"), r.key("a.example.s.key")
	if next, err = next.Next(r.config(conf)); err != nil {
		t.Fatal(err)
	}
	signs("mended", next)
	r.log.Reset()
	for range 2 {
		r.write("named", "nonsense")
		r.clock.advance(checkEvery)
		next.Refresh()
		r.write("named", string(pem(t, named)))
		r.clock.advance(checkEvery)
		next.Refresh()
	}
	if n := warned(); n != 2 {
		t.Errorf("%d warnings, want one each time: %s", n, &r.log)
	}
	if off, err := next.Next(r.config("enable = no; " + conf)); err != nil || len(off.files) != 0 || ask(off, "joe@a.example", "<>", "").Word != Off {
		t.Errorf("off: got %+v, %v", off, err)
	}
}

// TestBrokenAtStart starts with files in a directory that hold no key: the others sign.
func TestBrokenAtStart(t *testing.T) {
	r := newRig(t)
	for i := range maxTold + 3 {
		r.write(fmt.Sprintf("d%d.example.s.key", i), "nonsense")
	}
	r.key("good.example.s.key")
	const conf = `domain { domain = "*"; selector = s; key = $DIR; }`
	s := r.signing(conf)
	if got := ask(s, "joe@good.example", "<>", ""); len(got.Keys) != 1 {
		t.Errorf("got %s, want it to be signed", got.Word)
	}
	log := r.log.String()
	if n := strings.Count(log, "\n"); n != maxTold+1 || !strings.Contains(log, "dkim: 3 more keys can't be used") {
		t.Errorf("%d lines, want %d and one of the others: %s", n, maxTold, log)
	}
	for _, err := range []error{s.Refresh(), Test(r.config(conf), r.env())} {
		if n := strings.Count(fmt.Sprint(err), "\n") + 1; n != maxTold+1 {
			t.Errorf("%d faults, want %d and one of the others: %v", n, maxTold, err)
		}
	}
	if r.log.String() != log {
		t.Errorf("it is told again: %s", &r.log)
	}
}

// TestManyKeys has more names of keys than are kept: those that are kept stay.
func TestManyKeys(t *testing.T) {
	r := newRig(t)
	key := r.key("good.example.s.key")
	s := r.signing(`domain { domain = "*"; selector = s; key = $DIR; }`)
	r.write("good.example.s.key", "nonsense")
	for i := range maxFiles + 10 {
		ask(s, fmt.Sprintf("joe@d%d.example", i), "<>", "")
	}
	r.clock.advance(checkEvery)
	if got := ask(s, "joe@good.example", "<>", ""); len(got.Keys) != 1 || got.Keys[0].Key.Record() != key.Record() {
		t.Errorf("got %s, want the key before", got.Word)
	}
	r.key("late.example.s.key")
	if got := ask(s, "joe@late.example", "<>", ""); len(got.Keys) != 1 {
		t.Errorf("one more: got %s, want it to be signed", got.Word)
	}
}

// TestPartOfName has a part of a domain's name with a file, for which it never signs.
func TestPartOfName(t *testing.T) {
	r := newRig(t)
	r.key("k")
	const conf = `domain { domain = ".local.example"; selector = s; key = $DIR/k; }`
	s := r.signing(conf)
	want := "dkim: " + r.path("k") + ": it is a file and signs nothing; expected a directory, or the domain of the key in place of .local.example"
	if !strings.Contains(r.log.String(), want) {
		t.Errorf("the log lacks %q: %s", want, &r.log)
	}
	if got := fmt.Sprint(s.Refresh()); got != want {
		t.Errorf("Refresh: got %s, want %s", got, want)
	}
	list := CheckKeys(context.Background(), r.config(conf), r.env(), zone{})
	if len(list) != 1 || list[0].State != NoPrivate || !strings.Contains(list[0].Detail, "signs nothing") {
		t.Errorf("CheckKeys: got %+v", list)
	}

	r.log.Reset()
	r.key("a.local.example.s.key")
	s = r.signing(`domain { domain = ".local.example"; selector = s; key = $DIR; }`)
	if got := ask(s, "joe@a.local.example", "<>", "").Word; got != "a.local.example/s" || r.log.Len() > 0 {
		t.Errorf("a directory: got %s and the log %s", got, &r.log)
	}
}

// TestLoginWithAt has logins with an "@" and no domain that can be used: these belong to
// no domain, while those without "@" belong to all.
func TestLoginWithAt(t *testing.T) {
	r := newRig(t)
	r.key("k")
	const conf = "domain { domain = other.example; selector = s; key = $DIR/k; }"
	s, free := r.signing(conf), r.signing(conf+" allow_username_mismatch = yes;")
	for user, want := range map[string]string{
		"joe": "other.example/s", "joe@other.example": "other.example/s", "joe@other.example.": "other.example/s",
		"joe@": UserMismatch, "@": UserMismatch, `"joe@local.example"`: UserMismatch, `"joe@other.example"`: UserMismatch,
		"joe@.": UserMismatch, "joe@@": UserMismatch, "joe@ ": UserMismatch, "joe@local.example@": UserMismatch, "joe@[192.0.2.1]": UserMismatch,
		"<>@": UserMismatch, "joe@" + strings.Repeat("a", 300): UserMismatch,
	} {
		if got := ask(s, "joe@other.example", "<>", user).Word; got != want {
			t.Errorf("login %q: got %s, want %s", user, got, want)
		}
		if got := ask(free, "joe@other.example", "<>", user).Word; got != "other.example/s" {
			t.Errorf("login %q with allow_username_mismatch: got %s", user, got)
		}
	}
}
