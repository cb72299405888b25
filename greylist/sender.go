package greylist

import (
	"strings"

	"rmilter/internal/mail"
)

// normal returns a sender without what changes from message to message; see the package's
// documentation. The null sender stays as it is. It takes linear time, and what it returns
// is normal.
func normal(from mail.Address) (local, domain string) {
	domain = strings.ToLower(from.Domain)
	local = strings.ToLower(from.Local)
	for tagged := true; tagged; {
		local, tagged = untag(local)
	}
	if isSRS(local) {
		return "srs#", domain
	}
	if i := strings.IndexByte(local, '+'); i > 0 {
		local = local[:i]
	}
	return numbers(unVERP(local)), domain
}

// untag takes the tag off that makes the address of bounces hard to guess: prvs=TAG=joe
// (draft-levine-smtp-batv) and two products' forms of it.
func untag(local string) (string, bool) {
	for _, form := range []struct{ begin, end string }{{"prvs=", "="}, {"msprvs1=", "="}, {"btv1==", "=="}} {
		rest, ok := strings.CutPrefix(local, form.begin)
		if !ok {
			continue
		}
		if i := strings.Index(rest, form.end); i > 0 && i+len(form.end) < len(rest) {
			return rest[i+len(form.end):], true
		}
	}
	return local, false
}

// isSRS tells whether a local part is one of the sender rewriting scheme:
// SRS0=HASH=TIME=DOMAIN=LOCAL or SRS1=HASH=FORWARDER==…, where the first sign may also be
// "+" or "-".
func isSRS(local string) bool {
	return len(local) > 5 && (local[:4] == "srs0" || local[:4] == "srs1") &&
		strings.IndexByte("=+-", local[4]) >= 0 && strings.Count(local[5:], "=") >= 3
}

// unVERP puts # for the recipient in list-alice=example.com (variable envelope return
// path).
func unVERP(local string) string {
	i := strings.LastIndexByte(local, '=')
	if i < 1 || !strings.Contains(local[i:], ".") {
		return local
	}
	for _, c := range []byte(local[i+1:]) {
		if !isLetter(c) && !isDigit(c) && c != '.' && c != '-' {
			return local
		}
	}
	return local[:strings.LastIndexAny(local[:i], "-_")+1] + "#"
}

// numbers puts # for each number, be it of decimal or hexadecimal digits.
func numbers(local string) string {
	out := make([]byte, 0, len(local))
	for i := 0; i < len(local); {
		end, digits, hex := i, false, true
		for ; end < len(local) && (isLetter(local[end]) || isDigit(local[end])); end++ {
			digits = digits || isDigit(local[end])
			hex = hex && (isDigit(local[end]) || local[end] <= 'f')
		}
		switch {
		case end == i:
			out = append(out, local[i])
			end++
		case !digits:
			out = append(out, local[i:end]...)
		case hex:
			out = append(out, '#')
		default:
			out = decimals(out, local[i:end])
		}
		i = end
	}
	return string(out)
}

// decimals appends a word with # for each run of digits.
func decimals(out []byte, word string) []byte {
	for i := range len(word) {
		switch {
		case !isDigit(word[i]):
			out = append(out, word[i])
		case i == 0 || !isDigit(word[i-1]):
			out = append(out, '#')
		}
	}
	return out
}

// isLetter tells whether c is a lower-case letter or part of a character beyond ASCII.
func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 0x80 }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
