package ucl

import (
	"errors"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// maxPriority is the highest priority of an include, as in libucl.
const maxPriority = 15

// An include is the meaning of one .include line.
type include struct {
	path     string
	try      bool // nothing is wrong when the file is missing
	priority int
}

// macro reads a line that begins with a dot.
func (p *parser) macro(b *Block) {
	start := p.off
	p.off++
	for isNameByte(p.peek()) {
		p.off++
	}
	name := p.text[start:p.off]
	p.l.work += len(name)
	inc := include{try: name == ".try_include", priority: p.priority}
	switch name {
	case ".include", ".try_include", ".includes":
	case ".priority":
		p.setPriority(start)
		return
	default:
		p.fault(start, "unknown macro %s; expected .include or .try_include", quoteFor(name))
		p.skipStatement()
		return
	}
	p.off = p.spaces(p.off)
	if p.peek() == '(' && !p.includeArgs(&inc) {
		p.skipStatement()
		return
	}
	p.off = p.spaces(p.off)
	if c := p.peek(); c == '=' || c == ':' {
		p.fault(p.off, "unexpected %s after %s; expected the path of a file", p.token(), name)
		p.skipStatement()
		return
	}
	if !p.includePath(&inc) {
		return
	}
	if inc.path == "" && !p.l.stopped {
		p.fault(start, "%s has no path; expected the name of a file", name)
		p.skipStatement()
		return
	}
	p.off = p.spaces(p.off)
	if c := p.peek(); c != 0 && strings.IndexByte("\r\n;#}", c) < 0 && !p.startsDirective(false, false) {
		p.fault(p.off, "unexpected %s after the path; expected a new line, or quotes around a path with blanks", p.token())
		p.skipStatement()
		return
	}
	if p.peek() == ';' {
		p.off++
	}
	p.include(b, inc, start)
}

// setPriority reads the number after .priority, which counts for the rest of the file.
func (p *parser) setPriority(start int) {
	p.off = p.spaces(p.off)
	arg := p.text[p.off:p.word(p.off)]
	p.off += len(arg)
	n, err := strconv.ParseUint(strings.Trim(arg, `"'`), 10, 8)
	if err != nil || n > maxPriority {
		p.fault(start, "%s is no priority; expected .priority with 0 to %d", quoteFor(arg), maxPriority)
		p.skipStatement()
		return
	}
	p.priority = int(n)
}

// includeArgs reads (try=true,priority=1) at the present offset.
func (p *parser) includeArgs(inc *include) bool {
	const longest = 256
	open := p.off
	line, _, _ := strings.Cut(p.text[open:min(len(p.text), open+longest)], "\n")
	end := strings.IndexByte(line, ')')
	p.l.work += len(line)
	if end < 0 {
		p.fault(open, "the arguments of .include are not closed; expected ) on the line")
		return false
	}
	p.off = open + end + 1
	for _, arg := range strings.FieldsFunc(p.text[open+1:open+end], func(r rune) bool { return r == ',' || r == ';' }) {
		name, value, _ := strings.Cut(strings.TrimSpace(arg), "=")
		name, value = strings.TrimSpace(name), strings.Trim(strings.TrimSpace(value), `"'`)
		ok := true
		switch name {
		case "try":
			var f Flag
			ok = f.Set(TextNode(value), false) == nil
			inc.try = bool(f)
		case "priority":
			n, err := strconv.Atoi(value)
			ok = err == nil && n >= 0 && n <= maxPriority
			inc.priority = n
		case "duplicate", "glob": // blocks always merge, patterns always work
		default:
			p.fault(open, "unknown argument %s of .include; expected try or priority", quoteFor(name))
			return false
		}
		if !ok {
			p.fault(open, "%s is no value for %s; expected try=true or false, or priority=0 to 15", quoteFor(value), quoteFor(name))
			return false
		}
	}
	return true
}

// includePath reads the path at the present offset.
func (p *parser) includePath(inc *include) bool {
	if c := p.peek(); c == '"' || c == '\'' {
		end, text, bad := p.shortQuoted(p.off)
		if bad {
			p.fault(p.off, "a path that is not closed; expected %c at its end", c)
			p.off = end
			return false
		}
		p.off, inc.path = end, text
		return true
	}
	end := p.off
	for end < len(p.text) && strings.IndexByte(" \t\r\n;", p.text[end]) < 0 {
		end++
	}
	p.l.work += end - p.off
	inc.path = p.l.expand(p.text[p.off:end], false)
	p.off = end
	return true
}

// include reads what an .include names into b.
func (p *parser) include(b *Block, inc include, start int) {
	b.Includes = append(b.Includes, inc.path)
	name := inc.path
	switch {
	case strings.Contains(name, "://"):
		p.fault(start, "cannot include %s from the network; expected the path of a file", quoteFor(name))
		return
	case len(p.stack) > maxIncludes:
		p.fault(start, "cannot include %s: includes are nested too deep; expected at most %d levels", quoteFor(name), maxIncludes)
		return
	case !strings.HasPrefix(name, "/"):
		name = path.Join(path.Dir(p.src.name), name)
	}
	name = path.Clean(name)
	if len(name) > maxPath {
		p.fault(start, "cannot include %s: expected a path of at most %d bytes", quoteFor(name), maxPath)
		return
	}
	if isPattern(name) {
		if _, err := path.Match(name, ""); err != nil {
			p.fault(start, "cannot include %s: it is not a valid pattern", quoteFor(name))
			return
		}
		found, err := p.l.glob(name)
		if err != nil {
			p.cannotInclude(name, inc, start, err)
		}
		for _, name := range found {
			p.includeFile(b, name, inc, start)
		}
		return
	}
	p.includeFile(b, name, inc, start)
}

func (p *parser) includeFile(b *Block, name string, inc include, start int) {
	err := p.l.readFile(b, name, p.stack, inc.priority)
	missing := errors.Is(err, fs.ErrNotExist)
	if err == nil || missing && inc.try {
		return
	}
	if text, ok := p.l.Builtin[path.Base(name)]; ok && missing {
		name = "built-in " + path.Base(name)
		p.l.parse(b, &source{name: name, text: text}, append(p.stack[:len(p.stack):len(p.stack)], file{name: name}), inc.priority)
		return
	}
	p.cannotInclude(name, inc, start, err)
}

// cannotInclude tells why something was not included.
func (p *parser) cannotInclude(name string, inc include, start int, err error) {
	if inc.try {
		p.l.Diagnostics.Add(Warning, p.pos(start), "cannot include %s: %s", quoteFor(name), reason(err))
		return
	}
	p.fault(start, "cannot include %s: %s", quoteFor(name), reason(err))
}
