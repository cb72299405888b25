package server

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rmilter/dkim"
	"rmilter/internal/dns/dnstest"
	"rmilter/internal/signing"
)

// newKeyFile writes a new key and returns its record.
func newKeyFile(t *testing.T, path string) string {
	t.Helper()
	key, err := dkim.GenerateEd25519()
	must(t, err)
	text, err := key.PEM()
	must(t, err)
	must(t, os.WriteFile(path, text, 0o600))
	return key.Record()
}

// problem returns the text of a problem in the status, "" when it isn't there.
func (r *rig) problem(id string) string {
	r.t.Helper()
	for _, p := range r.status().Problems {
		if p.ID == id {
			return p.Text
		}
	}
	return ""
}

// TestKeysWithoutRecords has keys whose records are mended later. Status tells so after a
// reload at once, and after a minute without.
func TestKeysWithoutRecords(t *testing.T) {
	dir, keys := newFolder(t), t.TempDir()
	var mu sync.Mutex
	now := time.Now()
	clock := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}
	var records []string
	for _, d := range []string{"a", "b", "c"} {
		records = append(records, newKeyFile(t, filepath.Join(keys, d+".example.s.key")))
	}
	names := dnstest.Start(t, "")
	names.AddTXT("s._domainkey.a.example", records[0])
	names.AddTXT("s._domainkey.b.example", records[0])
	r := bootIn(t, dir, names.Addr().String(), `dkim { domain { domain = "*"; selector = "s"; key = "`+keys+`"; } }`, clock)
	r.compareKeys(false)
	const want = "2 signing keys don't match their records: s._domainkey.b.example (differs), s._domainkey.c.example (missing)"
	until(t, "the problem", func() bool { return r.problem("dkim_keys") == want })

	names.AddTXT("s._domainkey.c.example", records[2])
	if got := r.reloadAndWait(); got != "ok" {
		t.Fatal(got)
	}
	const one = "1 signing key doesn't match its record: s._domainkey.b.example (differs)"
	until(t, "one key less, after a reload", func() bool { return r.problem("dkim_keys") == one })

	names.Remove("s._domainkey.b.example", "TXT")
	names.AddTXT("s._domainkey.b.example", records[1])
	mu.Lock()
	now = now.Add(wrongKeyInterval)
	mu.Unlock()
	r.compareKeys(false)
	until(t, "no problem, after a minute", func() bool { return r.problem("dkim_keys") == "" })
	if log := r.logged(); strings.Count(log, "signing keys don't match their records in the DNS") != 2 || strings.Count(log, "signing keys match their records again") != 1 {
		t.Errorf("the log doesn't tell of two states and the end: %s", log)
	}

	// All is well, so nobody asks before an hour has passed.
	asked := names.Queries("", "")
	mu.Lock()
	now = now.Add(keyCheckInterval - time.Minute)
	mu.Unlock()
	r.compareKeys(false)
	if r.keysRunning() || names.Queries("", "") != asked {
		t.Error("the keys are compared before an hour has passed")
	}
}

// keysRunning tells whether keys are being compared.
func (r *rig) keysRunning() bool {
	r.keys.mu.Lock()
	defer r.keys.mu.Unlock()
	return r.keys.running
}

// TestReloadWithBrokenKey breaks a key in a directory: the reload is refused, says why,
// and the key before signs on.
func TestReloadWithBrokenKey(t *testing.T) {
	dir, keys := newFolder(t), t.TempDir()
	path := filepath.Join(keys, "local.example.dkim.key")
	record := newKeyFile(t, path)
	names := dnstest.Start(t, "")
	names.AddTXT("dkim._domainkey.local.example", record)
	r := bootIn(t, dir, names.Addr().String(), `dkim { domain { domain = "*"; selector = "dkim"; key = "`+keys+`"; } }`, nil)
	must(t, os.WriteFile(path, []byte("garbage\n"), 0o600))
	fault := "dkim: " + path + ": the file holds no private key; the key before stays in use"
	for range 2 {
		code, got, body := r.post()
		if code != 409 || got.Success || len(got.Faults) != 1 || got.Faults[0] != fault {
			t.Errorf("got %d %s, want a conflict and %q", code, body, fault)
		}
	}
	if got := r.problem("config"); got != "configuration not reloaded: "+fault {
		t.Errorf("status: got %q", got)
	}
	if n := strings.Count(r.logged(), "level=ERROR msg="+fmt.Sprintf("%q", fault)); n != 2 {
		t.Errorf("the log tells %d times of the key, want once for each reload: %s", n, r.logged())
	}
	list := r.filter.Load().Signing().Check(t.Context(), signing.KeyLookup{Resolver: r.env.DNS})
	if len(list) != 1 || list[0].State != signing.OK {
		t.Errorf("got %+v, want the key before", list)
	}
	newKeyFile(t, path)
	if code, got, body := r.post(); code != 200 || !got.Success {
		t.Errorf("mended: got %d %s", code, body)
	}
}
