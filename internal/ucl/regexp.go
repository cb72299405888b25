package ucl

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"strings"
)

// maxRegexp is the length of a regular expression in bytes.
const maxRegexp = 4096

// A Regexp is a regular expression in the syntax of package regexp. In the file it
// is /PATTERN/FLAGS with the flags i (any case), m (^ and $ at lines), s (a dot
// matches a line break) and u (UTF-8, as always), or the pattern alone. Single
// quotes keep its backslashes. The zero Regexp is none.
type Regexp struct{ re *regexp.Regexp }

// Std returns the expression as the standard library's type, nil when there is none.
func (r *Regexp) Std() *regexp.Regexp { return r.re }

// Set implements Value.
func (r *Regexp) Set(n *Node, _ bool) error {
	text, err := n.Word()
	if err != nil {
		return err
	}
	switch {
	case text == "":
		r.re = nil
		return nil
	case len(text) > maxRegexp:
		return n.Errorf("a regular expression of %d bytes; expected at most %d", len(text), maxRegexp)
	case strings.Contains(text, "\b"):
		return n.Errorf(`\b in double quotes is a backspace; expected single quotes around the regular expression`)
	}
	pattern, flags := text, ""
	if strings.HasPrefix(text, "/") {
		end := strings.LastIndexByte(text, '/')
		if end < 2 {
			return n.Errorf("%s is not a regular expression; expected /PATTERN/FLAGS", quoteFor(text))
		}
		pattern, flags = text[1:end], text[end+1:]
	}
	if rest := strings.Trim(flags, "imsu"); rest != "" {
		return n.Errorf("unknown flags %s after the regular expression; expected i, m, s or u", quoteFor(rest))
	}
	if flags = strings.ReplaceAll(flags, "u", ""); flags != "" {
		pattern = "(?" + flags + ")" + pattern
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return n.Errorf("%s is not a regular expression: %s", quoteFor(text), patternFault(err))
	}
	r.re = re
	return nil
}

// patternFault returns what is wrong with a pattern, without characters that a log
// would not show.
func patternFault(err error) string {
	var se *syntax.Error
	if !errors.As(err, &se) {
		return visible(err.Error())
	}
	return se.Code.String() + " in " + quoteFor(se.Expr)
}

// String returns the expression in the form of the file.
func (r Regexp) String() string {
	if r.re == nil {
		return `""`
	}
	text := "/" + r.re.String() + "/"
	if strings.ContainsFunc(text, func(r rune) bool { return r == '\'' || r < ' ' }) {
		return Quote(text)
	}
	return "'" + text + "'"
}
