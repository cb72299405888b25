package maps

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"rmilter/internal/mail"
	"rmilter/internal/match"
)

// maxLine bounds a line in bytes.
const maxLine = 4096

// A line is one line of a file, understood.
type line struct {
	key     []byte        // the entry as it is looked up and written; it belongs to the reader
	network netip.Prefix  // of Networks
	field   string        // lower-case name of Headers
	re      *match.Regexp // when the entry is a pattern
	score   float64
	scored  bool
	comment string
	blank   bool // no entry
}

// A reader understands lines. It uses its memory again for each.
type reader struct {
	kind Kind
	key  []byte
	line line
}

// read understands a line without its end. The result is good until the next one.
func (r *reader) read(text []byte) (*line, error) {
	switch {
	case len(text) > maxLine:
		return nil, fmt.Errorf("the line has %d bytes; expected at most %d", len(text), maxLine)
	case !utf8.Valid(text):
		return nil, errors.New("the line is no UTF-8 text")
	}
	if i := bytes.IndexFunc(text, isControl); i >= 0 {
		return nil, fmt.Errorf("the line holds the control character %q", text[i])
	}
	text = bytes.TrimSpace(text)
	if len(text) == 0 || text[0] == '#' {
		r.line = line{blank: true}
		return &r.line, nil
	}
	r.line = line{}
	l := &r.line
	rest, err := r.entry(l, text)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 && !isBlank(rest[0]) {
		return nil, fmt.Errorf("unexpected %.60q; expected a blank", rest)
	}
	number, comment := bytes.TrimSpace(rest), []byte(nil)
	if i := commentAt(rest); i >= 0 {
		number, comment = bytes.TrimSpace(rest[:i]), bytes.TrimSpace(rest[i+1:])
	}
	l.comment = string(comment)
	if len(number) > 0 {
		if l.score, err = strconv.ParseFloat(string(number), 64); err != nil || math.Abs(l.score) > 1000 || l.score != l.score {
			return nil, fmt.Errorf("%.60q behind the entry is no number from -1000 to 1000; an entry with blanks needs quotes, a comment #", number)
		}
		l.scored = true
	}
	return l, nil
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// commentAt returns the index of the "#" that begins a comment, -1 for none.
func commentAt(s []byte) int {
	for i, c := range s {
		if c == '#' && (i == 0 || isBlank(s[i-1])) {
			return i
		}
	}
	return -1
}

// entry reads the entry at the beginning of text and returns what follows.
func (r *reader) entry(l *line, text []byte) (rest []byte, err error) {
	r.key = r.key[:0]
	if r.kind == Headers {
		colon := bytes.IndexByte(text, ':')
		if colon <= 0 || !isFieldName(text[:colon]) {
			return nil, fmt.Errorf("%.60q is no header entry; expected Name: content", text)
		}
		l.field = lower(string(text[:colon]))
		text = bytes.TrimLeft(text[colon+1:], " \t")
		r.key = append(append(r.key, l.field...), ':')
		if len(text) == 0 || text[0] == '#' {
			l.key = r.key
			return text, nil
		}
		r.key = append(r.key, ' ')
	}
	word, rest, form, err := cutWord(text)
	switch {
	case err != nil:
		return nil, err
	case form == regexpForm && r.kind != Networks:
		err = r.regexp(l, word)
	case form == bareForm && r.kind != Networks && bytes.ContainsAny(wildcards(word), "*?"):
		err = r.wildcards(l, word)
	default:
		err = r.plain(l, word)
	}
	l.key = r.key
	return rest, err
}

// wildcards returns what of a word may hold wildcards: not the "*." of a domain.
func wildcards(word []byte) []byte {
	word = bytes.TrimPrefix(word, []byte("@"))
	return bytes.TrimPrefix(word, []byte("*."))
}

// The forms of a word.
const (
	bareForm = iota
	quotedForm
	regexpForm
)

// cutWord cuts the first word off. A quoted one comes without its quotes, a regular
// expression with its slashes and flags.
func cutWord(text []byte) (word, rest []byte, form int, err error) {
	switch text[0] {
	case '"':
		for i := 1; i < len(text); i++ {
			switch text[i] {
			case '\\':
				if i++; i < len(text) {
					word = append(word, text[i])
				}
			case '"':
				return word, text[i+1:], quotedForm, nil
			default:
				word = append(word, text[i])
			}
		}
		return nil, nil, 0, errors.New(`a quotation mark without its second one; expected " at the end of the entry`)
	case '/':
		for i := 1; i < len(text); i++ {
			switch text[i] {
			case '\\':
				i++
			case '/':
				end := i + 1
				for end < len(text) && !isBlank(text[end]) {
					end++
				}
				return text[:end], text[end:], regexpForm, nil
			}
		}
		return nil, nil, 0, errors.New("a regular expression without its second slash; expected /PATTERN/FLAGS")
	}
	end := bytes.IndexAny(text, " \t")
	if end < 0 {
		end = len(text)
	}
	return text[:end], text[end:], bareForm, nil
}

// regexp reads /PATTERN/FLAGS.
func (r *reader) regexp(l *line, word []byte) error {
	end := bytes.LastIndexByte(word, '/')
	expr, flags := string(word[1:max(end, 1)]), string(word[end+1:])
	switch {
	case expr == "":
		return fmt.Errorf("%.60q is an empty regular expression, which matches everything", word)
	case strings.Trim(flags, "imsu") != "":
		return fmt.Errorf("unknown flags %.60q behind the regular expression; expected i, m, s or u, and a backslash before each slash within it", flags)
	}
	r.key = append(r.key, word...)
	if flags = strings.ReplaceAll(flags, "u", ""); flags != "" {
		expr = "(?" + flags + ")" + expr
	}
	return r.compile(l, expr)
}

func (r *reader) compile(l *line, expr string) (err error) {
	l.re, err = match.Compile(expr)
	var se *syntax.Error
	if errors.As(err, &se) {
		return fmt.Errorf("no regular expression: %s in %.60q", se.Code, se.Expr)
	}
	return err
}

// wildcards reads a text with * and ?.
func (r *reader) wildcards(l *line, word []byte) error {
	if len(bytes.Trim(word, "*?@.")) == 0 {
		return fmt.Errorf("%.60q matches everything", word)
	}
	r.key = append(r.key, word...)
	expr := []byte("(?is)^")
	for begin := 0; begin < len(word); {
		n := bytes.IndexAny(word[begin:], "*?")
		if n < 0 {
			n = len(word) - begin
		}
		expr = append(expr, regexp.QuoteMeta(string(word[begin:begin+n]))...)
		if begin += n; begin < len(word) {
			if word[begin] == '*' {
				expr = append(expr, ".*"...)
			} else {
				expr = append(expr, '.')
			}
			begin++
		}
	}
	return r.compile(l, string(append(expr, '$')))
}

// plain reads a word that stands for itself.
func (r *reader) plain(l *line, word []byte) (err error) {
	switch r.kind {
	case Networks:
		l.network, err = parseNetwork(string(word))
	case Domains:
		err = r.domain(word)
	case Addresses:
		err = r.address(word)
	default:
		if len(word) == 0 {
			return errors.New("an empty text")
		}
		r.key = append(r.key, plain(string(word))...)
	}
	return err
}

// parseNetwork reads a network or an address.
func parseNetwork(word string) (netip.Prefix, error) {
	const want = "expected an address such as 192.0.2.1, or a network such as 192.0.2.0/24 or 2001:db8::/32"
	addr, mask, masked := strings.Cut(word, "/")
	if in, ok := strings.CutPrefix(addr, "["); ok {
		if addr, ok = strings.CutSuffix(in, "]"); !ok || !strings.Contains(addr, ":") {
			return netip.Prefix{}, fmt.Errorf("%.60q is no network; %s", word, want)
		}
	}
	a, err := netip.ParseAddr(addr)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("%.60q is no network; %s", word, want)
	}
	bits := a.BitLen()
	if masked {
		n, err := strconv.ParseUint(mask, 10, 8)
		if err != nil || int(n) > bits {
			return netip.Prefix{}, fmt.Errorf("%.60q has no valid mask; expected at most /%d", word, bits)
		}
		bits = int(n)
	}
	if a.Is4In6() && bits >= 96 {
		a, bits = a.Unmap(), bits-96
	}
	return a.Prefix(bits)
}

// domain reads a domain, with "." or "*." before it.
func (r *reader) domain(word []byte) error {
	const want = "expected example.com, .example.com or *.example.com"
	before := 0
	switch {
	case bytes.HasPrefix(word, []byte("*.")):
		before = 2
	case bytes.HasPrefix(word, []byte(".")):
		before = 1
	}
	name := bytes.TrimSuffix(word[before:], []byte("."))
	r.key = append(r.key, word[:before]...)
	at := len(r.key)
	ascii := true
	for _, c := range name {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		ascii = ascii && c < utf8.RuneSelf
		r.key = append(r.key, c)
	}
	if !ascii && !bytes.ContainsAny(name, `@<>"\()`) {
		r.key = append(r.key[:at], mail.ParseAddress("x@"+string(name)).Domain...)
	}
	if !isDomain(r.key[at:]) {
		return fmt.Errorf("%.60q is no domain; %s", word, want)
	}
	return nil
}

// isDomain tells whether s is a host name of lower-case A-labels, or an address in
// brackets.
func isDomain(s []byte) bool {
	if len(s) > 2 && s[0] == '[' && s[len(s)-1] == ']' {
		_, err := netip.ParseAddr(strings.TrimPrefix(string(s[1:len(s)-1]), "ipv6:"))
		return err == nil
	}
	if len(s) == 0 || len(s) > 253 {
		return false
	}
	label := 0
	for _, c := range s {
		switch {
		case c == '.':
			if label == 0 {
				return false
			}
			label = 0
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_':
			if label++; label > 63 {
				return false
			}
		default:
			return false
		}
	}
	return label > 0
}

// address reads an address, one half of one, or <>.
func (r *reader) address(word []byte) error {
	const want = "expected user@example.com, @example.com, user@ or <>"
	if string(word) == "<>" {
		r.key = append(r.key, word...)
		return nil
	}
	if len(word) > 2 && word[0] == '<' && word[len(word)-1] == '>' {
		word = word[1 : len(word)-1]
	}
	at := bytes.LastIndexByte(word, '@')
	if at < 0 || len(word) == 1 || len(word) > 800 {
		return fmt.Errorf("%.60q is no address; %s", word, want)
	}
	local, domain := word[:at], word[at+1:]
	begin := len(r.key)
	if len(local) > 0 {
		if r.local(local); len(r.key) == begin {
			return fmt.Errorf("%.60q is no address; %s", word, want)
		}
	}
	r.key = append(r.key, '@')
	switch {
	case len(domain) == 0:
		return nil
	case len(local) > 0 && (domain[0] == '.' || domain[0] == '*'):
		return fmt.Errorf("%.60q is no address; expected user@example.com, or user@*.example.com in a pattern", word)
	}
	if err := r.domain(domain); err != nil {
		return fmt.Errorf("%.60q is no address; %s", word, want)
	}
	return nil
}

// local reads the local part of an address as the envelope's are read.
func (r *reader) local(word []byte) {
	begin := len(r.key)
	for _, c := range word {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c <= ' ' || c >= utf8.RuneSelf || bytes.IndexByte([]byte(`"\<>()[]:;,@`), c) >= 0 {
			r.key = append(r.key[:begin], lower(mail.ParseAddress(string(word)+"@x").Local)...)
			return
		}
		r.key = append(r.key, c)
	}
}

// isFieldName tells whether s can be the name of a header field (RFC 5322, section
// 2.2).
func isFieldName(s []byte) bool {
	for _, c := range s {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// lower returns a text in lower case.
func lower(s string) string { return strings.ToLower(s) }

// plain returns a text in lower case with one blank for each run of white space and
// none around it.
func plain(s string) string {
	return lower(strings.Join(strings.FieldsFunc(s, unicode.IsSpace), " "))
}
