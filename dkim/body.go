package dkim

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"slices"
)

// A bodyHasher makes a body canonical, as it comes, in each way that is asked for, and
// hashes each once. Its zero value hashes nothing.
type bodyHasher struct {
	fix  *crlfMaker
	ways [canons]*bodyWay
}

// want asks for a hash of a canonical body up to a length, or of all of it when the
// length is negative. It must not be called after the first write.
func (b *bodyHasher) want(c Canon, length int64) {
	if b.ways[c] == nil {
		m := &meter{hash: sha256.New()}
		b.ways[c] = &bodyWay{meter: m, tail: tail{to: m}}
		if c == Relaxed {
			b.ways[c].words = &reducer{to: &b.ways[c].tail}
		}
	}
	if length >= 0 {
		b.ways[c].meter.mark(length)
	}
}

func (b *bodyHasher) write(p []byte) {
	if b.fix != nil {
		b.fix.write(p, b.pass)
		return
	}
	b.pass(p)
}

// pass gives bytes whose line ends are mended to each way.
func (b *bodyHasher) pass(p []byte) {
	for _, w := range b.ways {
		switch {
		case w == nil:
		case w.words != nil:
			w.words.write(p)
		default:
			w.tail.write(p)
		}
	}
}

// close ends the body. It must be called once, after the last write.
func (b *bodyHasher) close() {
	if b.fix != nil {
		b.fix.flush(b.pass)
	}
	for _, w := range b.ways {
		if w == nil {
			continue
		}
		if w.words != nil {
			w.words.close()
		}
		w.tail.close(w.words == nil)
		w.meter.hash.Sum(w.meter.total[:0])
	}
}

// A bodyWay is one canonicalization of the body and its hashes.
type bodyWay struct {
	words *reducer // relaxed only
	tail  tail
	meter *meter
}

// A meter hashes and counts, and knows the hashes at marked lengths.
type meter struct {
	hash  hash.Hash
	n     int64
	marks []int64 // sorted, ahead of n or at it
	sums  map[int64][sha256.Size]byte
	total [sha256.Size]byte
}

func (m *meter) mark(length int64) {
	at, found := slices.BinarySearch(m.marks, length)
	if !found {
		m.marks = slices.Insert(m.marks, at, length)
	}
	if m.sums == nil {
		m.sums = map[int64][sha256.Size]byte{}
	}
	if length == 0 {
		m.sums[0] = sha256.Sum256(nil)
	}
}

func (m *meter) write(p []byte) {
	for len(m.marks) > 0 && m.marks[0]-m.n <= int64(len(p)) {
		k := m.marks[0] - m.n
		m.hash.Write(p[:k])
		p, m.n = p[k:], m.n+k
		m.sums[m.n] = [sha256.Size]byte(m.hash.Sum(nil))
		m.marks = m.marks[1:]
	}
	m.hash.Write(p)
	m.n += int64(len(p))
}

// crlfs is a block to write many line ends from. Nobody writes to it.
var crlfs = bytes.Repeat([]byte("\r\n"), 512)

// spaceCR is what white space within a line becomes, and a CR that is no line's end.
// Nobody writes to it.
var spaceCR = []byte(" \r")

// A tail holds line ends back until something follows them, since those at the end of a
// body don't count (RFC 6376, sections 3.4.3 and 3.4.4).
type tail struct {
	to   *meter
	held int64 // CRLFs
	cr   bool  // and a CR, whose LF may follow
	any  bool  // something was written
}

func (t *tail) write(p []byte) {
	if len(p) == 0 {
		return
	}
	if t.cr {
		t.cr = false
		if p[0] == '\n' {
			t.held++
			p = p[1:]
		} else {
			t.release()
			t.to.write(crlfs[:1])
		}
	}
	end, held := len(p), int64(0)
	if end > 0 && p[end-1] == '\r' {
		t.cr = true
		end--
	}
	for end >= 2 && p[end-1] == '\n' && p[end-2] == '\r' {
		end -= 2
		held++
	}
	if end > 0 {
		t.release()
		t.to.write(p[:end])
	}
	t.held += held
}

// release writes the line ends held.
func (t *tail) release() {
	t.any = true
	for n := t.held * 2; n > 0; {
		k := min(n, int64(len(crlfs)))
		t.to.write(crlfs[:k])
		n -= k
	}
	t.held = 0
}

// close ends the body with one CRLF. A relaxed body that is empty stays so.
func (t *tail) close(simple bool) {
	if t.cr {
		t.release()
		t.to.write(crlfs[:1])
	}
	if simple || t.any {
		t.to.write(crlfs[:2])
	}
}

// A reducer makes one space of white space within lines and removes it at their ends
// (RFC 6376, section 3.4.4). What needs no change passes in blocks: only tabs, double
// spaces and spaces before a CR are stopped at.
type reducer struct {
	to    *tail
	space bool // white space came that isn't written yet
	cr    bool // and a CR after it, whose LF may follow
	n     int  // bytes in buf
	buf   [4096]byte
}

func (r *reducer) write(p []byte) {
	s := stops{p: p, tab: -1, double: -1, end: -1}
	for i := 0; i < len(p); {
		if r.space {
			i = r.after(p, i)
			continue
		}
		stop := s.next(i)
		r.emit(p[i:stop])
		if stop < len(p) {
			r.space = true
			stop++
		}
		i = stop
	}
}

// after looks at what follows white space, and returns how far it came.
func (r *reducer) after(p []byte, i int) int {
	if r.cr {
		r.space, r.cr = false, false
		if p[i] == '\n' {
			r.emit(crlfs[:2])
			return i + 1
		}
		r.emit(spaceCR)
		return i
	}
	for i < len(p) && (p[i] == ' ' || p[i] == '\t') {
		i++
	}
	switch {
	case i == len(p):
	case p[i] == '\r':
		r.cr = true
		i++
	default:
		r.emit(spaceCR[:1])
		r.space = false
	}
	return i
}

// emit collects small pieces.
func (r *reducer) emit(p []byte) {
	if len(p) > len(r.buf)-r.n {
		r.flush()
		if len(p) >= len(r.buf)/2 {
			r.to.write(p)
			return
		}
	}
	r.n += copy(r.buf[r.n:], p)
}

func (r *reducer) flush() {
	r.to.write(r.buf[:r.n])
	r.n = 0
}

// close ends the last line, whose white space goes unless a bare CR follows it.
func (r *reducer) close() {
	if r.cr {
		r.emit(spaceCR)
	}
	r.flush()
}

// stops finds the white space of a block that may have to change. Each place is
// searched for once.
type stops struct {
	p                []byte
	tab, double, end int // the next places, less than the position when unknown
}

// next returns the first stop at or after a place, len(p) when there is none. A space
// that ends the block is one: nobody knows what follows it.
func (s *stops) next(i int) int {
	if s.tab < i {
		s.tab = orLen(bytes.IndexByte(s.p[i:], '\t'), i, len(s.p))
	}
	if s.double < i {
		s.double = orLen(bytes.Index(s.p[i:], []byte("  ")), i, len(s.p))
	}
	if s.end < i {
		s.end = orLen(bytes.Index(s.p[i:], []byte(" \r")), i, len(s.p))
	}
	stop := min(s.tab, s.double, s.end)
	if stop == s.tab && stop > i && s.p[stop-1] == ' ' {
		return stop - 1
	}
	if last := len(s.p) - 1; stop > last && s.p[last] == ' ' {
		return last
	}
	return stop
}

// orLen makes an index relative to a place absolute, and one of nothing the length.
func orLen(k, at, length int) int {
	if k < 0 {
		return length
	}
	return at + k
}

// A crlfMaker makes CRLF of bare LF.
type crlfMaker struct {
	cr  bool // the last byte was a CR
	n   int
	buf [16 << 10]byte
}

func (c *crlfMaker) write(p []byte, to func([]byte)) {
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		line := p[:orLen(i, 0, len(p))]
		c.add(line, to)
		if len(line) > 0 {
			c.cr = line[len(line)-1] == '\r'
		}
		p = p[len(line):]
		if i < 0 {
			return
		}
		if !c.cr {
			c.add(crlfs[:1], to)
		}
		c.add(crlfs[1:2], to)
		c.cr, p = false, p[1:]
	}
}

func (c *crlfMaker) add(p []byte, to func([]byte)) {
	if len(p) > len(c.buf)-c.n {
		c.flush(to)
		if len(p) > len(c.buf) {
			to(p)
			return
		}
	}
	c.n += copy(c.buf[c.n:], p)
}

func (c *crlfMaker) flush(to func([]byte)) {
	to(c.buf[:c.n])
	c.n = 0
}
