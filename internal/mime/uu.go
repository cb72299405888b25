package mime

import "bytes"

// A UUFile is a uuencoded file inside text.
type UUFile struct {
	Name       string // as it stands in the "begin" line
	Begin, End int    // where it is in the text, from "begin" to behind the line of "end"
	Data       int    // where its first data line begins
}

// FindUU finds the first uuencoded file in text at or behind from. A file begins with
// a line "begin 644 name" followed by a line of data; where "end" is missing it
// reaches to the last line that can be data.
func FindUU(text []byte, from int) (f UUFile, ok bool) {
	for pos := from; pos < len(text); {
		i := bytes.Index(text[pos:], []byte("begin "))
		if i < 0 {
			return f, false
		}
		i += pos
		pos = i + 6
		if i > 0 && text[i-1] != '\n' {
			continue
		}
		end, next := line(text, i)
		name, ok := uuName(text[i:end])
		if !ok || !isUULine(nextLine(text, next)) {
			continue
		}
		return UUFile{Name: name, Begin: i, Data: next, End: uuEnd(text, next)}, true
	}
	return f, false
}

// uuName reads "begin 644 name".
func uuName(s []byte) (name string, ok bool) {
	s = s[len("begin "):]
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '7' {
		n++
	}
	if n < 3 || n > 5 || n == len(s) || s[n] != ' ' {
		return "", false
	}
	name = string(bytes.TrimSpace(s[n:]))
	return name, name != ""
}

// uuEnd returns where the file whose data begin at pos ends.
func uuEnd(text []byte, pos int) int {
	for pos < len(text) {
		end, next := line(text, pos)
		s := text[pos:end]
		if string(bytes.TrimRight(s, " \t")) == "end" {
			return next
		}
		if !isUULine(s) && len(bytes.TrimSpace(s)) > 0 {
			return pos
		}
		pos = next
	}
	return pos
}

// isUULine tells whether a line can be uuencoded data: as long as its first character
// says, or a little longer for the checksums that some programs add.
func isUULine(s []byte) bool {
	if len(s) == 0 || s[0] < ' ' || s[0] > '`' {
		return false
	}
	n := (int(s[0]-' ')&63 + 2) / 3 * 4
	if len(s)-1 > n+2 {
		return false
	}
	// Trailing spaces are zeros that may have been trimmed.
	for _, c := range s[1:] {
		if c < ' ' || c > '`' {
			return false
		}
	}
	return n == 0 || len(s) > 1
}

// AppendUU appends the bytes of uuencoded lines. A line "begin …" is passed over, a
// line "end" ends the data. bad counts lines that are no data; they are passed over.
// Lines whose trailing spaces were cut off are filled up, but never beyond the length
// of src.
func AppendUU(dst, src []byte) (out []byte, bad int) {
	most := len(dst) + len(src)
	for pos := 0; pos < len(src); {
		end, next := line(src, pos)
		s := src[pos:end]
		pos = next
		switch {
		case len(s) == 0 || s[0] == 'b' && bytes.HasPrefix(s, []byte("begin ")):
		case s[0] == 'e' && string(bytes.TrimRight(s, " \t")) == "end":
			return dst, bad
		case !isUULine(s):
			if len(bytes.TrimSpace(s)) > 0 {
				bad++
			}
		default:
			if dst = appendUULine(dst, s); len(dst) > most {
				return dst[:most], bad + 1
			}
		}
	}
	return dst, bad
}

func appendUULine(dst, s []byte) []byte {
	n := int(s[0]-' ') & 63
	for s = s[1:]; n > 0 && len(s) >= 4; s = s[4:] {
		v := uint32(s[0]-' ')&63<<18 | uint32(s[1]-' ')&63<<12 | uint32(s[2]-' ')&63<<6 | uint32(s[3]-' ')&63
		dst = append(dst, []byte{byte(v >> 16), byte(v >> 8), byte(v)}[:min(n, 3)]...)
		n -= 3
	}
	if n <= 0 {
		return dst
	}
	var rest [64]byte // zeros where spaces were cut off
	v := uint32(0)
	for i := range 4 {
		v <<= 6
		if i < len(s) {
			v |= uint32(s[i]-' ') & 63
		}
	}
	rest[0], rest[1], rest[2] = byte(v>>16), byte(v>>8), byte(v)
	return append(dst, rest[:n]...)
}

// line returns the end of the line that begins at pos, without its line break, and
// the beginning of the next.
func line(s []byte, pos int) (end, next int) {
	n := bytes.IndexByte(s[pos:], '\n')
	if n < 0 {
		end, next = len(s), len(s)
	} else {
		end, next = pos+n, pos+n+1
	}
	if end > pos && s[end-1] == '\r' {
		end--
	}
	return end, next
}

// nextLine returns the line that begins at pos.
func nextLine(s []byte, pos int) []byte {
	end, _ := line(s, pos)
	return s[pos:end]
}
