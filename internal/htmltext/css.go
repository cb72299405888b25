package htmltext

import "strings"

// Bounds of style sheets.
const (
	maxSheet   = 256 << 10 // bytes of all style elements looked at
	maxRules   = 2000      // rules kept
	maxClasses = 16        // classes of one element looked at
	maxDecls   = 200       // declarations of one rule or attribute
	maxStyle   = 16 << 10  // bytes of one style attribute looked at
)

// A property is one that can hide text.
type property uint32

const (
	pDisplay property = 1 << iota
	pVisibility
	pOpacity
	pFont
	pColor
	pBackground
	pWidth
	pHeight
	pMaxWidth
	pMaxHeight
	pOverflow
	pPosition
	pOffset
	pIndent
	pClip
	pScale
	pFloat
	pImage // a background image: the colour behind the text isn't known
)

// A style is the declarations of one rule or style attribute that can hide text.
type style struct {
	set       property // which are declared
	important property // which are declared so
	none      bool     // display: none
	hidden    bool     // visibility: hidden
	clear     bool     // opacity near 0
	fixed     bool     // position: absolute or fixed
	away      bool     // left, top or a margin far below 0
	indented  bool     // text-indent far below 0
	clipped   bool     // clipped or scaled to nothing
	overflow  bool     // overflow: hidden
	inline    bool     // display: inline: begins no line
	float     bool     // float: left or right: the same
	font      length
	color     colour
	back      colour
	width     length
	height    length
	maxWidth  length
	maxHeight length
}

// A length is a number with its unit.
type length struct {
	n    float32
	unit byte // 'p' pixels, 'e' times the parent's, '%', 0 none
}

func (l length) zero() bool { return l.n <= 0.01 && l.n > -0.01 }

// pixels returns the length where base is the parent's.
func (l length) pixels(base float32) float32 {
	switch l.unit {
	case 'e':
		return l.n * base
	case '%':
		return l.n * base / 100
	}
	return l.n
}

// merge takes over what other declares, unless mine is important and its isn't.
func (s *style) merge(other *style) {
	take := other.set &^ (s.important &^ other.important)
	if take == 0 {
		return
	}
	s.set |= take
	s.important |= other.important & take
	for p := pDisplay; p <= pImage; p <<= 1 {
		if take&p != 0 {
			s.take(p, other)
		}
	}
}

func (s *style) take(p property, other *style) {
	switch p {
	case pDisplay:
		s.none, s.inline = other.none, other.inline
	case pVisibility:
		s.hidden = other.hidden
	case pOpacity:
		s.clear = other.clear
	case pFont:
		s.font = other.font
	case pColor:
		s.color = other.color
	case pBackground:
		s.back = other.back
	case pWidth:
		s.width = other.width
	case pHeight:
		s.height = other.height
	case pMaxWidth:
		s.maxWidth = other.maxWidth
	case pMaxHeight:
		s.maxHeight = other.maxHeight
	case pOverflow:
		s.overflow = other.overflow
	case pPosition:
		s.fixed = other.fixed
	case pOffset:
		s.away = other.away
	case pIndent:
		s.indented = other.indented
	case pFloat:
		s.float = other.float
	case pClip, pScale:
		s.clipped = other.clipped
	}
}

// declarations reads "name: value; …" into s. Text in comments doesn't count, escapes
// are undone.
func (s *style) declarations(css string) {
	if strings.Contains(css, "/*") {
		css = stripCSSComments(css)
	}
	if strings.IndexByte(css, '\\') >= 0 {
		css = unescapeCSS(css)
	}
	unclosed := false
	for n := 0; css != "" && n < maxDecls; n++ {
		end := declEnd(css, &unclosed)
		decl := css[:end]
		css = css[min(end+1, len(css)):]
		i := strings.IndexByte(decl, ':')
		if i < 0 {
			continue
		}
		name := strings.Trim(decl[:i], cssSpace)
		if len(name) > 24 {
			continue
		}
		value := strings.Trim(decl[i+1:], cssSpace)
		important := false
		if j := strings.LastIndexByte(value, '!'); j >= 0 && strings.EqualFold(strings.Trim(value[j+1:], cssSpace), "important") {
			important, value = true, strings.Trim(value[:j], cssSpace)
		}
		s.declare(lowerShort(name), lowerShort(value), important)
	}
}

const cssSpace = " \t\r\n\f"

// declEnd returns the index of the ";" that ends the first declaration. Once a
// parenthesis is never closed, they don't count any more.
func declEnd(css string, unclosed *bool) int {
	i := strings.IndexByte(css, ';')
	if i < 0 {
		return len(css)
	}
	if *unclosed || strings.IndexByte(css[:i], '(') < 0 {
		return i
	}
	depth := 0
	for i := range len(css) {
		switch css[i] {
		case '(':
			depth++
		case ')':
			depth--
		case ';':
			if depth <= 0 {
				return i
			}
		}
	}
	*unclosed = true
	return i
}

// declare takes one declaration.
func (s *style) declare(name, value string, important bool) {
	p := property(0)
	switch name {
	case "display":
		p, s.none, s.inline = pDisplay, value == "none", strings.HasPrefix(value, "inline")
	case "float":
		p, s.float = pFloat, value == "left" || value == "right"
	case "visibility":
		p, s.hidden = pVisibility, value == "hidden" || value == "collapse"
	case "opacity", "-moz-opacity", "-khtml-opacity":
		if l, ok := parseLength(value); ok {
			p, s.clear = pOpacity, l.n <= 0.05 || l.unit == '%' && l.n <= 5
		}
	case "filter", "-ms-filter":
		value = strings.ReplaceAll(value, " ", "")
		if i := strings.Index(value, "opacity"); i >= 0 {
			l, ok := parseLength(strings.TrimLeft(value[i+len("opacity"):], "=("))
			p, s.clear = pOpacity, ok && l.n <= 0.05
		}
	case "font-size":
		p, s.font = fontSize(value)
	case "font":
		p, s.font = fontShorthand(value)
	case "color", "-webkit-text-fill-color":
		if c, ok := parseColour(value, false); ok {
			p, s.color = pColor, c
		}
	case "background-color", "background", "background-image":
		p = s.background(value)
	default:
		p = s.box(name, value)
	}
	s.set |= p
	if important {
		s.important |= p
	}
}

// box takes the declarations about sizes and places.
func (s *style) box(name, value string) property {
	switch name {
	case "overflow", "overflow-x", "overflow-y":
		s.overflow = s.overflow && name != "overflow" || strings.Contains(value, "hidden") || value == "clip"
		return pOverflow
	case "position":
		s.fixed = value == "absolute" || value == "fixed"
		return pPosition
	case "clip", "clip-path":
		s.clipped = clipsAll(value)
		return pClip
	case "transform", "-webkit-transform":
		s.clipped = strings.Contains(value, "scale(0)") || strings.Contains(value, "scale(0,") || strings.Contains(value, "(-9999")
		return pScale
	}
	l, ok := parseLength(value)
	if !ok {
		if value == "auto" || value == "none" || value == "initial" {
			l = length{n: 1e6}
		} else {
			return 0
		}
	}
	switch name {
	case "width":
		s.width = l
		return pWidth
	case "height":
		s.height = l
		return pHeight
	case "max-width":
		s.maxWidth = l
		return pMaxWidth
	case "max-height":
		s.maxHeight = l
		return pMaxHeight
	case "text-indent":
		s.indented = farOut(l)
		return pIndent
	case "left", "top", "right", "bottom", "margin-left", "margin-top", "margin-right", "margin":
		s.away = s.away || farOut(l)
		return pOffset
	}
	return 0
}

// farOut tells whether a place is out of sight.
func farOut(l length) bool {
	return l.pixels(16) <= -500 && l.unit != '%' || l.unit == '%' && l.n <= -100
}

// clipsAll tells whether a clip leaves nothing: rect(0,0,0,0), rect(1px,1px,1px,1px),
// inset(50%), circle(0).
func clipsAll(value string) bool {
	open := strings.IndexByte(value, '(')
	if open < 0 {
		return false
	}
	args := strings.FieldsFunc(value[open+1:], func(r rune) bool { return r == ',' || r == ' ' || r == ')' })
	switch value[:open] {
	case "rect":
		if len(args) != 4 {
			return false
		}
		for _, a := range args {
			if l, ok := parseLength(a); !ok || l.n > 1 {
				return false
			}
		}
		return true
	case "inset":
		l, ok := length{}, false
		if len(args) > 0 {
			l, ok = parseLength(args[0])
		}
		return ok && l.unit == '%' && l.n >= 50
	case "circle":
		return len(args) > 0 && strings.Trim(args[0], "0px%") == ""
	}
	return false
}

// fontSize reads the value of font-size. Words for sizes are all large enough.
func fontSize(value string) (property, length) {
	if l, ok := parseLength(value); ok {
		return pFont, l
	}
	switch value {
	case "", "inherit", "unset":
		return 0, length{}
	case "smaller":
		return pFont, length{0.83, 'e'}
	case "larger":
		return pFont, length{1.2, 'e'}
	}
	return pFont, length{n: 13}
}

// fontShorthand finds the size in "italic bold 12px/1.5 Arial".
func fontShorthand(value string) (property, length) {
	for n := 0; value != "" && n < 8; n++ {
		word, rest, _ := strings.Cut(value, " ")
		value = strings.TrimLeft(rest, " ")
		word, _, _ = strings.Cut(word, "/")
		if l, ok := parseLength(word); ok && (l.unit != 0 || l.zero()) {
			return pFont, l
		}
	}
	return 0, length{}
}

// parseLength reads "12px", "0", ".5em", "-9999px", "1.5rem", "10pt", "50%".
func parseLength(s string) (l length, ok bool) {
	i, sign := 0, float32(1)
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		if s[i] == '-' {
			sign = -1
		}
		i++
	}
	n, scale, digits, point := float32(0), float32(1), 0, false
	for ; i < len(s); i++ {
		if s[i] == '.' && !point {
			point = true
			continue
		}
		if s[i] < '0' || s[i] > '9' {
			break
		}
		if digits++; digits > 12 {
			continue
		}
		n = n*10 + float32(s[i]-'0')
		if point {
			scale *= 10
		}
	}
	if digits == 0 {
		return l, false
	}
	l.n = sign * n / scale
	switch unit := strings.Trim(s[i:], cssSpace); {
	case unit == "":
	case strings.HasPrefix(unit, "px"):
		l.unit = 'p'
	case strings.HasPrefix(unit, "pt"):
		l.n, l.unit = l.n*4/3, 'p'
	case strings.HasPrefix(unit, "rem"):
		l.n, l.unit = l.n*16, 'p'
	case strings.HasPrefix(unit, "em"):
		l.unit = 'e'
	case unit[0] == '%':
		l.unit = '%'
	case strings.HasPrefix(unit, "vw"), strings.HasPrefix(unit, "vh"), strings.HasPrefix(unit, "ex"), strings.HasPrefix(unit, "ch"):
		l.n, l.unit = l.n*8, 'p'
	case strings.HasPrefix(unit, "in"), strings.HasPrefix(unit, "cm"), strings.HasPrefix(unit, "pc"), strings.HasPrefix(unit, "mm"):
		l.n, l.unit = l.n*16, 'p'
	}
	return l, true
}

// stripCSSComments makes spaces of comments; an unclosed one goes to the end.
func stripCSSComments(s string) string {
	var b strings.Builder
	for {
		i := strings.Index(s, "/*")
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		b.WriteByte(' ')
		j := strings.Index(s[i+2:], "*/")
		if j < 0 {
			return b.String()
		}
		s = s[i+2+j+2:]
	}
}

// unescapeCSS undoes "\64 isplay" and "d\isplay".
func unescapeCSS(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		j, r := i, rune(0)
		for ; j < len(s) && j < i+6; j++ {
			d := unhex(s[j])
			if d > 15 {
				break
			}
			r = r<<4 | rune(d)
		}
		if j == i {
			b.WriteByte(s[i])
			continue
		}
		b.WriteRune(r)
		if i = j - 1; j < len(s) && space(s[j]) {
			i = j
		}
	}
	return b.String()
}

// lowerShort lower-cases ASCII and allocates only where something changes.
func lowerShort(s string) string {
	for i := range len(s) {
		if s[i] >= 'A' && s[i] <= 'Z' {
			return strings.ToLower(s)
		}
	}
	return s
}
