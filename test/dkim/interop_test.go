package dkim

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rmilter/dkim"
	"rmilter/internal/mail"
)

// A zone is a dkim.Lookup.
type zone map[string]string

// TXT implements dkim.Lookup.
func (z zone) TXT(_ context.Context, name string) ([]string, error) {
	if text, ok := z[name]; ok {
		return []string{text}, nil
	}
	return nil, dkim.ErrNotFound
}

// verify has rmilter verify a message and returns the results of its signatures.
func verify(t testing.TB, text []byte, z zone) []string {
	t.Helper()
	m := mail.Parse(text, mail.Limits{})
	v := dkim.NewVerifier(m.Header(), dkim.VerifyOptions{Now: time.Now()})
	v.Start(t.Context(), z)
	v.Write(m.Body())
	var all []string
	for _, s := range v.Finish(t.Context()).Signatures {
		all = append(all, strings.TrimSpace(s.Algorithm+" "+string(s.Status)+" "+string(s.Reason)))
	}
	return all
}

// sign has rmilter sign a message.
func sign(t testing.TB, text []byte, k key, header, body dkim.Canon) []byte {
	t.Helper()
	s, err := dkim.NewSigner([]dkim.SigningKey{k.SigningKey}, dkim.SignOptions{Now: time.Now(), HeaderCanon: header, BodyCanon: body, CRLF: true})
	if err != nil {
		t.Fatal(err)
	}
	m := mail.Parse(text, mail.Limits{})
	s.Write(m.Body())
	fields, err := s.Sign(m.Header())
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for _, f := range fields {
		fmt.Fprintf(&b, "%s:%s\r\n", f.Name, f.Raw)
	}
	b.Write(text)
	return b.Bytes()
}

var canons = []dkim.Canon{dkim.Relaxed, dkim.Simple}

// TestOthersVerifyOurs signs every message in every way and has all programs verify that,
// and what somebody has changed.
func TestOthersVerifyOurs(t *testing.T) {
	need(t)
	keys := newKeys(t)
	dir := t.TempDir()
	type signature struct {
		key
		message string
	}
	signed := map[string]signature{}
	for _, m := range messages() {
		for _, k := range keys {
			for _, header := range canons {
				for _, body := range canons {
					if m.large && header != body {
						continue
					}
					name := fmt.Sprintf("%s-%s-%s-%s", m.name, k.Selector, header, body)
					text := sign(t, m.text(), k, header, body)
					write(t, filepath.Join(dir, name+".eml"), text)
					signed[name] = signature{k, m.name}
					if got, want := verify(t, text, records(keys)), []string{k.algorithm() + " pass"}; !slices.Equal(got, want) {
						t.Errorf("%s: got %q, want %q", name, got, want)
					}
				}
			}
		}
	}
	spoiled := map[string]key{}
	for _, k := range keys {
		for name, change := range spoil {
			text := sign(t, messages()[0].text(), k, dkim.Relaxed, dkim.Relaxed)
			write(t, filepath.Join(dir, "spoiled-"+name+"-"+k.Selector+".eml"), change(text))
			spoiled["spoiled-"+name+"-"+k.Selector] = k
		}
	}
	for _, p := range peers(t, keys) {
		t.Run(p.name, func(t *testing.T) {
			said := p.verify(t, dir)
			passed, unknown := 0, 0
			for name, k := range signed {
				refusal, refused := p.refuses[k.message]
				switch got := said[name]; {
				case refused:
					if !strings.Contains(got, refusal) {
						t.Errorf("%s: got %q, want a refusal with %q", name, got, refusal)
					}
				case k.Key.Type() == "ed25519" && !p.ed25519:
					unknown++
					if got == "pass" {
						t.Errorf("%s: pass, though the program isn't said to know Ed25519", name)
					}
				case got != "pass":
					t.Errorf("%s: got %q, want pass", name, got)
				default:
					passed++
				}
			}
			for name := range spoiled {
				if got := said[name]; got == "pass" || got == "" {
					t.Errorf("%s: got %q, want anything but pass", name, got)
				}
			}
			t.Logf("%d signatures pass; %d of Ed25519, which the program doesn't know", passed, unknown)
		})
	}
}

// spoil are changes that no signature of ours survives.
var spoil = map[string]func([]byte) []byte{
	"body":           func(b []byte) []byte { return append(b, "more\r\n"...) },
	"subject":        func(b []byte) []byte { return bytes.Replace(b, []byte("Subject: hello"), []byte("Subject: hallo"), 1) },
	"second-from":    func(b []byte) []byte { return append([]byte("From: eve@example.org\r\n"), b...) },
	"second-subject": func(b []byte) []byte { return append([]byte("Subject: buy\r\n"), b...) },
	"reply-to":       func(b []byte) []byte { return append([]byte("Reply-To: eve@example.org\r\n"), b...) },
	"cc": func(b []byte) []byte {
		return bytes.Replace(b, []byte("To: alice"), []byte("Cc: eve@example.org\r\nTo: alice"), 1)
	},
}

// TestWeVerifyOthers has all programs sign every message in every way that they can.
func TestWeVerifyOthers(t *testing.T) {
	need(t)
	keys := newKeys(t)
	for _, p := range peers(t, keys) {
		t.Run(p.name, func(t *testing.T) {
			passed := 0
			for _, k := range keys {
				if k.Key.Type() == "ed25519" && !p.ed25519 {
					continue
				}
				for _, header := range canons {
					for _, body := range canons {
						if header == dkim.Simple && k.Key.Type() == "ed25519" && p.badSimple {
							continue
						}
						passed += theirs(t, p, k, header.String(), body.String(), keys)
					}
				}
			}
			t.Logf("%d signatures pass", passed)
		})
	}
}

// theirs has a program sign and rmilter verify. It returns how many signatures passed.
func theirs(t *testing.T, p peer, k key, header, body string, keys []key) int {
	t.Helper()
	dir := t.TempDir()
	written := 0
	for _, m := range messages() {
		if m.large && header != body || m.name == "odd-names" && header == "simple" && p.badSimple {
			continue
		}
		write(t, filepath.Join(dir, m.name+".eml"), m.text())
		written++
	}
	passed := 0
	said := p.sign(t, dir, k, header, body)
	if len(said) != written {
		t.Errorf("the program says something of %d messages, want %d", len(said), written)
	}
	for name, result := range said {
		if result != "signed" {
			t.Errorf("%s, %s %s/%s: the program says %q", name, k.algorithm(), header, body, result)
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, name+".eml.signed"))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := verify(t, text, records(keys)), []string{k.algorithm() + " pass"}; !slices.Equal(got, want) {
			t.Errorf("%s, %s %s/%s: got %q, want %q\n%.700s", name, k.algorithm(), header, body, got, want, text)
			continue
		}
		passed++
	}
	return passed
}
