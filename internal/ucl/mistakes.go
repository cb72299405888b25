package ucl

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// This file knows what isn't the language: the habits of other languages, the marks of
// editors and tools, and how to go on behind a fault.

// notText is what otherwise says of a file whose lines nobody can read.
const notText = "is not text; expected directives"

// otherwise tells of a file what it is when that isn't a configuration, "" of others.
func otherwise(text string) string {
	const looked = 512
	head := text[:min(len(text), looked)]
	controls, nuls := 0, 0
	for i := range len(head) {
		switch c := head[i]; {
		case c == 0:
			nuls++
		case c < ' ' && strings.IndexByte("\t\n\v\f\r\x1b", c) < 0:
			controls++
		}
	}
	begin := strings.TrimLeft(head, " \t\r\n\ufeff")
	switch {
	case strings.HasPrefix(text, "\xff\xfe"), strings.HasPrefix(text, "\xfe\xff"), nuls > 8 && nuls*5 > len(head)*2 && nuls*5 < len(head)*3:
		return "is in UTF-16; expected UTF-8"
	case nuls+controls > 8:
		return notText
	case strings.HasPrefix(begin, "diff --git ") || strings.HasPrefix(begin, "--- ") && strings.Contains(head, "\n+++ "):
		return "is a patch; expected directives"
	case len(begin) > 2 && begin[0] == '<' && (begin[1] == '!' || begin[1] == '?' || isLetter(begin[1])) && strings.Contains(head, ">"):
		return "is HTML or XML; expected directives"
	case strings.Contains(text, "\r") && !strings.Contains(text, "\n") && strings.Trim(text, "\r") != "" && strings.Count(text, "\r") > 1:
		return "has lines that end with CR; expected LF"
	}
	return ""
}

// foreign tells a mistake at the beginning of a statement and moves behind what belongs
// to it. It is false when there is none that it knows.
func (p *parser) foreign() bool {
	rest := p.text[p.off:]
	switch {
	case strings.HasPrefix(rest, "<!--"):
		p.fault(p.off, "a comment of another language; expected # in place of <!--")
		p.skipLine()
	case p.conflict(), p.angled():
	case p.template(p.off):
		p.skipStatement()
	case rest[0] == '[':
		return p.headed()
	case quoteMark(rest) != "":
		p.fault(p.off, typographic)
		p.skipStatement()
	default:
		return false
	}
	return true
}

const typographic = `a typographic quotation mark; expected "`

// quoteMark returns the mark which the text begins with and which a word processor
// writes for a quotation mark, "" when there is none.
func quoteMark(text string) string {
	for _, mark := range []string{"“", "”", "„", "‟", "‘", "’", "‚", "‛", "«", "»", "‹", "›", "″", "′", "＂", "`", "´"} {
		if strings.HasPrefix(text, mark) {
			return mark
		}
	}
	return ""
}

// invisible returns the length of the character at the beginning of the text which
// looks like a blank or like nothing, 0 when there is none.
func invisible(text string) int {
	if text == "" || text[0] < 0xc2 {
		return 0
	}
	if r, n := utf8.DecodeRuneInString(text); r == 0xa0 || r == 0xad || r >= 0x2000 && r <= 0x200f || r >= 0x2028 && r <= 0x202f || r >= 0x205f && r <= 0x206f || r == 0x3000 || r == 0xfeff {
		return n
	}
	return 0
}

// template tells a place that a template should have filled in.
func (p *parser) template(off int) bool {
	if rest := p.text[off:]; !strings.HasPrefix(rest, "{{") && !strings.HasPrefix(rest, "{%") {
		return false
	}
	p.fault(off, "a template that was not filled in; expected what it stands for")
	return true
}

// conflict skips the mark of a merge conflict with the versions behind the first one.
func (p *parser) conflict() bool {
	if p.off > 0 && p.text[p.off-1] != '\n' {
		return false
	}
	rest := p.text[p.off:]
	switch {
	case strings.HasPrefix(rest, "<<<<<<< "):
		p.merging = true
		p.fault(p.off, "a merge conflict; expected one version without the marks")
	case strings.HasPrefix(rest, "======="), strings.HasPrefix(rest, "|||||||"):
		if !p.merging {
			return false
		}
		p.merging = false
		p.conflictEnd()
	case strings.HasPrefix(rest, ">>>>>>> ") && p.merging:
	default:
		return false
	}
	p.skipLine()
	return true
}

// conflictWithin skips a merge conflict within a value, with all its versions.
func (p *parser) conflictWithin() bool {
	rest := p.text[p.off:]
	if !strings.HasPrefix(rest, "<<<<<<< ") || p.off > 0 && p.text[p.off-1] != '\n' {
		return false
	}
	p.fault(p.off, "a merge conflict; expected one version without the marks")
	p.conflictEnd()
	p.skipLine()
	return true
}

// conflictEnd moves to the mark at the end of a merge conflict, if there is one.
func (p *parser) conflictEnd() {
	if p.unended {
		return
	}
	end := strings.Index(p.text[p.off:], "\n>>>>>>> ")
	if end < 0 {
		p.unended = true // nor is there one for a later conflict
		end = -1
	}
	p.l.work += end + 1
	p.off += end + 1
}

// unpaired tells about a closing brace at the top level.
func (p *parser) unpaired() {
	if p.extra > 0 {
		p.extra-- // its opening one was told
	} else {
		p.fault(p.off, "a } which closes nothing; expected a directive")
	}
	p.off++
}

// headed skips a section in the manner of INI files: its name in brackets, and what
// follows up to the next one.
func (p *parser) headed() bool {
	const longest = 64
	line, _, _ := strings.Cut(p.text[p.off:min(len(p.text), p.off+longest)], "\n")
	inside, after, ok := strings.Cut(strings.TrimPrefix(line[1:], "["), "]")
	p.l.work += len(line)
	if after = strings.TrimSpace(strings.TrimPrefix(after, "]")); !ok || !nameLike(inside) || after != "" && after[0] != '#' {
		return false
	}
	p.fault(p.off, "a section with its name in brackets; expected %s { }", inside)
	for p.skipLine(); p.depth == 0 && !p.eof() && p.text[p.off+1:min(len(p.text), p.off+2)] != "["; {
		p.off++
		p.skipLine()
	}
	return true
}

// angled skips a section in the manner of Apache: its name in angle brackets, what is
// indented below it, and its end.
func (p *parser) angled() bool {
	const longest = 64
	if p.peek() != '<' {
		return false
	}
	inside, _, ok := strings.Cut(p.text[p.off+1:min(len(p.text), p.off+longest)], ">")
	if p.l.work += len(inside); !ok || !nameLike(inside) {
		return false
	}
	start := p.off
	p.fault(start, "a section with its name in angle brackets; expected %s { }", inside)
	p.skipLine()
	p.skipIndented(start, false)
	if p.blanks(); strings.HasPrefix(p.text[p.off:], "</") {
		p.skipLine()
	}
	return true
}

// nameLike tells whether a text can be meant as the name of a directive.
func nameLike(text string) bool {
	for i := range len(text) {
		if !isNameByte(text[i]) && text[i] != ' ' {
			return false
		}
	}
	return text != "" && isLetter(text[0])
}

const strayItem = "unexpected %s; expected a directive, or a comma before it where a list goes on"

// unsaid tells that a directive has no value, or an item of a list is on its own. When
// what follows is indented it is skipped: it belongs to a section without its brace.
func (p *parser) unsaid(d *Directive, start, end int, newline bool) {
	if secretName(d.glued) {
		p.fault(start, behindSecret, d.glued)
		return
	}
	if p.src.secret(start, start+1) >= 0 {
		p.fault(start, "unexpected text within a password; expected quotes around all of it")
		return
	}
	if !nameLike(d.Name) {
		p.fault(start, strayItem, p.quote(start, d.Name))
		return
	}
	name := p.quote(start, d.Name)
	p.fault(start, "%s has no value; expected %s = VALUE or %s { }", name, d.Name, d.Name)
	if !newline || !p.startsDirective(false, false) {
		return
	}
	if _, deeper := p.below(end); deeper {
		p.off = p.lineEnd(end)
		p.skipIndented(start, false)
		if p.blanks(); p.peek() == '}' {
			p.off++
		}
	}
}

// unopened tells about a section with another bracket than a brace, or with a key and
// none, and skips what is indented below it. There is no sign at the present offset.
func (p *parser) unopened(d *Directive, start int) bool {
	c, end := p.peek(), p.off+1
	switch c {
	case '(', '[':
	case '"', '\'':
		var bad bool
		if end, _, bad = p.shortQuoted(p.off); bad {
			return false
		}
	default:
		return false
	}
	if c := p.at(p.spaces(end)); c != '\n' && c != '\r' {
		return false
	}
	if next, deeper := p.below(end); !deeper || !p.directiveLine(next) {
		return false
	}
	if c == '(' || c == '[' {
		p.fault(p.off, "unexpected %s; expected {", quoteFor(string(c)))
	} else {
		p.fault(end, "a section without its brace; expected %s %s { }", d.Name, p.quote(p.off, p.text[p.off+1:end-1]))
	}
	p.off = p.lineEnd(end)
	p.skipIndented(start, false)
	if p.blanks(); p.peek() == '}' || p.peek() == ')' || p.peek() == ']' {
		p.off++
	}
	return true
}

// yaml tells whether the content of a directive is indented below it as in YAML, and
// skips it.
func (p *parser) yaml(d *Directive, start int) bool {
	if i := p.spaces(p.off); i < len(p.text) && strings.IndexByte("\r\n#", p.text[i]) < 0 {
		return false
	}
	end := p.lineEnd(p.off)
	defer func(off int) { p.l.work += end - off }(p.off)
	i, deeper := p.below(end)
	word := p.name(i)
	switch {
	case p.at(i) == '-' && (p.at(i+1) == ' ' || p.at(i+1) == '\n'):
		p.fault(start, "%s has a list below it as in YAML; expected %s = [A, B]", p.quote(start, d.Name), d.Name)
	case deeper && word > i && p.at(word) == ':' && strings.IndexByte(" \r\n", p.at(word+1)) >= 0:
		p.fault(start, "%s has its content below it as in YAML; expected %s { }", p.quote(start, d.Name), d.Name)
	default:
		return false
	}
	p.off = end
	p.skipIndented(start, true)
	return true
}

// indent returns how many blanks the line of an offset begins with.
func (p *parser) indent(off int) int {
	line := p.src.lines[p.pos(off).Line()-1]
	return min(p.spaces(line), off) - line
}

// below returns where the text goes on below the line of an offset, and whether it is
// indented deeper there.
func (p *parser) below(off int) (next int, deeper bool) {
	next = p.white(p.lineEnd(off))
	return next, next < len(p.text) && p.indent(next) > p.indent(off)
}

// skipIndented moves from the end of a line behind those below it that are indented
// deeper than the line of start; with dashes also behind those that begin with a dash
// at the same depth.
func (p *parser) skipIndented(start int, dashes bool) {
	from, depth := p.off, p.indent(start)
	for !p.eof() {
		next := p.spaces(p.off + 1)
		deep := next-p.off-1 > depth || dashes && next-p.off-1 == depth && p.at(next) == '-'
		if c := p.at(next); !deep && next < len(p.text) && c != '\n' && c != '\r' {
			break
		}
		p.off = p.lineEnd(min(p.off+1, len(p.text)))
	}
	p.l.work += p.off - from
}

// values tells about values in braces, which are no section: the brace is at the
// present offset.
func (p *parser) values(d *Directive) bool {
	i := p.white(p.off + 1)
	end := p.name(i)
	if c := p.at(i); c == '"' || c == '\'' {
		var bad bool
		if end, _, bad = p.shortQuoted(i); bad {
			return false
		}
	} else if end == i || nameLike(p.text[i:end]) || p.text[i] == '.' {
		return false
	}
	if c := p.at(p.white(end)); c != ';' && c != '}' {
		return false
	}
	p.fault(i, "a value in braces; expected %s = VALUE, or %s = A, B for a list", d.Name, d.Name)
	p.skipBalanced()
	return true
}

// sign tells about an operator which the language doesn't have. The equals sign is at
// the offset given or behind it.
func (p *parser) sign(off int, words []wordAt) bool {
	if n := len(words); n > 1 && slices.Contains([]string{"-", "*", "?", ".", "|", "<", "!", "~", "^", "+"}, words[n-1].text) {
		off = words[n-1].start
	}
	end := off
	for end < len(p.text) && end < off+3 && strings.IndexByte("=:><~+-*?.|!^", p.text[end]) >= 0 {
		end++
	}
	op := p.text[off:end]
	if len(op) < 2 || strings.HasPrefix(op, "+=") && op != "+==" || op[0] == '=' && strings.IndexByte("=>~+", op[1]) < 0 || strings.IndexByte(op, '=') < 0 {
		return false
	}
	p.fault(off, "unexpected %s; expected = or +=", quoteFor(op))
	p.off = end
	p.skipStatement()
	return true
}

// skipLine moves to the end of the line.
func (p *parser) skipLine() {
	end := p.lineEnd(p.off)
	p.l.work += end - p.off
	p.off = end
}

// encoding warns of a text in another encoding, once for each file.
func (p *parser) encoding(n *Node) {
	if !p.encoded && !utf8.ValidString(n.Text) {
		p.encoded = true
		p.l.Diagnostics.Add(Warning, n.Pos, "a text that is not in UTF-8; expected UTF-8")
	}
}
