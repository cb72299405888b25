package dkim

import (
	"hash"
	"strings"

	"rmilter/internal/mail"
)

// A Canon is a way to make a header or a body canonical (RFC 6376, section 3.4). The
// zero value is Relaxed.
type Canon uint8

// The canonicalizations.
const (
	Relaxed Canon = iota
	Simple
	canons
)

// String returns the word that stands in c=.
func (c Canon) String() string {
	if c == Simple {
		return "simple"
	}
	return "relaxed"
}

// ParseCanon reads the word "simple" or "relaxed" in any case.
func ParseCanon(word string) (c Canon, ok bool) {
	switch mail.LowerASCII(word) {
	case "simple":
		return Simple, true
	case "relaxed":
		return Relaxed, true
	}
	return 0, false
}

// appendField appends the canonical form of a header field and CRLF.
func appendField(b []byte, f mail.Field, c Canon) []byte {
	if c == Simple {
		b = append(b, f.Name...)
		b = append(b, ':')
		return append(appendCRLF(b, f.Raw), "\r\n"...)
	}
	b = append(b, fieldName(f.Name)...)
	b = append(b, ':')
	start, space := len(b), false
	for i := range len(f.Raw) {
		switch ch := f.Raw[i]; {
		case ch == ' ' || ch == '\t':
			space = true
		case ch == '\n' || ch == '\r' && i+1 < len(f.Raw) && f.Raw[i+1] == '\n':
			// The fold goes, the white space around it becomes one space.
		default:
			if space && len(b) > start {
				b = append(b, ' ')
			}
			space = false
			b = append(b, ch)
		}
	}
	return append(b, "\r\n"...)
}

// appendCRLF appends s with each LF as CRLF.
func appendCRLF(b []byte, s string) []byte {
	for {
		i := strings.IndexByte(s, '\n')
		if i < 0 {
			return append(b, s...)
		}
		b = append(append(b, strings.TrimSuffix(s[:i], "\r")...), "\r\n"...)
		s = s[i+1:]
	}
}

// fieldName returns a name as it is compared: lower-case, without white space before
// the colon.
func fieldName(name string) string { return mail.LowerASCII(strings.TrimRight(name, " \t")) }

// A header is the fields of a message with their canonical forms, each made once.
type header struct {
	fields mail.Header
	byName map[string][]int
	forms  [canons][][]byte
	hashed int // bytes of fields given to hashes
}

func newHeader(fields mail.Header) *header {
	h := &header{fields: fields, byName: make(map[string][]int, len(fields))}
	for i, f := range fields {
		name := fieldName(f.Name)
		h.byName[name] = append(h.byName[name], i)
	}
	return h
}

// form returns the canonical form of a field.
func (h *header) form(i int, c Canon) []byte {
	if h.forms[c] == nil {
		h.forms[c] = make([][]byte, len(h.fields))
	}
	if h.forms[c][i] == nil {
		f := h.fields[i]
		h.forms[c][i] = appendField(make([]byte, 0, len(f.Name)+len(f.Raw)+8), f, c)
	}
	return h.forms[c][i]
}

// pick returns the fields that names mean: each name takes the next field of that name
// from the bottom up; a name that finds none takes nothing (RFC 6376, section 5.4.2).
func (h *header) pick(names []string) []int {
	picked := make([]int, 0, len(names))
	taken := make(map[string]int, len(names))
	for _, name := range names {
		places := h.byName[name]
		if n := len(places) - 1 - taken[name]; n >= 0 {
			taken[name]++
			picked = append(picked, places[n])
		}
	}
	return picked
}

// covers tells whether names take all fields of one of them.
func (h *header) covers(names []string, name string) bool {
	left := len(h.byName[name])
	for _, n := range names {
		if n == name {
			left--
		}
	}
	return left <= 0
}

// write gives the fields to a hash.
func (h *header) write(to hash.Hash, fields []int, c Canon) {
	for _, i := range fields {
		form := h.form(i, c)
		h.hashed += len(form)
		to.Write(form)
	}
}

// writeUnsigned gives a signature field to a hash as it was signed: without the value
// of b=, which is at a place of the field's raw value, and without the last CRLF.
func (h *header) writeUnsigned(to hash.Hash, i, from, end int, c Canon) {
	f := h.fields[i]
	f.Raw = f.Raw[:from] + f.Raw[end:]
	form := appendField(nil, f, c)
	h.hashed += len(form)
	to.Write(form[:len(form)-len("\r\n")])
}
