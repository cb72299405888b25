package checks

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"strings"

	"rmilter/internal/match"
	"rmilter/internal/ucl"
)

// A place is what a rule looks at.
type place string

// The places, as where names them.
const (
	inHeader     place = "header"      // fields of the message, decoded
	inRawHeader  place = "raw_header"  // the same as they stand
	inMIMEHeader place = "mime_header" // fields of all parts, decoded
	inAllHeaders place = "all_header"  // the header as it stands
	inText       place = "text"        // what a reader sees of the text parts
	inSource     place = "source"      // the text parts decoded, HTML with its tags
	inRaw        place = "raw"         // the body as it stands
	inURL        place = "url"         // links
	inAttachment place = "attachment"  // names of attachments
	inSubject    place = "subject"     // inHeader of the field Subject
)

// places are all of them, in the order in which they are searched.
var places = []place{inHeader, inRawHeader, inMIMEHeader, inAllHeaders, inText, inSource, inRaw, inURL, inAttachment}

// needsField tells whether a rule has to name a header field.
func (p place) needsField() bool { return p == inHeader || p == inRawHeader || p == inMIMEHeader }

// suffixes are rspamd's types of regular expressions, as in /x/i{mime} or /x/iP.
var suffixes = map[string]place{
	"header": inHeader, "H": inHeader,
	"raw_header": inRawHeader, "X": inRawHeader,
	"mime_header": inMIMEHeader, "B": inMIMEHeader,
	"all_header": inAllHeaders, "R": inAllHeaders,
	"mime": inText, "part": inText, "P": inText,
	"raw_mime": inSource, "raw_part": inSource, "Q": inSource,
	"body": inRaw, "rawbody": inRaw, "raw_body": inRaw, "M": inRaw,
	"url": inURL, "U": inURL,
}

// unserved are rspamd's types that there is no place for, and what to do.
var unserved = map[string]string{
	"words": wordsHint, "raw_words": wordsHint, "stem_words": wordsHint,
	"sa_body": saHint, "C": saHint, "sa_raw_body": saHint, "D": saHint,
	"email":    `expected {url}, which sees addresses with "mailto:" before them`,
	"selector": "there are no selectors", "$": "there are no selectors",
}

const (
	wordsHint = `expected {mime} with \b at both ends of the expression`
	saHint    = "expected {mime} for what a reader sees, or {raw_mime} for HTML with its tags"
)

// A placeValue is the option where.
type placeValue struct{ p *place }

// Set implements ucl.Value.
func (v placeValue) Set(n *ucl.Node, add bool) error {
	if text, err := n.Word(); err == nil {
		switch strings.ToLower(text) {
		case "":
			*v.p = ""
			return nil
		case "body":
			return n.Errorf(`"body" can be two things; expected text for what a reader sees, or raw for the body as it was received`)
		case "mime", "part":
			return n.Errorf(`%q is rspamd's word; expected text`, text)
		}
	}
	return ucl.Enum(v.p, inSubject, inHeader, inRawHeader, inMIMEHeader, inAllHeaders, inText, inSource, inRaw, inURL, inAttachment).Set(n, add)
}

// String returns the word.
func (v placeValue) String() string {
	if *v.p == "" {
		return `""`
	}
	return string(*v.p)
}

// An expr is the option re: a regular expression, with rspamd's ways to say in the
// same text what it is about.
type expr struct {
	text  string // as it stands in the file
	re    *match.Regexp
	field string // of "Subject=/x/"
	place place  // of a suffix; "" for none
	all   bool   // flag A: every match counts
	pos   ucl.Pos
}

// maxExpr bounds an expression in bytes.
const maxExpr = 32 << 10

// Set implements ucl.Value.
func (v *expr) Set(n *ucl.Node, _ bool) error {
	text, err := n.Word()
	if err != nil {
		return err
	}
	if text == "" {
		*v = expr{}
		return nil
	}
	if len(text) > maxExpr {
		return n.Errorf("a regular expression of %d bytes; expected at most %d", len(text), maxExpr)
	}
	if strings.Contains(text, "\b") {
		return n.Errorf(`\b in double quotes is a backspace; expected single quotes around the regular expression`)
	}
	e, err := parseExpr(text)
	if err != nil {
		return n.Errorf("%v", err)
	}
	e.pos = n.Pos
	*v = e
	return nil
}

// String returns the expression in the form of the file.
func (v *expr) String() string {
	if v.text == "" || strings.ContainsAny(v.text, "'\r\n") || strings.HasSuffix(v.text, `\`) {
		return ucl.Quote(v.text)
	}
	return "'" + v.text + "'"
}

// parseExpr reads /PATTERN/FLAGS, FIELD=/PATTERN/FLAGS, or a pattern alone. FLAGS may
// end in {TYPE}.
func parseExpr(text string) (expr, error) {
	e := expr{text: text}
	pattern, rest, slashes := text, "", false
	begin := strings.IndexByte(text, '/')
	if name, ok := strings.CutSuffix(text[:max(begin, 0)], "="); ok && isPlainName(name) {
		e.field, slashes = name, true
	} else if begin == 0 {
		slashes = true
	}
	if slashes {
		end := patternEnd(text, begin+1)
		if end < 0 {
			return expr{}, fmt.Errorf("%.60q has no slash at its end; expected /PATTERN/FLAGS", text)
		}
		pattern, rest = text[begin+1:end], text[end+1:]
	}
	if pattern == "" {
		return expr{}, errors.New("an empty regular expression, which matches everything")
	}
	flags, err := e.flags(pattern, rest)
	if err != nil {
		return expr{}, err
	}
	if flags != "" {
		pattern = "(?" + flags + ")" + pattern
	}
	e.re, err = match.Compile(pattern)
	if err != nil {
		return expr{}, exprFault(err)
	}
	return e, nil
}

// patternEnd returns the index of the slash that ends a pattern: the first one behind
// which only flags stand, as slashes within it need no backslash. -1 is none.
func patternEnd(text string, from int) int {
	for i := from; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '/':
			rest := strings.TrimLeft(text[i+1:], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ$")
			if strings.HasPrefix(rest, "{") {
				if inside, after, ok := strings.Cut(rest[1:], "}"); ok && isTypeName(inside) {
					rest = after
				}
			}
			if rest = strings.TrimLeft(rest, " \t)"); rest == "" || isJoin(rest) {
				return i
			}
		}
	}
	if i := strings.LastIndexByte(text, '/'); i >= from {
		return i // the flags will tell what is wrong
	}
	return -1
}

func isTypeName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") == ""
}

// isJoin tells whether another regular expression follows, as in "/a/ & Subject=/b/".
func isJoin(s string) bool {
	next := strings.TrimLeft(s, "&|+ \t()!")
	if len(next) == len(s) || strings.IndexByte("&|+", s[0]) < 0 {
		return false
	}
	slash := strings.IndexByte(next, '/')
	if slash < 0 {
		return false
	}
	name, named := strings.CutSuffix(next[:slash], "=")
	return slash == 0 || named && isPlainName(name)
}

// flags reads what stands behind a pattern. It returns the flags that package regexp
// knows.
func (e *expr) flags(pattern, rest string) (string, error) {
	known := ""
	for rest != "" {
		c := rest[:1]
		rest = rest[1:]
		switch {
		case strings.Contains("ims", c):
			if !strings.Contains(known, c) {
				known += c
			}
		case strings.Contains("uOo", c): // UTF-8 it is always; there is nothing to optimize
		case c == "A":
			e.all = true
		case c == "r":
			for i := range len(pattern) {
				if pattern[i] >= 0x80 || strings.HasPrefix(pattern[i:], `\x`) {
					return "", errors.New("flag r with bytes that are no ASCII; expressions match characters of UTF-8 only")
				}
			}
		case c == "x":
			return "", errors.New("flag x (blanks and comments in the expression) is not known; take them out")
		case c == "{":
			name, after, ok := strings.Cut(rest, "}")
			if !ok {
				return "", fmt.Errorf("a brace that is not closed behind the expression: %.60q", rest)
			}
			rest = after
			if err := e.suffix("{"+name+"}", name); err != nil {
				return "", err
			}
		case isJoin(strings.TrimLeft(c+rest, " \t)")):
			return "", errors.New("several regular expressions in one rule; expected one for each, and a composite that joins them")
		case suffixes[c] != "" || unserved[c] != "":
			if err := e.suffix("flag "+c, c); err != nil {
				return "", err
			}
		default:
			return "", fmt.Errorf("unknown flag %q behind the regular expression; expected i, m, s, u, A or a type such as {mime}, and a backslash before each slash within it", c)
		}
	}
	return known, nil
}

// suffix takes a type.
func (e *expr) suffix(shown, name string) error {
	p := suffixes[name]
	switch {
	case unserved[name] != "":
		return fmt.Errorf("%s: %s", shown, unserved[name])
	case p == "":
		return fmt.Errorf("unknown type %.60s; expected {header}, {raw_header}, {mime_header}, {all_header}, {mime}, {raw_mime}, {body} or {url}", shown)
	case e.place != "" && e.place != p:
		return fmt.Errorf("two types; expected one")
	}
	e.place = p
	return nil
}

// exprFault returns what is wrong with an expression, with what to do where rspamd's
// expressions can more.
func exprFault(err error) error {
	var se *syntax.Error
	if !errors.As(err, &se) {
		return err
	}
	hint := ""
	switch {
	case strings.HasPrefix(se.Expr, "(?=") || strings.HasPrefix(se.Expr, "(?!") || strings.HasPrefix(se.Expr, "(?<"):
		hint = "; there is no looking ahead or behind: split the rule and join the parts by a composite"
	case strings.HasPrefix(se.Expr, "(?>") || se.Code == syntax.ErrInvalidRepeatOp:
		hint = "; atomic groups and possessive repeats aren't needed: no expression goes back"
	case se.Code == syntax.ErrInvalidEscape && len(se.Expr) == 2 && se.Expr[1] >= '1' && se.Expr[1] <= '9':
		hint = "; there are no references to groups"
	case se.Code == syntax.ErrInvalidRepeatSize:
		hint = "; expected at most 1000"
	}
	return fmt.Errorf("%s in %s%s", se.Code, shown(fmt.Sprintf("%q", se.Expr)), hint)
}

// isPlainName tells whether s looks like the name of a header field before an
// expression: others may have signs that join expressions in rspamd.
func isPlainName(s string) bool {
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
}

// isFieldName tells whether s can be the name of a header field (RFC 5322, section
// 2.2).
func isFieldName(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || s[i] == ':' || s[i] == '/' || s[i] == '=' {
			return false
		}
	}
	return s != ""
}
