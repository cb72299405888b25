package htmltext

import "strings"

// A colour is red, green and blue; clear means that nothing is painted.
type colour struct {
	r, g, b byte
	clear   bool
}

// near tells whether the eye can't tell two colours apart.
func (c colour) near(d colour) bool {
	return apart(c.r, d.r) <= 16 && apart(c.g, d.g) <= 16 && apart(c.b, d.b) <= 16
}

func apart(a, b byte) byte { return max(a, b) - min(a, b) }

var (
	white = colour{r: 255, g: 255, b: 255}
	blue  = colour{b: 238} // of links
)

// background takes a value of background, background-color or background-image.
func (s *style) background(value string) property {
	if strings.Contains(value, "url(") || strings.Contains(value, "gradient(") {
		return pImage
	}
	for n := 0; value != "" && n < 8; n++ {
		word := value
		if i := strings.IndexByte(value, ' '); i >= 0 && !strings.Contains(value[:i], "(") {
			word, value = value[:i], strings.TrimLeft(value[i:], " ")
		} else {
			value = ""
		}
		if c, ok := parseColour(word, false); ok {
			s.back = c
			return pBackground
		}
	}
	return 0
}

// parseColour reads "#fff", "#ffffff", "rgb(255, 255, 255)", "hsl(…)", "white" and,
// of an attribute, what the rules for legacy colours make of anything (HTML standard,
// section 2.3.6).
func parseColour(s string, legacy bool) (c colour, ok bool) {
	s = strings.Trim(s, cssSpace)
	switch {
	case s == "" || len(s) > 128:
		return c, false
	case s == "transparent":
		return colour{clear: true}, !legacy
	case strings.HasPrefix(s, "rgb") || strings.HasPrefix(s, "hsl"):
		if c, ok = functionColour(s); ok || !legacy {
			return c, ok
		}
	}
	if s[0] == '#' {
		if c, ok := hexColour(s[1:]); ok {
			return c, true
		}
	} else if v, ok := colourNames[s]; ok {
		return colour{r: byte(v >> 16), g: byte(v >> 8), b: byte(v)}, true
	}
	if legacy {
		return legacyColour(s), true
	}
	return c, false
}

// hexColour reads 3, 4, 6 or 8 digits.
func hexColour(s string) (c colour, ok bool) {
	for i := range len(s) {
		if unhex(s[i]) > 15 {
			return c, false
		}
	}
	switch len(s) {
	case 3, 4:
		c = colour{r: unhex(s[0]) * 17, g: unhex(s[1]) * 17, b: unhex(s[2]) * 17}
		c.clear = len(s) == 4 && unhex(s[3]) == 0
	case 6, 8:
		c = colour{r: hexByte(s), g: hexByte(s[2:]), b: hexByte(s[4:])}
		c.clear = len(s) == 8 && hexByte(s[6:]) <= 12
	default:
		return c, false
	}
	return c, true
}

func hexByte(s string) byte { return unhex(s[0])<<4 | unhex(s[1]) }

// legacyColour never fails: what is no digit is 0, and the text is cut in three.
func legacyColour(s string) colour {
	b := []byte(strings.TrimPrefix(s, "#"))
	for i := range b {
		if unhex(b[i]) > 15 {
			b[i] = '0'
		}
	}
	for len(b) == 0 || len(b)%3 != 0 {
		b = append(b, '0')
	}
	n := len(b) / 3
	part := [3]string{string(b[:n]), string(b[n : 2*n]), string(b[2*n:])}
	for i := range part {
		if len(part[i]) > 8 {
			part[i] = part[i][len(part[i])-8:]
		}
	}
	for len(part[0]) > 2 && part[0][0] == '0' && part[1][0] == '0' && part[2][0] == '0' {
		part[0], part[1], part[2] = part[0][1:], part[1][1:], part[2][1:]
	}
	value := func(s string) byte {
		if len(s) < 2 {
			return unhex(s[0])
		}
		return hexByte(s)
	}
	return colour{r: value(part[0]), g: value(part[1]), b: value(part[2])}
}

// functionColour reads rgb(), rgba(), hsl() and hsla().
func functionColour(s string) (c colour, ok bool) {
	name, rest, ok := strings.Cut(s, "(")
	if !ok {
		return c, false
	}
	args := strings.FieldsFunc(rest, func(r rune) bool { return r == ',' || r == ' ' || r == '/' || r == ')' })
	if len(args) < 3 {
		return c, false
	}
	var v [4]length
	for i := range args[:min(len(args), 4)] {
		if v[i], ok = parseLength(args[i]); !ok {
			return c, false
		}
	}
	if strings.HasPrefix(name, "hsl") {
		c = fromHSL(v[0].n, v[1].n/100, v[2].n/100)
	} else {
		c = colour{r: channel(v[0]), g: channel(v[1]), b: channel(v[2])}
	}
	c.clear = len(args) > 3 && (v[3].n <= 0.05 || v[3].unit == '%' && v[3].n <= 5)
	return c, true
}

func channel(l length) byte {
	if l.unit == '%' {
		l.n *= 2.55
	}
	return byte(max(0, min(255, l.n)))
}

// fromHSL converts a hue in degrees, and saturation and lightness between 0 and 1.
func fromHSL(h, s, l float32) colour {
	s, l = max(0, min(1, s)), max(0, min(1, l))
	for n := 0; h < 0 && n < 4; n++ {
		h += 360
	}
	span := s * min(l, 1-l)
	f := func(n float32) byte {
		k := n + h/30
		k -= 12 * float32(int(k/12))
		return byte(255 * (l - span*max(-1, min(k-3, 9-k, 1))))
	}
	return colour{r: f(0), g: f(8), b: f(4)}
}

// unhex returns the value of a hexadecimal digit, 255 for anything else.
func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}
