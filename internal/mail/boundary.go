package mail

import (
	"bytes"
	"slices"
	"strings"
)

// maxBoundaries is how many readings of the boundary of one multipart there may be.
const maxBoundaries = 8

// A delimiter is a line that is the boundary of an open multipart, or the end.
type delimiter struct {
	at    int // where the line begins
	next  int // where the next one begins
	level int // index of the multipart, -1 at the end
	final bool
}

// find returns the first delimiter at or behind the line that begins at pos.
func (w *walker) find(pos int) delimiter {
	none := delimiter{at: w.end, next: w.end, level: -1}
	if len(w.open) == 0 {
		return none
	}
	for pos < w.end {
		if !bytes.HasPrefix(w.src[pos:w.end], []byte("--")) {
			i := bytes.Index(w.src[pos:w.end], []byte("\n--"))
			if i < 0 {
				return none
			}
			pos += i + 1
		}
		pos += 2
		if w.empty == 0 && (pos == w.end || w.begins[w.src[pos]] == 0) {
			continue
		}
		d := w.delimiterAt(pos - 2)
		if d.level >= 0 {
			return d
		}
		pos = max(d.next-1, pos)
	}
	return none
}

// skipBlank returns where the first line at or behind pos is that isn't empty.
func (w *walker) skipBlank(pos int) int {
	for pos < w.end {
		end, next := lineAt(w.src[:w.end], pos)
		if len(bytes.TrimSpace(w.src[pos:end])) > 0 {
			break
		}
		pos = next
	}
	return pos
}

// delimiterAt returns the delimiter that the line at pos is; its level is -1 if it is
// none.
func (w *walker) delimiterAt(pos int) delimiter {
	end, next := lineAt(w.src[:w.end], pos)
	level, final := w.match(w.src[pos:end])
	return delimiter{pos, next, level, final}
}

// match returns the innermost open multipart whose boundary a line is, -1 if none.
// Those that are closed come last: their boundary may begin that of one around them.
func (w *walker) match(line []byte) (level int, final bool) {
	if len(line) < 2 || line[0] != '-' || line[1] != '-' {
		return -1, false
	}
	line = line[2:]
	for len(line) > 0 && (line[len(line)-1] == ' ' || line[len(line)-1] == '\t' || line[len(line)-1] == '\r') {
		line = line[:len(line)-1]
	}
	if w.empty == 0 && (len(line) == 0 || w.begins[line[0]] == 0) {
		return -1, false
	}
	if i := w.level(line, false); i >= 0 {
		return i, false
	}
	if rest, ok := bytes.CutSuffix(line, []byte("--")); ok {
		if i := w.level(rest, false); i >= 0 {
			return i, true
		}
	}
	if i := w.level(line, true); i >= 0 {
		return i, false
	}
	rest, ok := bytes.CutSuffix(line, []byte("--"))
	if !ok {
		return -1, false
	}
	return w.level(rest, true), true
}

// level returns the innermost multipart, closed or not, with this boundary.
func (w *walker) level(boundary []byte, closed bool) int {
	for i := len(w.open) - 1; i >= 0; i-- {
		if w.open[i].closed != closed {
			continue
		}
		for _, b := range w.open[i].bounds {
			w.steps++
			if string(boundary) == b {
				return i
			}
		}
	}
	return -1
}

// count keeps account of how boundaries begin, so that most lines need no comparison.
func (w *walker) count(bounds []string, n uint16) {
	for _, b := range bounds {
		if b == "" {
			w.empty += int(int16(n))
		} else {
			w.begins[b[0]] += n
		}
	}
}

// guessBoundary finds a line that begins with "--" and is followed by a field of MIME.
func guessBoundary(body []byte) string {
	for pos := 0; pos < len(body); {
		if !bytes.HasPrefix(body[pos:], []byte("--")) {
			i := bytes.Index(body[pos:], []byte("\n--"))
			if i < 0 {
				return ""
			}
			pos += i + 1
		}
		end, next := lineAt(body, pos)
		if next == len(body) || body[next]|0x20 != 'c' {
			pos = max(next-1, pos+2)
			continue
		}
		line := bytes.TrimRight(body[pos+2:end], " \t")
		if len(line) > 0 && len(line) <= 200 && hasPrefixFold(string(body[next:min(len(body), next+8)]), "content-") {
			return string(line)
		}
		pos = next - 1
	}
	return ""
}

// boundaries returns the readings of a multipart's boundary: of all its Content-Type
// fields, of each as programs differ.
func (p *Part) boundaries() []string {
	var all []string
	for _, f := range p.types {
		for _, b := range f.all("boundary") {
			for _, b := range [...]string{strings.TrimRight(b, " \t"), strings.Trim(b, " \t'\"")} {
				if !slices.Contains(all, b) && len(all) < maxBoundaries {
					all = append(all, b)
				}
			}
		}
		if v, ok := f.get("boundary"); ok && v == "" && !slices.Contains(all, "") {
			all = append(all, "")
		}
	}
	return all
}
