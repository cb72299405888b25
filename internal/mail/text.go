package mail

import "golang.org/x/net/publicsuffix"

// RegisteredDomain returns the domain that was registered for a name to be in, by the
// list of public suffixes: "example.co.uk" for "mail.example.co.uk". It is the name itself
// where there is no telling. The name is in lower case, in A-labels.
func RegisteredDomain(name string) string {
	if d, err := publicsuffix.EffectiveTLDPlusOne(name); err == nil {
		return d
	}
	return name
}

// LowerASCII lower-cases A to Z and leaves all other bytes alone: no other letter equals
// one of them, and MTAs compare names so.
func LowerASCII(s string) string {
	for i := range len(s) {
		if s[i] >= 'A' && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if b[i] >= 'A' && b[i] <= 'Z' {
					b[i] |= 0x20
				}
			}
			return string(b)
		}
	}
	return s
}

// PrintableASCII returns at most limit bytes of a text, with ? for each that isn't
// printable ASCII.
func PrintableASCII(s string, limit int) string {
	b := []byte(s[:min(len(s), limit)])
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}
