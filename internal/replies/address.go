package replies

import (
	"strings"
	"unicode/utf8"

	"rmilter/internal/mail"
)

// maxAddress is the length in bytes of the longest address that is remembered.
const maxAddress = 250

// addressText returns what stands for an address in records: local@domain in lower case.
// It is "" for what isn't remembered: the null address, one without a domain, one that
// is too long or no text.
func addressText(a mail.Address) string {
	if a.Local == "" || a.Domain == "" || !utf8.ValidString(a.Local) || !utf8.ValidString(a.Domain) {
		return ""
	}
	s := a.Key()
	if len(s) > maxAddress || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return ""
	}
	return s
}

// own returns what stands for an address of ours: without the tag that proves that a
// bounce is not forged (BATV), and without an extension.
func (r *Replies) own(a mail.Address) string {
	a.Local = untagged(a.Local)
	a.Local = a.Strip(r.env.Delimiter)
	return addressText(a)
}

// untagged returns a local part without its tag: prvs=TAG=USER, and the older
// prvs=USER=TAG, msprvs1=TAG=USER and btv1==TAG==USER.
func untagged(local string) string {
	prefix, rest, ok := strings.Cut(local, "=")
	if !ok {
		return local
	}
	switch strings.ToLower(prefix) {
	case "prvs":
		if tag, user, ok := strings.Cut(rest, "="); ok && isTag(tag) && user != "" {
			return user
		}
		if i := strings.LastIndexByte(rest, '='); i > 0 && isTag(rest[i+1:]) {
			return rest[:i]
		}
	case "msprvs1":
		if _, user, ok := strings.Cut(rest, "="); ok && user != "" {
			return user
		}
	case "btv1":
		if _, user, ok := strings.Cut(strings.TrimPrefix(rest, "="), "=="); ok && user != "" {
			return user
		}
	}
	return local
}

// isTag tells whether s is a digit for the key, three for the day and six of the hash
// (draft-levine-smtp-batv).
func isTag(s string) bool {
	return len(s) == 10 && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}

// pattern returns the address of an envelope sender. Where it has the recipient in it
// (VERP), a * stands for him, so that the senders for all recipients are one.
func (r *Replies) pattern(sender mail.Address, rcpts []mail.Path) string {
	s := r.own(sender)
	if len(rcpts) == 1 && rcpts[0].Local != "" && rcpts[0].Domain != "" {
		s = strings.Replace(s, strings.ToLower(rcpts[0].Local)+"="+rcpts[0].Domain, "*", 1)
	}
	return s
}

// isMade tells whether an address was made from the pattern of these two parts.
func isMade(address, before, behind string) bool {
	return len(address) > len(before)+len(behind) && strings.HasPrefix(address, before) && strings.HasSuffix(address, behind) &&
		strings.Contains(address[len(before):len(address)-len(behind)], "=")
}

// author returns the address in From when there is exactly one.
func author(m *mail.Message) mail.Address {
	var one mail.Address
	for _, b := range m.Mailboxes("From") {
		switch {
		case b.Address.Domain == "":
		case one.IsNull():
			one = b.Address
		case one.Key() != b.Address.Key():
			return mail.Address{}
		}
	}
	return one
}
