package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rmilter/dkim"
	"rmilter/internal/dns/dnstest"
	"rmilter/internal/signing"
)

// TestKeygen makes keys, and reads them and their records back.
func TestKeygen(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name string
		args []string
		path string
		kind string
		bits int
	}{
		{"RSA", []string{"Example.COM", "dkim", "--dir", dir}, dir + "/example.com.dkim.key", "rsa", 2048},
		{"a final dot", []string{"LOCAL.Example.", "dkim", "--dir", dir, "--ed25519"}, dir + "/local.example.dkim.key", "ed25519", 256},
		{"1024 bits", []string{"example.org", "dkim", "--dir", dir, "--bits", "1024"}, dir + "/example.org.dkim.key", "rsa", 1024},
		{"Ed25519", []string{"example.com", "ed.2026", "--out", dir + "/key", "--ed25519"}, dir + "/key", "ed25519", 256},
		{"U-labels", []string{"b\u00fccher.example", "ed", "--dir", dir, "--ed25519"}, dir + "/xn--bcher-kva.example.ed.key", "ed25519", 256},
	} {
		got := call(noStdin(t), nil, append([]string{"dkim_keygen", "--json"}, c.args...)...)
		var g generated
		if err := json.Unmarshal([]byte(got.stdout), &g); err != nil || got.code != 0 || got.stderr != "" {
			t.Fatalf("%s: got %+v, error %v", c.name, got, err)
		}
		if g.File != c.path || g.Type != c.kind || g.Bits != c.bits {
			t.Errorf("%s: got %s, %s of %d bits, want %s, %s of %d", c.name, g.File, g.Type, g.Bits, c.path, c.kind, c.bits)
		}
		text, err := os.ReadFile(c.path)
		if err != nil {
			t.Fatal(err)
		}
		key, err := dkim.ParseKey(text)
		if err != nil || key.Record() != g.Record {
			t.Errorf("%s: the record is not that of the key: %v", c.name, err)
		}
		if info, err := os.Stat(c.path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v, want 0600", c.name, info.Mode(), err)
		}
		if strings.Contains(got.stdout, "PRIVATE") {
			t.Errorf("%s: the key is printed", c.name)
		}
		again := call(noStdin(t), nil, append([]string{"dkim_keygen"}, c.args...)...)
		if after, _ := os.ReadFile(c.path); string(after) != string(text) || again.code != 1 || again.stderr != "rmilterctl: "+c.path+" exists and stays as it is\n" {
			t.Errorf("%s, the second time: got %+v", c.name, again)
		}
	}
}

// TestKeygenText has what is printed for people.
func TestKeygenText(t *testing.T) {
	path := t.TempDir() + "/key"
	got := call(noStdin(t), nil, "dkim_keygen", "example.com", "dkim", "--out", path)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	key, err := dkim.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`%[1]s: rsa key of 2048 bits

DNS record, for a zone file:
dkim._domainkey.example.com. IN TXT ( "%[2]s" "%[3]s" )

The same as a name of type TXT and its text:
dkim._domainkey.example.com
%[2]s%[3]s

For rmilter.conf, unless a block has this directory and selector already:
dkim { domain { domain = "example.com"; selector = "dkim"; key = "%[1]s"; } }
`, path, key.Record()[:255], key.Record()[255:])
	if got.stdout != want || got.code != 0 {
		t.Errorf("got %d\n%s\nwant 0\n%s", got.code, got.stdout, want)
	}
	if warned := strings.Contains(got.stderr, "belongs to root"); warned != (os.Geteuid() == 0) {
		t.Errorf("stderr: %q", got.stderr)
	}
}

// TestKeygenOwner has root make a key in a directory of somebody else.
func TestKeygenOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	dir := t.TempDir()
	if err := os.Chown(dir, 1234, 1235); err != nil {
		t.Fatal(err)
	}
	got := call(noStdin(t), nil, "dkim_keygen", "example.com", "ed", "--dir", dir, "--ed25519")
	info, err := os.Stat(dir + "/example.com.ed.key")
	if err != nil {
		t.Fatalf("%+v: %v", got, err)
	}
	if ownerOf(info) != 1234 || groupOf(info) != 1235 || got.stderr != "" {
		t.Errorf("the file belongs to %d:%d, want 1234:1235; stderr %q", ownerOf(info), groupOf(info), got.stderr)
	}
}

func TestKeygenFaults(t *testing.T) {
	dir := t.TempDir()
	for args, want := range map[string]string{
		"example.com":                                  "64 rmilterctl: accepts 2 arg(s), received 1",
		"../x dkim --dir " + dir:                       `64 rmilterctl: "../x" and "dkim" are no domain and selector`,
		". dkim --dir " + dir:                          `64 rmilterctl: "." and "dkim" are no domain and selector`,
		"example.com a/b --dir " + dir:                 `64 rmilterctl: "example.com" and "a/b" are no domain and selector`,
		"example.com d --bits 512 --dir " + dir:        "64 rmilterctl: an RSA key has 1024 to 8192 bits",
		"example.com d --bits 2048 --ed25519":          "64 rmilterctl: a key of Ed25519 has no --bits",
		"example.com d --out " + dir + "/k --dir .":    "64 rmilterctl: --dir and --out exclude each other",
		"example.com d --ed25519 --dir " + dir + "/no": "1 rmilterctl: there is no directory " + dir + "/no; make it, as with install -d -o _rmilter -m 0700 " + dir + "/no",
	} {
		got := call(noStdin(t), nil, append([]string{"dkim_keygen"}, strings.Fields(args)...)...)
		if said := fmt.Sprint(got.code, " ", got.stderr); !strings.HasPrefix(said, want) {
			t.Errorf("%s: got %s, want %s", args, said, want)
		}
	}
	if files, _ := filepath.Glob(dir + "/*"); len(files) > 0 {
		t.Errorf("there are files: %v", files)
	}
}

// TestDKIMCheck compares keys with what a server says.
func TestDKIMCheck(t *testing.T) {
	dir := t.TempDir()
	records := map[string]string{}
	for _, name := range []string{"a.example", "b.example", "c.example", "d.example"} {
		got := call(noStdin(t), nil, "dkim_keygen", name, "dkim", "--dir", dir, "--ed25519", "--json")
		var g generated
		if err := json.Unmarshal([]byte(got.stdout), &g); err != nil {
			t.Fatalf("%+v: %v", got, err)
		}
		records[name] = g.Record
	}
	server := dnstest.Start(t, "")
	text := func(name, record string) { server.Zone(fmt.Sprintf("dkim._domainkey.%s TXT %q\n", name, record)) }
	text("a.example", records["a.example"])
	text("b.example", records["a.example"])
	text("d.example", records["d.example"])
	server.Script("dkim._domainkey.d.example", "TXT", dnstest.ServFail)
	conf := filepath.Join(dir, "rmilter.conf")
	configure := func(domains string) {
		t.Helper()
		if err := os.WriteFile(conf, fmt.Appendf(nil, "dns { nameserver = %q; }\ndkim { %s }\n", server.Addr(), domains), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	configure(fmt.Sprintf("domain { domain = \"*\"; selector = dkim; key = %q; } domain { domain = example.com; selector = s; key = \"%s/gone\"; }", dir, dir))
	line := func(word, name, more string) string {
		return fmt.Sprintf("%-9s %s dkim, %s/%s.dkim.key (ed25519, 256 bits)%s\n", word, name, dir, name, more)
	}
	expected := func(name string) string {
		return "\n    expected at dkim._domainkey." + name + ": " + records[name]
	}
	a, b := line("ok", "a.example", ""), line("differs", "b.example", ": the record holds another key"+expected("b.example"))
	c, d := line("missing", "c.example", ": there is no such record"+expected("c.example")), line("temperror", "d.example", ": the DNS gave no answer")
	e := "no_key    example.com s, " + dir + "/gone: no such file or directory\n"
	for _, test := range []struct {
		args         string
		code         int
		want, stderr string
	}{
		{"", 1, a + b + c + d + e, ""},
		{"A.example dkim", 0, a, ""},
		{"A.example. dkim", 0, a, ""},
		{"b.example dkim", 1, b, ""},
		{"d.example dkim", 3, d, ""},
		{"a.example other", 1, "", "rmilterctl: the configuration has no such key\n"},
		{"a.example", 64, "", "rmilterctl: 1 arguments; expected DOMAIN and SELECTOR, or none\n"},
		{"a/b dkim", 64, "", `rmilterctl: "a/b" and "dkim" are no domain and selector; expected words such as example.com and dkim` + "\n"},
	} {
		got := call(noStdin(t), nil, append([]string{"dkim_check", "-c", conf}, strings.Fields(test.args)...)...)
		if got.code != test.code || got.stdout != test.want || got.stderr != test.stderr {
			t.Errorf("%q: got %d\n%s%s\nwant %d\n%s%s", test.args, got.code, got.stdout, got.stderr, test.code, test.want, test.stderr)
		}
	}
	got := call(noStdin(t), nil, "dkim_check", "-c", conf, "--json", "b.example", "dkim")
	var list []signing.KeyStatus
	if err := json.Unmarshal([]byte(got.stdout), &list); err != nil || len(list) != 1 || list[0].State != signing.Differs || list[0].Record != records["b.example"] || got.code != 1 {
		t.Errorf("JSON: got %+v, error %v", got, err)
	}
	configure("")
	if got := call(noStdin(t), nil, "dkim_check", "-c", conf, "--json"); got.stdout != "[]\n" || got.code != 1 {
		t.Errorf("no key: got %+v", got)
	}
	configure("colour = red;")
	if got := call(noStdin(t), nil, "dkim_check", "-c", conf); got.stdout != "" || got.code != 1 || !strings.Contains(got.stderr, "colour") {
		t.Errorf("faulty configuration: got %+v", got)
	}
}
