package authres

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
