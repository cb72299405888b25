package dmarc

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"

	"rmilter/internal/mail"
)

// Suffixes is a list of public suffixes: the names below which the public registers
// domains, "com" and "co.uk". A nil one is the list that is built in, which is as old as
// the program. It never changes and is safe for concurrent use.
type Suffixes struct {
	rules map[string]rule
}

// A rule is what the list says of a name.
type rule uint8

const (
	suffix    rule = 1 << iota // it is a public suffix
	wildcard                   // each name directly below it is one
	exception                  // it is none in spite of a wildcard
)

// Bounds of a list in bytes and rules; the list of 2026 has 330 KB and 10,000 rules.
const (
	maxListLine = 4096
	maxRules    = 200_000
)

// ParseSuffixes reads a list in the form of https://publicsuffix.org/list/.
func ParseSuffixes(r io.Reader) (*Suffixes, error) {
	s := &Suffixes{rules: map[string]rule{}}
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, maxListLine)
	for n := 1; scanner.Scan(); n++ {
		// A rule ends at the first white space.
		fields := strings.Fields(scanner.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "//") {
			continue
		}
		name, kind := fields[0], suffix
		if rest, ok := strings.CutPrefix(name, "!"); ok {
			name, kind = rest, exception
		} else if rest, ok := strings.CutPrefix(name, "*."); ok {
			name, kind = rest, wildcard
		}
		ascii, ok := toASCII(name)
		if !ok || strings.Contains(ascii, "*") {
			return nil, fmt.Errorf("line %d: %q is no rule", n, mail.PrintableASCII(fields[0], 80))
		}
		if s.rules[ascii] |= kind; len(s.rules) > maxRules {
			return nil, errors.New("too many rules")
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, err
	}
	if len(s.rules) == 0 {
		return nil, errors.New("no rules")
	}
	return s, nil
}

// OrgDomain returns the organizational domain of a name (RFC 7489, section 3.2): the
// public suffix and one label more, as lower-case A-labels. It is "" for a public suffix
// and for what is no name.
func (s *Suffixes) OrgDomain(name string) string {
	name, ok := toASCII(name)
	if !ok {
		return ""
	}
	if s == nil {
		org, err := publicsuffix.EffectiveTLDPlusOne(name)
		if err != nil {
			return ""
		}
		return org
	}
	public := s.publicSuffix(name)
	if len(public) >= len(name) {
		return ""
	}
	head := name[:len(name)-len(public)-1]
	return name[strings.LastIndexByte(head, '.')+1:]
}

// publicSuffix returns the longest suffix that a rule makes public; the last label when
// no rule does.
func (s *Suffixes) publicSuffix(name string) string {
	// From the left, the first that counts is the longest.
	for rest := name; ; {
		kind := s.rules[rest]
		head, parent, more := strings.Cut(rest, ".")
		switch {
		case kind&exception != 0 && more:
			return parent
		case kind&suffix != 0, more && head != "" && s.rules[parent]&wildcard != 0 && s.rules[rest]&exception == 0, !more:
			return rest
		}
		rest = parent
	}
}

// toASCII returns a name in lower-case A-labels without the final dot, and whether it is
// one.
func toASCII(name string) (string, bool) {
	name = strings.TrimSuffix(name, ".")
	if len(name) > 1000 {
		return "", false
	}
	a := strings.ToLower(name)
	if strings.IndexFunc(name, func(r rune) bool { return r >= 0x80 }) >= 0 {
		var err error
		if a, err = idna.Lookup.ToASCII(name); err != nil {
			return "", false
		}
	}
	if a == "" || len(a) > 253 {
		return "", false
	}
	for label := range strings.SplitSeq(a, ".") {
		if label == "" || len(label) > 63 {
			return "", false
		}
		for i := range len(label) {
			if c := label[i]; c <= ' ' || c > '~' || c == '\\' || c == '[' || c == '@' {
				return "", false
			}
		}
	}
	return a, true
}

// aligned tells whether two domains are aligned (RFC 7489, section 3.1).
func (s *Suffixes) aligned(a, b string, m Mode) bool {
	a, okA := toASCII(strings.Trim(a, "."))
	b, okB := toASCII(strings.Trim(b, "."))
	if !okA || !okB {
		return false
	}
	if a == b {
		return true
	}
	if m == Strict {
		return false
	}
	org := s.OrgDomain(a)
	return org != "" && org == s.OrgDomain(b)
}
