package dkim

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	miekg "github.com/miekg/dns"

	"rmilter/dkim"
	"rmilter/test/mta"
)

// A peer is another program that knows DKIM.
type peer struct {
	name    string
	ed25519 bool // it knows RFC 8463
	// badSimple tells that with a simple header it signs what no program verifies, itself
	// included: in all messages with Ed25519, and with RSA fields without a blank behind
	// the colon, as opendkim -t puts one there.
	badSimple bool
	// refuses are the messages that it doesn't verify, with what it says of them.
	refuses map[string]string
	// verify verifies all files of a directory and returns what was said, by name.
	verify func(t *testing.T, dir string) map[string]string
	// sign signs them. The words are the canonicalizations.
	sign func(t *testing.T, dir string, k key, header, body string) map[string]string
}

// A key is a key of ours and where its record is.
type key struct {
	dkim.SigningKey
	path string // the key as PEM
	seed string // a key of Ed25519 as dkimpy reads it
}

// algorithm is the word in a=.
func (k key) algorithm() string { return k.Key.Type() + "-sha256" }

const domain = "example.com"

// newKeys makes a key of each kind.
func newKeys(t testing.TB) []key {
	t.Helper()
	dir := t.TempDir()
	rsa, err := dkim.GenerateRSA(2048)
	if err != nil {
		t.Fatal(err)
	}
	ed, err := dkim.GenerateEd25519()
	if err != nil {
		t.Fatal(err)
	}
	keys := []key{{SigningKey: dkim.SigningKey{Domain: domain, Selector: "rsa", Key: rsa}}, {SigningKey: dkim.SigningKey{Domain: domain, Selector: "ed", Key: ed}}}
	for i := range keys {
		k := &keys[i]
		text, err := k.Key.PEM()
		if err != nil {
			t.Fatal(err)
		}
		k.path = filepath.Join(dir, k.Selector+".pem")
		write(t, k.path, text)
		block, _ := pem.Decode(text)
		private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if private, ok := private.(ed25519.PrivateKey); ok {
			k.seed = filepath.Join(dir, k.Selector+".seed")
			write(t, k.seed, []byte(base64.StdEncoding.EncodeToString(private.Seed())))
		}
	}
	return keys
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// records are the records of keys by name.
func records(keys []key) map[string]string {
	m := map[string]string{}
	for _, k := range keys {
		m[dkim.RecordName(k.Domain, k.Selector)] = k.Key.Record()
	}
	return m
}

// peers returns the programs, with the records of the keys in their DNS.
func peers(t *testing.T, keys []key) []peer {
	zone := records(keys)
	list := []peer{
		{
			name: "dkimpy", ed25519: true,
			verify: func(t *testing.T, dir string) map[string]string {
				give(t, dir, zone)
				return ask(t, "/usr/bin/python3", "peers/dkimpy.py", "verify", dir)
			},
			sign: func(t *testing.T, dir string, k key, header, body string) map[string]string {
				path := k.path
				if k.seed != "" {
					path = k.seed
				}
				return ask(t, "/usr/bin/python3", "peers/dkimpy.py", "sign", dir, k.Domain, k.Selector, path, k.algorithm(), header, body)
			},
		},
		{
			name: "Mail::DKIM",
			verify: func(t *testing.T, dir string) map[string]string {
				give(t, dir, zone)
				return ask(t, "/usr/bin/perl", "peers/maildkim.pl", "verify", dir)
			},
			sign: func(t *testing.T, dir string, k key, header, body string) map[string]string {
				return ask(t, "/usr/bin/perl", "peers/maildkim.pl", "sign", dir, k.Domain, k.Selector, k.path, header+"/"+body)
			},
		},
	}
	resolv := serve(t, zone)
	list = append(list, peer{
		name: "OpenDKIM", ed25519: true, badSimple: true,
		refuses: map[string]string{"duplicate-subject": "Syntax error"},
		verify: func(t *testing.T, dir string) map[string]string {
			return ask(t, "unshare", "-m", "sh", "peers/opendkim.sh", "verify", dir, resolv)
		},
		sign: func(t *testing.T, dir string, k key, header, body string) map[string]string {
			conf := filepath.Join(t.TempDir(), "opendkim.conf")
			write(t, conf, fmt.Appendf(nil, "Mode s\nSubDomains yes\nInternalHosts 127.0.0.1\nRequireSafeKeys no\nDomain %s\nSelector %s\nKeyFile %s\nSignatureAlgorithm %s\nCanonicalization %s/%s\n",
				k.Domain, k.Selector, k.path, k.algorithm(), header, body))
			return ask(t, "sh", "peers/opendkim.sh", "sign", dir, conf)
		},
	})
	return list
}

// give writes the records where the scripts read them.
func give(t *testing.T, dir string, zone map[string]string) {
	t.Helper()
	text, err := json.Marshal(zone)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "records.json"), text)
}

// ask runs a script and reads its lines.
func ask(t *testing.T, program string, args ...string) map[string]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, &stderr)
	}
	said := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, result, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		said[strings.TrimSuffix(name, ".eml")] = result
	}
	return said
}

// serve starts a DNS server on the port 53 of a loopback address of its own, since
// OpenDKIM asks no other port. It returns the resolv.conf that names it.
func serve(t *testing.T, zone map[string]string) string {
	t.Helper()
	var packets net.PacketConn
	for range 20 {
		var err error
		address := fmt.Sprintf("127.%d.%d.%d:53", 64+rand.IntN(128), rand.IntN(256), 1+rand.IntN(254))
		if packets, err = net.ListenPacket("udp", address); err == nil {
			break
		}
	}
	if packets == nil {
		t.Fatal("no loopback address has a free port 53")
	}
	mux := miekg.HandlerFunc(func(w miekg.ResponseWriter, q *miekg.Msg) {
		m := new(miekg.Msg).SetReply(q)
		if text, ok := zone[strings.ToLower(strings.TrimSuffix(q.Question[0].Name, "."))]; !ok {
			m.Rcode = miekg.RcodeNameError
		} else if q.Question[0].Qtype == miekg.TypeTXT {
			var pieces []string
			for len(text) > 255 {
				pieces, text = append(pieces, text[:255]), text[255:]
			}
			m.Answer = []miekg.RR{&miekg.TXT{Hdr: miekg.RR_Header{Name: q.Question[0].Name, Rrtype: miekg.TypeTXT, Class: miekg.ClassINET, Ttl: 60}, Txt: append(pieces, text)}}
		}
		w.WriteMsg(m)
	})
	s := &miekg.Server{PacketConn: packets, Handler: mux}
	var done sync.WaitGroup
	done.Go(func() { s.ActivateAndServe() })
	t.Cleanup(func() {
		packets.Close()
		done.Wait()
	})
	host, _, _ := net.SplitHostPort(packets.LocalAddr().String())
	path := filepath.Join(t.TempDir(), "resolv.conf")
	write(t, path, []byte("nameserver "+host+"\noptions timeout:5\n"))
	return path
}

// need skips the test when the programs are not there.
func need(t *testing.T) {
	t.Helper()
	mta.Need(t, "/usr/bin/python3", "/usr/bin/dkimverify", "/usr/bin/perl", "/usr/bin/dkimproxy-verify", "opendkim", "opendkim-testmsg", "unshare", "mount")
}
