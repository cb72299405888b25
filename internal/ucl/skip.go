package ucl

import "strings"

// token returns what stands at the present offset, for a message.
func (p *parser) token() string {
	const longest = 128 // more of it isn't shown, and what follows may be asked for again
	end := max(p.wordWithin(p.off, min(len(p.text), p.off+longest)), p.off+1)
	if p.off >= len(p.text) {
		return "end of the file"
	}
	return p.quote(p.off, p.text[p.off:min(end, len(p.text))])
}

// quote returns a text of the file for a message, unless it may be a password.
func (p *parser) quote(off int, text string) string {
	if p.l.Diagnostics.full(Fault) {
		return "" // nobody will read it
	}
	start := max(p.src.lines[p.pos(off).Line()-1], off-redactLen)
	if p.src.secret(start, off) >= 0 || p.src.secret(off, off+1) >= 0 {
		return "text"
	}
	return quoteFor(text)
}

// skipStatement moves to the end of the statement after a fault: behind a
// semicolon or a block, before a line break or a closing brace.
func (p *parser) skipStatement() {
	from := p.off
	for !p.eof() {
		switch c := p.text[p.off]; c {
		case ';':
			p.off++
			p.l.work += p.off - from
			return
		case '\n', '}':
			p.l.work += p.off - from
			return
		case '{':
			if end := p.braces(p.off); end > 0 && p.off > 0 && (p.text[p.off-1] == '$' || isNameByte(p.text[p.off-1])) {
				p.off = end // within a word, as word has it
				break
			}
			p.l.work += p.off - from
			p.skipBalanced()
			return
		default:
			p.leap()
		}
		p.off++
	}
	p.l.work += p.off - from
}

// closers moves from the end of a line back to the closing braces before it, which
// stand behind a text that isn't closed and end sections around it.
func (p *parser) closers() {
	end, depth := p.off, p.depth
	for i := end; depth > 0 && i > 0 && strings.IndexByte(" \t\r;,}", p.text[i-1]) >= 0; i-- {
		if p.text[i-1] == '}' {
			end = i - 1
			depth--
		}
	}
	p.l.work += p.off - end
	p.off = end
}

// leap moves to the last byte of the quoted text or the comment that begins at the
// present offset, if one does.
func (p *parser) leap() {
	switch p.text[p.off] {
	case '"', '\'':
		if end, _, bad := p.shortQuoted(p.off); !bad {
			p.off = end - 1
		}
	case '#':
		p.off = p.lineEnd(p.off) - 1
	}
}

// skipBalanced moves behind the bracket that closes the one at the present offset.
func (p *parser) skipBalanced() {
	from, depth := p.off, 0
	defer func() { p.l.work += p.off - from }()
	for !p.eof() {
		switch c := p.text[p.off]; c {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth == 0 {
				p.off++
				return
			}
		default:
			p.leap()
		}
		p.off++
	}
}
