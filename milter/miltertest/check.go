package miltertest

import (
	"errors"
	"fmt"
	"strings"
)

const (
	maxReplyLines = 32  // libmilter's MAXREPLIES
	maxReplyLine  = 510 // RFC 5321, section 4.5.3.1.5, without CRLF
	maxFieldLine  = 998 // RFC 5322, section 2.1.1
)

// checkField refuses a header field that would not arrive as one field.
func checkField(name, value string) error {
	if name == "" {
		return errors.New("empty field name")
	}
	for i := range len(name) {
		if name[i] <= ' ' || name[i] >= 0x7f || name[i] == ':' {
			return fmt.Errorf("field name %q", name)
		}
	}
	if strings.Contains(value, "\r") {
		return fmt.Errorf("%s: CR in value %q; folds are a bare LF", name, value)
	}
	first := len(name) + 1
	for i, line := range strings.Split(value, "\n") {
		if i > 0 && (line == "" || line[0] != ' ' && line[0] != '\t') {
			return fmt.Errorf("%s: line %q of the value begins without white space", name, line)
		}
		if i > 0 && strings.Trim(line, " \t") == "" {
			return fmt.Errorf("%s: line of white space in value %q", name, value)
		}
		if len(line)+first > maxFieldLine {
			return fmt.Errorf("%s: line of %d bytes", name, len(line)+first)
		}
		first = 0
	}
	return nil
}

// checkText refuses addresses, parameters and reasons that no MTA can use.
func checkText(e Edit) error {
	for _, s := range []string{e.Value, e.Args} {
		for i := range len(s) {
			if s[i] < ' ' || s[i] == 0x7f {
				return fmt.Errorf("control character in %q", s)
			}
		}
	}
	if e.Value == "" && e.Op != EditChangeFrom {
		return errors.New("empty string")
	}
	if e.Op == EditQuarantine {
		return nil
	}
	if strings.HasPrefix(e.Value, "<") != strings.HasSuffix(e.Value, ">") {
		return fmt.Errorf("half a pair of angle brackets in %q", e.Value)
	}
	if e.Value == "<>" && e.Op != EditChangeFrom {
		return errors.New("null path as a recipient")
	}
	return nil
}

// parseReplyCode reads an SMTP reply as Postfix and sendmail check it, and as
// RFC 5321, section 4.2.1, and RFC 2034, section 4, want it: equal codes in all
// lines, a hyphen in all but the last, an enhanced code of the same class in
// every line or in none, and no "%" that isn't doubled.
func parseReplyCode(payload []byte) (code int, enhanced string, lines []string, err error) {
	s, err := terminated(payload, 1, 1)
	if err != nil {
		return 0, "", nil, err
	}
	// sendmail prints the text as a format and puts its own in place of one with a single "%".
	if strings.Contains(strings.ReplaceAll(s[0], "%%", ""), "%") {
		return 0, "", nil, errors.New("single %")
	}
	raw := strings.Split(strings.ReplaceAll(s[0], "%%", "%"), "\r\n")
	if len(raw) > maxReplyLines {
		return 0, "", nil, fmt.Errorf("%d lines, at most %d", len(raw), maxReplyLines)
	}
	for i, line := range raw {
		c, e, text, err := parseReplyLine(line, i == len(raw)-1)
		if err != nil {
			return 0, "", nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		if i > 0 && (c != code || e != enhanced) {
			return 0, "", nil, fmt.Errorf("line %d: codes %d %q, in line 1 %d %q", i+1, c, e, code, enhanced)
		}
		code, enhanced, lines = c, e, append(lines, text)
	}
	return code, enhanced, lines, nil
}

func parseReplyLine(line string, last bool) (code int, enhanced, text string, err error) {
	if len(line) > maxReplyLine {
		return 0, "", "", fmt.Errorf("%d bytes, at most %d", len(line), maxReplyLine)
	}
	for i := range len(line) {
		if line[i] < ' ' || line[i] >= 0x7f {
			return 0, "", "", fmt.Errorf("%q isn't printable ASCII", line)
		}
	}
	if len(line) < 4 || line[0] != '4' && line[0] != '5' || !digit(line[1]) || !digit(line[2]) {
		return 0, "", "", fmt.Errorf("%q doesn't begin with a code from 400 to 599", line)
	}
	mark := byte('-')
	if last {
		mark = ' '
	}
	if line[3] != mark {
		return 0, "", "", fmt.Errorf("%q has %q after the code, want %q", line, line[3], mark)
	}
	code = int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')
	text = line[4:]
	if text == "" || !digit(text[0]) {
		return code, "", text, nil
	}
	// Postfix takes a digit here for the class of an enhanced code.
	if text[0] != line[0] {
		return 0, "", "", fmt.Errorf("%q: class %q under code %d", line, text[0], code)
	}
	word, rest, _ := strings.Cut(text, " ")
	if !enhancedCode(word) {
		return code, "", text, nil
	}
	return code, word, rest, nil
}

// enhancedCode knows the form of RFC 3463, section 2.
func enhancedCode(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) != 3 || len(parts[0]) != 1 {
		return false
	}
	for _, p := range parts {
		if p == "" || len(p) > 3 || len(p) > 1 && p[0] == '0' {
			return false
		}
		for i := range len(p) {
			if !digit(p[i]) {
				return false
			}
		}
	}
	return true
}

func digit(b byte) bool { return '0' <= b && b <= '9' }
