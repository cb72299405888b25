package signing

import (
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"rmilter/dkim"
	"rmilter/internal/dns"
)

const (
	// keySuffix ends the names of key files in a directory.
	keySuffix = ".key"
	// maxListed bounds how many files of a directory are looked at.
	maxListed = 10_000
	// maxAsked bounds how many records are asked for at once.
	maxAsked = 8
)

// A State says how a key and its record in the DNS go together.
type State string

// The states.
const (
	OK        State = "ok"        // the record has the key
	Differs   State = "differs"   // the record has another key
	Missing   State = "missing"   // there is no record
	Broken    State = "broken"    // there is one that verifiers can't use
	TempError State = "temperror" // nobody could tell
	NoPrivate State = "no_key"    // the file of the key is missing or can't be used
)

// A KeyStatus is what was found out about one key.
type KeyStatus struct {
	Domain   string `json:"domain"`
	Selector string `json:"selector"`
	Name     string `json:"name"` // of the record in the DNS
	File     string `json:"file"`
	Type     string `json:"type,omitempty"` // "rsa" or "ed25519"
	Bits     int    `json:"bits,omitempty"`
	State    State  `json:"state"`
	Detail   string `json:"detail,omitempty"` // more words
	Record   string `json:"record,omitempty"` // what should be in the DNS

	key *dkim.PrivateKey
}

// Wrong tells that what is signed with the key won't verify, or that it can't sign. It
// is false when nobody could tell.
func (k KeyStatus) Wrong() bool { return k.State != OK && k.State != TempError }

// Check compares keys with their records in the DNS, in the order of the configuration:
// all, or those whose records have one of the names (see [dkim.RecordName]). Of a
// directory these are the keys that are in it now.
func (s *Signing) Check(ctx context.Context, l dkim.Lookup, names ...string) []KeyStatus {
	list := s.list()
	if len(names) > 0 {
		list = slices.DeleteFunc(list, func(k KeyStatus) bool { return !slices.Contains(names, k.Name) })
	}
	var wg sync.WaitGroup
	free := make(chan struct{}, maxAsked)
	for i := range list {
		if list[i].key == nil {
			continue
		}
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			list[i].check(ctx, l)
		})
	}
	wg.Wait()
	return list
}

// CheckKeys is Check for a configuration whose keys needn't be usable.
func CheckKeys(ctx context.Context, c Config, env Env, l dkim.Lookup, names ...string) []KeyStatus {
	return build(c, env, nil).Check(ctx, l, names...)
}

// list returns all keys that there are, and those that there should be.
func (s *Signing) list() []KeyStatus {
	now := s.env.Now()
	var list []KeyStatus
	seen := map[string]bool{} // names of records
	add := func(domain, selector string, f *keyFile) {
		c := f.current(now)
		name := dkim.RecordName(domain, selector)
		if name != "" && seen[name] {
			return
		}
		seen[name] = true
		k := KeyStatus{Domain: domain, Selector: selector, Name: name, File: f.path, State: NoPrivate, key: c.key}
		if c.err != nil {
			k.Detail = c.err.Error()
		}
		if c.key != nil {
			k.Type, k.Bits, k.Record = c.key.Type(), c.key.Bits(), c.key.Record()
		}
		list = append(list, k)
	}
	for _, b := range s.blocks {
		c := b.file.current(now)
		switch {
		case !c.dir && dkim.RecordName(b.domain, b.selector) == "":
			list = append(list, KeyStatus{Domain: b.domain, Selector: b.selector, File: b.file.path, State: NoPrivate, Detail: b.fault(c).Error()})
		case !c.dir:
			add(b.domain, b.selector, b.file)
		default:
			domains, err := b.listed()
			if err != nil || len(domains) == 0 {
				detail := "no file in it is named DOMAIN." + b.selector + keySuffix
				if err != nil {
					detail = "the directory can't be read"
				}
				list = append(list, KeyStatus{Domain: b.domain, Selector: b.selector, File: b.file.path, State: NoPrivate, Detail: detail})
			}
			for _, d := range domains {
				if f, ok := s.within(b.file.path, d, b.selector); ok {
					add(d, b.selector, f)
				}
			}
		}
	}
	return list
}

// listed returns the domains for which a block has files in its directory, sorted.
func (b *block) listed() ([]string, error) {
	d, err := os.Open(b.file.path)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(maxListed)
	if err == io.EOF { // it is empty
		err = nil
	}
	var domains []string
	for _, n := range names {
		domain, ok := strings.CutSuffix(n, "."+b.selector+keySuffix)
		name := dkim.RecordName(domain, b.selector)
		// What is found by its name is found under the very same name only.
		if !ok || name == "" || !strings.HasSuffix(name, "._domainkey."+domain) || b.domain != anyDomain && !strings.Contains(domain, b.domain) {
			continue
		}
		domains = append(domains, domain)
	}
	slices.Sort(domains)
	return domains, err
}

// check asks for the record.
func (k *KeyStatus) check(ctx context.Context, l dkim.Lookup) {
	r, err := dkim.CheckKey(ctx, l, k.Domain, k.Selector, k.key)
	var f *dkim.Fault
	switch {
	case err == nil:
		k.State = OK
		if r.Testing && k.Detail == "" {
			k.Detail = "the record has t=y, so verifiers may ignore the signatures"
		}
	case errors.Is(err, dkim.ErrOtherKey):
		k.State, k.Detail = Differs, "the record holds another key"
	case errors.Is(err, dkim.ErrNotFound):
		k.State, k.Detail = Missing, "there is no such record"
	case errors.As(err, &f):
		k.State, k.Detail = Broken, f.Error()
	default:
		k.State, k.Detail = TempError, "the DNS gave no answer"
	}
}

// KeyLookup looks up keys for package dkim by a resolver.
type KeyLookup struct {
	Resolver dns.Lookuper
}

// TXT implements dkim.Lookup.
func (k KeyLookup) TXT(ctx context.Context, name string) ([]string, error) {
	a, err := k.Resolver.Lookup(ctx, name, dns.TypeTXT)
	if err == nil {
		return a.Texts, nil
	}
	// A name that can't be one is nowhere.
	if e := (*dns.Error)(nil); errors.As(err, &e) && !e.Temporary() {
		return nil, errors.Join(dkim.ErrNotFound, err)
	}
	return nil, errors.Join(dkim.ErrTemporary, err)
}

// sortedFiles returns files in the order of their paths.
func sortedFiles(files map[string]*keyFile) []*keyFile {
	list := make([]*keyFile, 0, len(files))
	for _, path := range slices.Sorted(maps.Keys(files)) {
		list = append(list, files[path])
	}
	return list
}

// FileName returns the path of the key of a domain and selector in a directory, as
// `domain { domain = "*"; key = DIR; }` finds it; "" when they can't be in the DNS.
func FileName(dir, domain, selector string) string {
	name := dkim.RecordName(domain, selector)
	if name == "" {
		return ""
	}
	s, d, _ := strings.Cut(name, "._domainkey.")
	if name = d + "." + s + keySuffix; len(name) > maxName {
		return ""
	}
	return filepath.Join(dir, name)
}
