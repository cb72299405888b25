package mail

import (
	"cmp"
	"slices"
	"strings"

	"rmilter/internal/mime"
)

// Bounds of one field with parameters.
const (
	maxStructured = 64 << 10 // bytes looked at
	maxParams     = 200      // parameters
)

// A param is one parameter of Content-Type or Content-Disposition as it stands.
type param struct {
	name  string // lower case, with the "*0*" of RFC 2231
	value string // without quotes
	other string // another reading of the value, "" if there is none
}

// A structured field is a value and its parameters (RFC 2045, section 5.1).
type structured struct {
	value  string // before the first parameter, without comments, in lower case
	params []param
	bad    int // parameters that are broken
}

// parseStructured reads a field's value, unfolded. It takes missing semicolons,
// unclosed quotes, text behind quotes, unquoted values with spaces, comments.
func parseStructured(s string) structured {
	var f structured
	s = strings.Trim(s[:min(len(s), maxStructured)], " \t")
	head, rest := fieldHead(s)
	head = strings.Trim(head, " \t")
	if j := strings.IndexAny(head, " \t"); j >= 0 {
		// "text/plain charset=utf-8": the semicolon is missing.
		if strings.IndexByte(head[j:], '=') >= 0 {
			rest, head = head[j:]+";"+rest, head[:j]
		}
	}
	if j := strings.IndexByte(head, '='); j > 0 && strings.IndexByte(head[:j], '/') < 0 {
		rest, head = head+";"+rest, "" // no value, only parameters
	}
	f.value = LowerASCII(strings.Trim(head, " \t\""))
	f.parameters(rest)
	return f
}

// fieldHead returns what stands before the first semicolon, without comments, and what
// stands behind it.
func fieldHead(s string) (head, rest string) {
	i := strings.IndexAny(s, ";(")
	if i < 0 {
		return s, ""
	}
	var b []byte
	for ; i >= 0 && s[i] == '('; i = strings.IndexAny(s, ";(") {
		b = append(append(b, s[:i]...), ' ')
		s = skipComment(s[i:])
	}
	if i < 0 {
		return string(append(b, s...)), ""
	}
	return string(append(b, s[:i]...)), s[i+1:]
}

// skipComment returns what is behind the comment that s begins with.
func skipComment(s string) string {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return s[i+1:]
			}
		}
	}
	return ""
}

// parameters reads "name=value; …".
func (f *structured) parameters(s string) {
	for len(f.params) < maxParams {
		s = strings.TrimLeft(s, " \t;,")
		if s == "" {
			return
		}
		if s[0] == '(' {
			s = skipComment(s)
			continue
		}
		i := strings.IndexAny(s, "=;")
		if i < 0 || s[i] == ';' {
			// A name without a value: nothing to know.
			f.bad++
			if i < 0 {
				return
			}
			s = s[i:]
			continue
		}
		name := LowerASCII(strings.Trim(s[:i], " \t"))
		if j := strings.LastIndexAny(name, " \t)"); j >= 0 {
			name = name[j+1:]
		}
		p := param{name: name}
		s = f.paramValue(&p, strings.TrimLeft(s[i+1:], " \t"))
		for _, old := range f.params {
			if old.name == name {
				f.bad++
				break
			}
		}
		f.params = append(f.params, p)
	}
}

// paramValue reads a value and returns what is behind it.
func (f *structured) paramValue(p *param, s string) (rest string) {
	if !strings.HasPrefix(s, `"`) {
		return f.unquoted(p, s)
	}
	value, rest, closed := quoted(s)
	if !closed {
		f.bad++
		// The rest of the field, or only up to the next semicolon.
		p.value, p.other = value, ""
		if i := strings.IndexByte(s, ';'); i >= 0 {
			p.value, p.other, rest = strings.TrimRight(s[1:i], " \t"), value, s[i:]
		}
		return rest
	}
	p.value = value
	if rest != "" && strings.IndexByte(" \t;,(", rest[0]) < 0 {
		// Text behind the quotes: some programs take it as part of the value.
		f.bad++
		tail := param{}
		rest = f.unquoted(&tail, rest)
		p.value, p.other = value+strings.Trim(tail.value, `"`), value
	}
	return rest
}

// quoted reads the quoted string that s begins with. A backslash counts only before
// a quote or another one: names of files have backslashes that aren't doubled.
func quoted(s string) (value, rest string, closed bool) {
	i := strings.IndexAny(s[1:], `"\`)
	if i >= 0 && s[1+i] == '"' {
		return s[1 : 1+i], s[i+2:], true
	}
	b := make([]byte, 0, len(s))
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return string(b), s[i+1:], true
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
		}
		b = append(b, s[i])
	}
	return string(b), "", false
}

// unquoted reads a value without quotes: up to the semicolon, unless a space and
// another parameter come first.
func (f *structured) unquoted(p *param, s string) (rest string) {
	end := strings.IndexByte(s, ';')
	if end < 0 {
		end = len(s)
	}
	value := s[:end]
	if i := strings.IndexAny(value, " \t"); i >= 0 {
		if j := nextParam(value[i:]); j >= 0 {
			end = i + j
			value = s[:end]
		}
		p.other = value[:i]
		if p.name != "name" && p.name != "filename" {
			if k := strings.IndexByte(value[i:], '('); k >= 0 {
				value = value[:i+k]
			}
		}
	}
	p.value = strings.TrimRight(value, " \t")
	if p.other == p.value {
		p.other = ""
	}
	return s[end:]
}

// nextParam returns where in s a word and "=" follow white space, -1 if nowhere.
func nextParam(s string) int {
	for i := 0; i < len(s); {
		for i < len(s) && (s[i] == ' ' || s[i] == '\t') {
			i++
		}
		begin := i
		for i < len(s) && (s[i]|0x20 >= 'a' && s[i]|0x20 <= 'z' || s[i] == '-' || s[i] == '*' || s[i] >= '0' && s[i] <= '9') {
			i++
		}
		if i > begin && i < len(s) && s[i] == '=' {
			return begin
		}
		for i < len(s) && s[i] != ' ' && s[i] != '\t' {
			i++
		}
	}
	return -1
}

// get returns a parameter's value: the RFC 2231 form if there is one, else the plain
// one with its encoded words decoded.
func (f *structured) get(name string) (value string, ok bool) {
	if value, ok = f.extended(name); ok {
		return value, true
	}
	for _, p := range f.params {
		if p.name == name {
			return DecodeText(p.value), true
		}
	}
	return "", false
}

// all returns all readings of a parameter, each once, the best first.
func (f *structured) all(name string) []string {
	var all []string
	add := func(s string) {
		if s != "" && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	if v, ok := f.extended(name); ok {
		add(v)
	}
	for _, p := range f.params {
		if p.name == name {
			add(DecodeText(p.value))
			add(DecodeText(p.other))
		}
	}
	return all
}

// A segment is one piece of a parameter in RFC 2231 form.
type segment struct {
	index   int
	encoded bool
	value   string
}

// extended joins name*, name*0, name*1* … (RFC 2231, sections 3 and 4).
func (f *structured) extended(name string) (value string, ok bool) {
	var segments []segment
	for _, p := range f.params {
		rest, ok := strings.CutPrefix(p.name, name+"*")
		if !ok {
			continue
		}
		s := segment{value: p.value}
		if rest == "" {
			s.encoded = true
			segments = append(segments, s)
			continue
		}
		rest, s.encoded = strings.CutSuffix(rest, "*")
		for _, c := range []byte(rest) {
			if c < '0' || c > '9' || s.index > maxParams {
				s.index = -1
				break
			}
			s.index = s.index*10 + int(c-'0')
		}
		if s.index >= 0 {
			segments = append(segments, s)
		}
	}
	if len(segments) == 0 {
		return "", false
	}
	slices.SortStableFunc(segments, func(a, b segment) int { return cmp.Compare(a.index, b.index) })
	return joinSegments(segments), true
}

// joinSegments decodes the pieces. The first encoded one names the charset.
func joinSegments(segments []segment) string {
	charset := ""
	var b []byte
	for i, s := range segments {
		if i > 0 && s.index == segments[i-1].index {
			continue // a second one of its number
		}
		if s.encoded {
			if parts := strings.SplitN(s.value, "'", 3); i == 0 && len(parts) == 3 {
				charset, s.value = parts[0], parts[2]
			}
			b, _ = mime.AppendPercent(b, s.value)
		} else {
			b = append(b, s.value...)
		}
	}
	text := mime.Decode(charset, b).String
	if charset == "" {
		text = DecodeText(text)
	}
	return text
}
