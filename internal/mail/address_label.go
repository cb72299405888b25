package mail

import (
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// maxALabel bounds a label in the DNS, in bytes (RFC 1035, section 2.3.4).
const maxALabel = 63

// Parameters of Punycode (RFC 3492, section 5).
const (
	punyBase = 36
	punyTMin = 1
	punyTMax = 26
	punySkew = 38
	punyDamp = 700
	punyBias = 72
)

// aLabels returns the name in A-labels, as IDNA maps and writes it, and whether all its
// labels fit into the DNS. What doesn't fit costs no more than what does: idna's own
// conversion costs the square of a label's length.
func aLabels(name string) (string, bool) {
	for label := range strings.FieldsFuncSeq(name, func(r rune) bool { return strings.ContainsRune(".。．｡", r) }) {
		// A character may be of four that one is composed of.
		if len(label) > 4*maxALabel && utf8.RuneCountInString(label) > 4*maxALabel {
			return "", false
		}
	}
	// An error may be a mere underscore: what counts is what came out.
	name, _ = idna.Lookup.ToUnicode(name)
	labels := strings.Split(name, ".")
	for i, l := range labels {
		var ok bool
		if labels[i], ok = aLabel(l); !ok {
			return "", false
		}
	}
	return strings.Join(labels, "."), true
}

// aLabel writes a label as RFC 3492, section 6.3, wants it, unless it gets too long. A
// label in ASCII stays as it is.
func aLabel(label string) (string, bool) {
	if isASCII(label) {
		return label, len(label) <= maxALabel
	}
	if utf8.RuneCountInString(label) > maxALabel-len("xn--") {
		return "", false
	}
	runes := []rune(label)
	out := []byte("xn--")
	var points []rune
	for _, r := range runes {
		if r < utf8.RuneSelf {
			out = append(out, byte(r))
		} else {
			points = append(points, r)
		}
	}
	plain := len(out) - len("xn--")
	if plain > 0 {
		out = append(out, '-')
	}
	slices.Sort(points)
	delta, bias, done, next := 0, punyBias, plain, rune(utf8.RuneSelf)
	for _, p := range slices.Compact(points) {
		if p == utf8.RuneError {
			return "", false
		}
		delta += int(p-next) * (done + 1)
		for _, r := range runes {
			switch {
			case r < p:
				delta++
			case r == p:
				if out = appendPuny(out, delta, bias); len(out) > maxALabel {
					return "", false
				}
				bias = adaptPuny(delta, done+1, done == plain)
				delta = 0
				done++
			}
		}
		delta++
		next = p + 1
	}
	return string(out), true
}

// appendPuny writes a number with digits whose weights bias decides (RFC 3492, section 3.3).
func appendPuny(out []byte, n, bias int) []byte {
	const digits = "abcdefghijklmnopqrstuvwxyz0123456789"
	for k := punyBase; ; k += punyBase {
		t := min(max(k-bias, punyTMin), punyTMax)
		if n < t {
			return append(out, digits[n])
		}
		out = append(out, digits[t+(n-t)%(punyBase-t)])
		n = (n - t) / (punyBase - t)
	}
}

// adaptPuny returns the bias for the next number (RFC 3492, section 6.1).
func adaptPuny(delta, done int, first bool) int {
	if first {
		delta /= punyDamp
	} else {
		delta /= 2
	}
	delta += delta / done
	k := 0
	for ; delta > (punyBase-punyTMin)*punyTMax/2; k += punyBase {
		delta /= punyBase - punyTMin
	}
	return k + (punyBase-punyTMin+1)*delta/(delta+punySkew)
}
