package dkim

import (
	"encoding/base64"
	"strings"

	"golang.org/x/net/idna"

	"rmilter/internal/mail"
)

// maxTags is how many tags a list may have; DKIM knows 13.
const maxTags = 64

// A tag is one name=value of a tag list (RFC 6376, section 3.2).
type tag struct {
	name     string
	value    string // without the white space around it
	from, to int    // where the value is in the list, with the white space around it
}

type tagList []tag

// parseTags reads a tag list. A tag may stand once; names keep their case. In a record
// of the DNS, which people write, loose allows empty tags and any character.
func parseTags(s string, loose bool) (tagList, *Fault) {
	var list tagList
	for at := 0; at <= len(s); {
		end := strings.IndexByte(s[at:], ';')
		last := end < 0
		if last {
			end = len(s) - at
		}
		spec := s[at : at+end]
		if trimSpace(spec) == "" {
			// Only the last one may be empty: a list may end in a semicolon.
			if !last && !loose || last && len(list) == 0 {
				return nil, fault(BadTags, "empty tag")
			}
		} else {
			t, f := parseTag(spec, at, loose)
			if f != nil {
				return nil, f
			}
			if _, twice := list.get(t.name); twice {
				return nil, fault(BadTags, "a tag stands twice")
			}
			if len(list) == maxTags {
				return nil, fault(BadTags, "too many tags")
			}
			list = append(list, t)
		}
		at += end + 1
	}
	return list, nil
}

// parseTag reads what stands between two semicolons, which begins at a place of the list.
func parseTag(spec string, at int, loose bool) (tag, *Fault) {
	eq := strings.IndexByte(spec, '=')
	if eq < 0 {
		return tag{}, fault(BadTags, "tag without =")
	}
	t := tag{name: trimSpace(spec[:eq]), value: trimSpace(spec[eq+1:]), from: at + eq + 1, to: at + len(spec)}
	if !isTagName(t.name) {
		return tag{}, fault(BadTags, "bad tag name")
	}
	if !loose {
		for i := range len(t.value) {
			if c := t.value[i]; c < ' ' && !isSpace(c) || c == 0x7f {
				return tag{}, fault(BadTags, "control character")
			}
		}
	}
	return t, nil
}

func isTagName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '_') {
			return false
		}
	}
	return s != ""
}

// get returns the value of a tag.
func (l tagList) get(name string) (value string, ok bool) {
	for _, t := range l {
		if t.name == name {
			return t.value, true
		}
	}
	return "", false
}

// place returns where the value of a tag is, with the white space around it.
func (l tagList) place(name string) (from, to int) {
	for _, t := range l {
		if t.name == name {
			return t.from, t.to
		}
	}
	return 0, 0
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func trimSpace(s string) string { return strings.Trim(s, " \t\r\n") }

// noSpace returns s without any white space.
func noSpace(s string) string {
	if !strings.ContainsAny(s, " \t\r\n") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		if !isSpace(s[i]) {
			b = append(b, s[i])
		}
	}
	return string(b)
}

// splitColons returns the lower-cased words of a list with colons. Empty ones are left
// out.
func splitColons(s string) []string {
	var words []string
	for w := range strings.SplitSeq(s, ":") {
		if w = mail.LowerASCII(trimSpace(w)); w != "" {
			words = append(words, w)
		}
	}
	return words
}

// decode64 reads base64 with white space anywhere. Missing padding is forgiven.
func decode64(s string) ([]byte, bool) {
	s = noSpace(s)
	for range 2 {
		s = strings.TrimSuffix(s, "=")
	}
	b, err := base64.RawStdEncoding.DecodeString(s)
	return b, err == nil && len(b) > 0
}

// parseNumber reads digits. What is larger than maxNumber becomes that.
func parseNumber(s string) (n int64, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = min(n*10+int64(s[i]-'0'), maxNumber)
	}
	return n, s != "" && len(s) <= 76
}

// maxNumber is above all times and lengths that have a meaning.
const maxNumber = 1e15

// domainName returns a domain or selector as a lower-case A-label (RFC 8616, section
// 4). ok is false when it can't be a name in the DNS.
func domainName(s string) (name string, ok bool) {
	if len(s) > 4*253 {
		return "", false
	}
	for i := range len(s) {
		if s[i] >= 0x80 {
			// An error may be a mere underscore. What came out is looked at below.
			s, _ = idna.Lookup.ToASCII(s)
			break
		}
	}
	s = mail.LowerASCII(s)
	if len(s) > 253 {
		return "", false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 {
			return "", false
		}
		for i := range len(label) {
			if c := label[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return "", false
			}
		}
	}
	return s, true
}
