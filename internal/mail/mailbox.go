package mail

import (
	"strings"
)

// Bounds of Mailboxes.
const (
	maxMailboxes   = 10_000
	maxMailboxText = 8192    // bytes of one mailbox that are looked at
	maxList        = 1 << 20 // bytes of one field that are looked at
)

// A Mailbox is one entry of a list of addresses in a header (RFC 5322, section 3.4).
type Mailbox struct {
	Name    string  // display name, decoded; "" when there is none
	Address Address // its Raw is the address as it stands, without brackets
	Comment string  // text of comments, decoded, as in "joe@example.com (Joe)"
	Group   string  // name of the group that the mailbox is in, decoded
	Raw     string  // the entry as it stands, unfolded
	Valid   bool    // the address is well-formed: a local part, "@" and a domain, nothing behind it
	Quoted  bool    // the display name is in quotes
	Angle   bool    // the address is in angle brackets
}

// Mailboxes returns the entries of all fields of a name in order, as From, To or
// Reply-To have them, at most 10,000. It takes what mail programs take; an entry
// that can't be understood is there with Valid false. Groups without members give
// nothing.
func (m *Message) Mailboxes(field string) []Mailbox {
	key := LowerASCII(field)
	m.lists.Lock()
	defer m.lists.Unlock()
	if list, ok := m.people[key]; ok {
		return list
	}
	var list []Mailbox
	present := false
	for _, f := range m.header {
		if f.Is(field) {
			present = true
			list = appendMailboxes(list, f.Value())
		}
	}
	if present {
		if m.people == nil {
			m.people = map[string][]Mailbox{}
		}
		m.people[key] = list
	}
	return list
}

// ParseMailboxes reads a list of addresses as it stands in a field's value, like
// Message.Mailboxes.
func ParseMailboxes(value string) []Mailbox { return appendMailboxes(nil, unfold(value)) }

// appendMailboxes reads an unfolded list.
func appendMailboxes(list []Mailbox, s string) []Mailbox {
	s = s[:min(len(s), maxList)]
	l := listParser{s: s, list: list}
	angle, literal := false, false
	pair := quotesPair(s)
	for i := 0; i < len(s) && len(l.list) < maxMailboxes; i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case c == '"' && pair:
			for i++; i < len(s) && s[i] != '"'; i++ {
				if s[i] == '\\' {
					i++
				}
			}
		case c == '(':
			i = len(s) - len(skipComment(s[i:])) - 1
		case c == '<':
			angle = true
		case c == '>':
			angle = false
		case c == '[' || c == ']':
			literal = c == '['
		case c == ',' && !(angle && closes(s[i:])):
			l.entry(i)
			angle, literal = false, false
		case c == ';':
			l.entry(i)
			if l.group != "" {
				l.flush(i)
			}
			l.group, angle, literal = "", false, false
		case c == ':' && !angle && !literal && l.group == "" && isGroupName(s[l.begin:i]):
			l.flush(l.begin)
			l.group = DecodeText(strings.Trim(unquote(s[l.begin:i]), " \t"))
			l.begin, l.first = i+1, i+1
		}
	}
	l.entry(len(s))
	l.flush(len(s))
	return l.list
}

// A listParser cuts a list into its entries.
type listParser struct {
	s     string
	list  []Mailbox
	group string
	begin int // where the entry begins
	first int // where the words without an address before it begin, the same if there are none
}

// entry ends an entry. Words without an address belong to the entry behind them if
// that has its address in brackets: "Doe, Jane <jane@example.com>" lacks its quotes.
func (l *listParser) entry(end int) {
	text := l.s[min(l.begin, end):end]
	switch {
	case l.first < l.begin && end-l.first <= maxMailboxText && lastAngle(text) >= 0:
		l.take(l.s[l.first:end])
		l.first = end + 1
	case !isWords(text):
		l.flush(l.begin)
		l.take(text)
		l.first = end + 1
	}
	l.begin = end + 1
}

// isWords tells whether an entry holds no address: none at all, or only in quotes.
func isWords(s string) bool {
	if strings.IndexByte(s, '<') < 0 && strings.IndexByte(s, '@') < 0 && !strings.Contains(s, "=?") {
		return true
	}
	if s = strings.Trim(s, " \t"); len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return strings.IndexByte(s[1:len(s)-1], '"') < 0
	}
	return !strings.ContainsAny(s, "<@") && strings.IndexByte(DecodeText(s[:min(len(s), maxMailboxText)]), '@') < 0
}

// flush takes the words without an address before end as one entry.
func (l *listParser) flush(end int) {
	end = min(end, len(l.s))
	l.take(strings.Trim(l.s[min(l.first, end):end], " \t,;"))
	l.first = end
}

func (l *listParser) take(text string) {
	if text = strings.Trim(text, " \t"); text != "" && len(l.list) < maxMailboxes {
		l.list = append(l.list, parseMailbox(text, l.group))
	}
}

// closes tells whether a ">" comes before the next "<": then a comma is part of a
// source route.
func closes(s string) bool {
	i := strings.IndexAny(s[:min(len(s), 1024)], "<>")
	return i >= 0 && s[i] == '>'
}

// isGroupName tells whether what stands before a colon can name a group.
func isGroupName(s string) bool {
	return strings.IndexByte(s, '@') < 0 && strings.Trim(s, " \t") != ""
}

// parseMailbox reads one entry.
func parseMailbox(raw, group string) Mailbox {
	b := Mailbox{Raw: raw, Group: group}
	s := raw
	if len(s) > maxMailboxText {
		s = s[:maxMailboxText/2] + s[len(s)-maxMailboxText/2:] // the address stands at the end
	}
	text, comments := b.split(s)
	b.Comment = DecodeText(comments)
	open := lastAngle(text)
	if open < 0 {
		b.bare(text)
		return b
	}
	b.Angle = true
	name := strings.Trim(text[:open], " \t")
	inner := text[open+1:]
	end := strings.IndexByte(inner, '>')
	behind := ""
	if end >= 0 {
		inner, behind = inner[:end], strings.Trim(inner[end+1:], " \t")
	}
	b.Quoted = strings.HasPrefix(name, `"`)
	b.Name = strings.TrimRight(DecodeText(collapseSpace(unquote(name))), " ,;")
	b.address(inner)
	b.Valid = b.Valid && end >= 0 && behind == ""
	return b
}

// split takes the comments out of an entry.
func (b *Mailbox) split(s string) (text, comments string) {
	if strings.IndexByte(s, '(') < 0 {
		return s, ""
	}
	var out, inside strings.Builder
	pair := quotesPair(s)
	quoting := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			out.WriteString(s[i : i+2])
			i++
		case c == '"' && pair:
			quoting = !quoting
			out.WriteByte(c)
		case c == '(' && !quoting:
			rest := skipComment(s[i:])
			whole := s[i : len(s)-len(rest)]
			if inside.Len() > 0 {
				inside.WriteByte(' ')
			}
			inside.WriteString(strings.TrimSuffix(whole[1:], ")"))
			i = len(s) - len(rest) - 1
		default:
			out.WriteByte(c)
		}
	}
	return out.String(), inside.String()
}

// lastAngle returns the index of the "<" that the address follows: the last one
// outside of quotes and encoded words, -1 if there is none.
func lastAngle(s string) int {
	at, word := -1, 0
	eachUnquoted(s, func(i int) bool {
		switch {
		case i < word:
		case s[i] == '<':
			at = i
		case s[i] == '=' && strings.HasPrefix(s[i:], "=?"):
			word = max(word, wordEnd(s, i))
		}
		return true
	})
	return at
}

// wordEnd returns where the encoded word at s[i:] ends, i if it is none or has white
// space in it.
func wordEnd(s string, i int) int {
	n := strings.IndexAny(s[i:], " \t")
	if n < 0 {
		n = len(s) - i
	}
	end := strings.LastIndex(s[i:i+n], "?=")
	if end < 0 || strings.Count(s[i:i+end], "?") < 3 {
		return i
	}
	return i + end + 2
}

// bare reads an entry without angle brackets.
func (b *Mailbox) bare(text string) {
	text = strings.Trim(text, " \t")
	if strings.IndexByte(text, '@') < 0 && strings.Contains(text, "=?") {
		// The whole entry is encoded, which is wrong but seen.
		if d := DecodeText(text); strings.IndexByte(d, '@') >= 0 {
			in := parseMailbox(d, b.Group)
			b.Name, b.Address, b.Quoted, b.Angle = in.Name, in.Address, in.Quoted, in.Angle
			return
		}
	}
	at := strings.LastIndexByte(text, '@')
	space := strings.LastIndexAny(text[:max(at, 0)], " \t")
	if at >= 0 && space >= 0 && strings.IndexByte(text[:space], '"') < 0 {
		// "Joe joe@example.com": the brackets are missing.
		b.Name = DecodeText(collapseSpace(text[:space]))
		b.address(text[space+1:])
		b.Valid = false
		return
	}
	if at < 0 {
		b.Name = DecodeText(collapseSpace(unquote(text)))
	}
	b.address(text)
}

// address reads the address itself.
func (b *Mailbox) address(s string) {
	s = strings.Trim(s, " \t")
	joined := joinAddress(s)
	b.Address = ParseAddress(joined)
	b.Address.Raw = s
	b.Valid = b.Address.Local != "" && isMailDomain(b.Address.Domain) && validLocal(s) && joined == s
}

// joinAddress takes away the white space beside dots and "@", which is obsolete (RFC
// 5322, section 4.4) and which a reader doesn't take for the end of the address.
func joinAddress(s string) string {
	if !strings.ContainsAny(s, " \t") || strings.IndexByte(s, '"') >= 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		end := i
		for end < len(s) && (s[end] == ' ' || s[end] == '\t') {
			end++
		}
		if end > i && strings.IndexByte(".@", s[i-1]) < 0 && strings.IndexByte(".@", s[end]) < 0 {
			b.WriteString(s[i:end])
		}
		b.WriteByte(s[end])
		i = end + 1
	}
	return b.String()
}

// validLocal tells whether the local part of an address as it stands is a dot-string
// or quoted.
func validLocal(s string) bool {
	at := strings.LastIndexByte(s, '@')
	if at < 0 || strings.ContainsAny(s[at:], "<>") {
		return false
	}
	local := stripRoute(s[:at])
	if len(local) >= 2 && local[0] == '"' && local[len(local)-1] == '"' {
		return quotesPair(local)
	}
	for i := range len(local) {
		if c := local[i]; c <= ' ' || c == 0x7f || strings.IndexByte(`"(),:;<>@[\]`, c) >= 0 {
			return false
		}
	}
	return local != "" && local[0] != '.' && local[len(local)-1] != '.' && !strings.Contains(local, "..")
}

// isMailDomain tells whether a domain is a name with no empty labels, or an address
// literal.
func isMailDomain(s string) bool {
	if strings.HasPrefix(s, "[") {
		return address(strings.TrimSuffix(s[1:], "]")).IsValid() && strings.HasSuffix(s, "]")
	}
	return isHostName(s) && s[0] != '.' && !strings.Contains(s, "..")
}

// collapseSpace makes one space of each run of white space.
func collapseSpace(s string) string {
	if !strings.ContainsAny(s, "\t") && !strings.Contains(s, "  ") {
		return s
	}
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\t' }), " ")
}
