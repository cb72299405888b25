package checks

import (
	"bytes"
	"strings"

	"rmilter/internal/mail"
	"rmilter/scan"
)

var (
	brokenHeaders  = symbol("BROKEN_HEADERS", 10, "headers", "The header ends too early: fields that belong to it stand in the body.")
	multipleUnique = symbol("MULTIPLE_UNIQUE_HEADERS", 7, "headers", "A field that may stand once in a message stands there several times.")

	emptyDelimiterFrom    = symbol("HEADER_FROM_EMPTY_DELIMITER", 1, "headers", "There is no space behind the colon of the From field.")
	emptyDelimiterTo      = symbol("HEADER_TO_EMPTY_DELIMITER", 1, "headers", "There is no space behind the colon of the To field.")
	emptyDelimiterCc      = symbol("HEADER_CC_EMPTY_DELIMITER", 1, "headers", "There is no space behind the colon of the Cc field.")
	emptyDelimiterReplyTo = symbol("HEADER_REPLYTO_EMPTY_DELIMITER", 1, "headers", "There is no space behind the colon of the Reply-To field.")
	emptyDelimiterDate    = symbol("HEADER_DATE_EMPTY_DELIMITER", 1, "headers", "There is no space behind the colon of the Date field.")
)

// HeaderBroken looks at the shape of the header.
var HeaderBroken = &scan.Spec[struct{}, struct{}]{
	Name: "header_broken",
	Doc:  "The shape of the header: where it ends, fields that stand twice, spaces behind colons.",
	Symbols: []*scan.Symbol{
		brokenHeaders, multipleUnique,
		emptyDelimiterFrom, emptyDelimiterTo, emptyDelimiterCc, emptyDelimiterReplyTo, emptyDelimiterDate,
	},
	New: plain(func(p *scan.Pass) {
		runBrokenHeaders(p)
		runMultipleUnique(p)
		runEmptyDelimiters(p)
	}),
}

// essentialFields are those by which the rest of a header is recognised. Nobody writes
// to it.
var essentialFields = [...]string{"From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"}

// maxStray bounds the search for the rest of the header in the body.
const maxStray = 8192

// runBrokenHeaders finds the rest of a header that a line which is no field cut in
// two. MTAs put an empty line there, so it is the body that tells: it begins with such a
// line, and its first paragraph has two or more of the fields that the header lacks. A
// quoted message has such fields too, but then the header has them as well.
func runBrokenHeaders(p *scan.Pass) {
	m := p.Message
	if m.HeaderCut() {
		p.Report(brokenHeaders, "too large")
		return
	}
	var have, stray [len(essentialFields)]bool
	for _, f := range m.Header() {
		for i, name := range essentialFields {
			have[i] = have[i] || f.Is(name)
		}
	}
	body := m.Body()
	body = body[:min(len(body), maxStray)]
	if beginsWithField(body) {
		return // an empty line too many, as careless programs have it
	}
	var lost []string
	for len(body) > 0 {
		line, rest, _ := bytes.Cut(body, []byte{'\n'})
		line = bytes.TrimSuffix(line, []byte{'\r'})
		if len(line) == 0 {
			break
		}
		for i, name := range essentialFields {
			if len(line) > len(name) && line[len(name)] == ':' && !have[i] && !stray[i] && strings.EqualFold(string(line[:len(name)]), name) {
				stray[i] = true
				lost = append(lost, name)
			}
		}
		body = rest
	}
	if len(lost) > 1 && len(m.Header()) > 0 {
		p.Report(brokenHeaders, lost...)
	}
}

// beginsWithField tells whether a text begins with the name of a field and a colon.
func beginsWithField(text []byte) bool {
	for i, c := range text {
		if c <= ' ' || c >= 0x7f || c == ':' {
			return i > 0 && c == ':'
		}
	}
	return false
}

// A uniqueField is a field that may stand once (RFC 5322, section 3.6; RFC 2045), and
// how bad it is if it doesn't: programs that send to many people double some of them.
type uniqueField struct {
	name     string
	strength float64
}

// uniqueFields are rspamd's. Nobody writes to it.
var uniqueFields = [...]uniqueField{
	{"From", 1}, {"Sender", 1}, {"Reply-To", 1}, {"Content-Type", 1}, {"Content-Transfer-Encoding", 1},
	{"Subject", 0.7}, {"Message-ID", 0.7}, {"In-Reply-To", 0.7}, {"References", 0.3}, {"To", 0.2},
	{"Date", 0.1}, {"Cc", 0.1}, {"Bcc", 0.1},
}

func runMultipleUnique(p *scan.Pass) {
	var seen, twice [len(uniqueFields)]bool
	for _, f := range p.Message.Header() {
		for i := range uniqueFields {
			if f.Is(uniqueFields[i].name) {
				twice[i], seen[i] = twice[i] || seen[i], true
				break
			}
		}
	}
	strength := 0.0
	var names []string
	for i, u := range uniqueFields {
		if twice[i] {
			strength = max(strength, u.strength)
			names = append(names, u.name)
		}
	}
	if names != nil {
		p.ReportScaled(multipleUnique, strength, names...)
	}
}

func runEmptyDelimiters(p *scan.Pass) {
	h := p.Message.Header()
	for _, c := range [...]struct {
		name   string
		symbol *scan.Symbol
	}{
		{"From", emptyDelimiterFrom}, {"To", emptyDelimiterTo}, {"Cc", emptyDelimiterCc},
		{"Reply-To", emptyDelimiterReplyTo}, {"Date", emptyDelimiterDate},
	} {
		if _, found := findField(h, c.name, func(f mail.Field) bool {
			return f.Raw != "" && strings.IndexByte(" \t\r\n", f.Raw[0]) < 0
		}); found {
			p.Report(c.symbol)
		}
	}
}
