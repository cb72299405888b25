package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"rmilter/dkim"
	"rmilter/internal/signing"
	"rmilter/internal/ucl"
)

// exitNoKey says that no key was made.
const exitNoKey = 1

// A keygen is one call of dkim_keygen.
type keygen struct {
	ed25519 bool
	bits    int
	dir     string
	out     string
}

// A generated is a key that was made.
type generated struct {
	File   string `json:"file"`
	Type   string `json:"type"`
	Bits   int    `json:"bits"`
	Name   string `json:"name"`   // of the record
	Record string `json:"record"` // its text
	Zone   string `json:"zone"`   // the record as a line of a zone file
	Config string `json:"config"` // a line for rmilter.conf
}

const keygenHelp = `Make a key for DKIM signatures.

The key is written to DIR/DOMAIN.SELECTOR.key, where a block with the directory finds it,
or to FILE. A file that exists is left as it is. Printed are the record for the DNS and
the line for rmilter.conf. Called by root, the file belongs to the owner of its directory.`

func (a *app) keygenCommand() *cobra.Command {
	var o keygen
	c := &cobra.Command{
		Use:     "dkim_keygen DOMAIN SELECTOR",
		Short:   "Make a key for DKIM signatures, and print its DNS record; exit code 1 when that failed",
		Long:    keygenHelp,
		Example: "  rmilterctl dkim_keygen example.com dkim\n  rmilterctl dkim_keygen example.com ed --ed25519",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case o.ed25519 && c.Flags().Changed("bits"):
				return errors.New("a key of Ed25519 has no --bits")
			case o.out != "" && c.Flags().Changed("dir"):
				return errors.New("--dir and --out exclude each other")
			}
			return a.keygen(o, args[0], args[1])
		},
	}
	f := c.Flags()
	f.BoolVar(&o.ed25519, "ed25519", false, "make a key of Ed25519, which not every verifier knows, to sign with besides one of RSA")
	f.IntVar(&o.bits, "bits", 2048, "make an RSA key of so many `BITS`, 1024 to 8192")
	f.StringVar(&o.dir, "dir", "/etc/dkim", "write DOMAIN.SELECTOR.key into `DIR`")
	f.StringVar(&o.out, "out", "", "write the key to `FILE`")
	return c
}

func (a *app) keygen(o keygen, domain, selector string) error {
	name := dkim.RecordName(strings.TrimSuffix(domain, "."), selector) // with a dot in zone files
	if name == "" {
		return fmt.Errorf("%.80q and %.80q are no domain and selector; expected words such as example.com and dkim", domain, selector)
	}
	selector, domain, _ = strings.Cut(name, "._domainkey.") // as the DNS has them
	path := o.out
	if path == "" {
		path = signing.FileName(o.dir, domain, selector)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	key, err := o.make()
	if err != nil {
		return err
	}
	if err := writeKey(path, key); err != nil {
		a.code = exitNoKey
		fmt.Fprintf(a.stderr, "rmilterctl: %s\n", printable(err.Error(), 1000))
		return nil
	}
	g := generated{File: path, Type: key.Type(), Bits: key.Bits(), Name: name, Record: key.Record(), Zone: dkim.ZoneRecord(name, key.Record())}
	g.Config = fmt.Sprintf("dkim { domain { domain = %s; selector = %s; key = %s; } }", ucl.Quote(domain), ucl.Quote(selector), ucl.Quote(path))
	if a.json {
		return a.printJSON(g)
	}
	a.printKey(g, key)
	return nil
}

// make makes a key.
func (o keygen) make() (*dkim.PrivateKey, error) {
	if o.ed25519 {
		return dkim.GenerateEd25519()
	}
	return dkim.GenerateRSA(o.bits)
}

// printKey says what to do with a key.
func (a *app) printKey(g generated, key *dkim.PrivateKey) {
	fmt.Fprintf(a.stdout, "%s: %s\n\nDNS record, for a zone file:\n%s\n\nThe same as a name of type TXT and its text:\n%s\n%s\n\nFor rmilter.conf, unless a block has this directory and selector already:\n%s\n",
		printable(g.File, 1000), key, g.Zone, g.Name, g.Record, printable(g.Config, 2000))
	if key.Weak() {
		fmt.Fprintln(a.stderr, "rmilterctl: warning: some verifiers don't trust RSA keys below 2048 bits (RFC 8301)")
	}
	if info, err := os.Stat(g.File); err == nil && ownerOf(info) == 0 {
		fmt.Fprintf(a.stderr, "rmilterctl: warning: the file belongs to root; the user of the daemon must be able to read it, as after chown _rmilter %s\n", printable(g.File, 1000))
	}
}

// writeKey writes a key into a new file. The error names the file.
func writeKey(path string, key *dkim.PrivateKey) (err error) {
	text, err := key.PEM()
	if err != nil {
		return err
	}
	dir, err := os.Stat(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no directory %s; make it, as with install -d -o _rmilter -m 0700 %[1]s", filepath.Dir(path))
	}
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists and stays as it is", path)
	}
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
		if err != nil {
			os.Remove(path) // half a key is worse than none
		}
	}()
	if os.Geteuid() == 0 && ownerOf(dir) != 0 {
		if err := f.Chown(ownerOf(dir), groupOf(dir)); err != nil {
			return err
		}
	}
	if _, err := f.Write(text); err != nil {
		return err
	}
	return f.Sync()
}

// ownerOf returns the user whose a file is.
func ownerOf(info fs.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }

// groupOf returns the group whose a file is.
func groupOf(info fs.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Gid) }
