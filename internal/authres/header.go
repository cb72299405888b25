package authres

import (
	"strings"

	"golang.org/x/net/idna"
)

// A Header is the value of an Authentication-Results field.
type Header struct {
	ID      string   // authserv-id; "" when the field has none
	Version string   // its version, "" when it has none, which means 1
	Results []Result // empty for "none"
	UTF8    bool     // for Format: the message may hold UTF-8 (RFC 6532)
	// Broken tells that Parse has met something that it couldn't read; what it could
	// read is there.
	Broken bool
}

// A Result is what came of one method (RFC 8601, section 2.7).
type Result struct {
	Method  string // "spf", "dkim", "dmarc", "arc", "auth", "iprev", in lower case
	Value   string // "pass", "fail", "none", …, in lower case
	Comment string // for people, without parentheses; "" for none
	Reason  string // reason=, "" for none
	Props   []Prop
}

// A Prop is a property that was evaluated: header.d=example.org.
type Prop struct {
	Type  string // "smtp", "header", "body", "policy", in lower case; "" when a field leaves it out
	Name  string // "mailfrom", "d", in lower case
	Value string // without quotes
}

// Prop returns the value of a property, "" when there is none.
func (r Result) Prop(typ, name string) string {
	for _, p := range r.Props {
		if p.Type == typ && p.Name == name {
			return p.Value
		}
	}
	return ""
}

// Foreign tells whether the field with this value is the word of another service than
// id. A field that isn't foreign claims to be ours, and has to be removed from what
// comes from outside (RFC 8601, section 5). Capitals, quotes, comments, a version, a
// final dot, and Unicode for A-labels don't make a difference. A field that can't be
// read counts as ours if it begins with anything like id.
func Foreign(value, id string) bool {
	if len(value) > maxValue {
		value = value[:maxValue]
	}
	h := Parse(value)
	mine := canonical(id)
	if mine == "" {
		return true
	}
	if canonical(h.ID) == mine {
		return false
	}
	// Other programs may read differently what is no token.
	first, _, _ := strings.Cut(value, ";")
	for _, word := range strings.FieldsFunc(first, func(r rune) bool { return r <= ' ' || strings.ContainsRune(`()"\,/=`, r) }) {
		if canonical(word) == mine && (h.Broken || h.ID == "") {
			return false
		}
	}
	return true
}

// canonical returns an authserv-id as it is compared.
func canonical(id string) string {
	id = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(id), "."))
	if len(id) > maxWord {
		return id
	}
	if a, err := idna.Lookup.ToASCII(id); err == nil {
		return a
	}
	return id
}
