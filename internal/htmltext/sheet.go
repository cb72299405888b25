package htmltext

import "strings"

// A sheet is the rules of a document's style elements whose selectors are simple: an
// element, a class, an id, an element with one of these. Of the others it remembers
// what they may change, so that text isn't taken for hidden by one rule which another
// shows.
type sheet struct {
	rules     map[string]*style
	contested map[string]property // what selectors that aren't understood declare, by their last part
	bytes     int
	count     int
	external  bool
}

// empty tells whether nothing here can change what is seen.
func (s *sheet) empty() bool { return len(s.rules) == 0 }

// read takes the content of a style element.
func (s *sheet) read(css string) {
	if s.bytes+len(css) > maxSheet {
		css = css[:maxSheet-s.bytes]
	}
	s.bytes += len(css)
	if strings.Contains(css, "/*") {
		css = stripCSSComments(css)
	}
	for nested := 0; s.count < maxRules; {
		css = strings.TrimLeft(css, cssSpace)
		switch {
		case css == "":
			return
		case strings.HasPrefix(css, "<!--"):
			css = css[4:]
		case strings.HasPrefix(css, "-->"):
			css = css[3:]
		case css[0] == '}':
			nested, css = max(0, nested-1), css[1:]
		case css[0] == '@':
			var block bool
			css, block = s.at(css)
			if block {
				nested++
			}
		default:
			css = s.rule(css, nested > 0)
		}
	}
}

// at reads an at-rule. Those with rules inside are entered.
func (s *sheet) at(css string) (rest string, block bool) {
	i := strings.IndexAny(css, ";{")
	if i < 0 {
		return "", false
	}
	head := css[:i]
	if foldPrefix(head, "@import") {
		s.external = true
	}
	rest = css[i+1:]
	if css[i] == ';' {
		return rest, false
	}
	for _, name := range [...]string{"@media", "@supports", "@layer", "@container", "@document", "@-moz-document"} {
		if foldPrefix(head, name) {
			return rest, true
		}
	}
	depth := 1
	for i := range len(rest) {
		switch rest[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return rest[i+1:], false
			}
		}
	}
	return "", false
}

// rule reads "selectors { declarations }".
func (s *sheet) rule(css string, conditional bool) (rest string) {
	i := strings.IndexByte(css, '{')
	if i < 0 {
		return ""
	}
	selectors, rest := css[:i], css[i+1:]
	body := rest
	if j := strings.IndexByte(rest, '}'); j >= 0 {
		body, rest = rest[:j], rest[j+1:]
	} else {
		rest = ""
	}
	var st style
	st.declarations(body)
	if st.set == 0 {
		s.count++
		return rest
	}
	for selectors != "" && s.count < maxRules {
		one := selectors
		if j := strings.IndexByte(selectors, ','); j >= 0 {
			one, selectors = selectors[:j], selectors[j+1:]
		} else {
			selectors = ""
		}
		s.count++
		s.add(strings.Trim(one, cssSpace), &st, conditional)
	}
	return rest
}

// add takes a rule with one selector.
func (s *sheet) add(selector string, st *style, conditional bool) {
	if selector == "" || len(selector) > 128 {
		return
	}
	selector = lowerShort(selector)
	if i := strings.LastIndexAny(selector, " \t\r\n\f>+~"); i >= 0 {
		conditional, selector = true, selector[i+1:]
	}
	key := selector
	if i := strings.IndexAny(selector, ":[\\"); i >= 0 || strings.Count(selector, ".")+strings.Count(selector, "#") > 1 {
		conditional = true
		if i >= 0 {
			key = selector[:i]
		}
		if strings.Count(key, ".")+strings.Count(key, "#") > 1 {
			key = key[:strings.IndexAny(key, ".#")]
		}
		if key == "" {
			key = "*"
		}
	}
	if conditional {
		if s.contested == nil {
			s.contested = map[string]property{}
		}
		s.contested[key] |= shows(st)
		return
	}
	if s.rules == nil {
		s.rules = map[string]*style{}
	}
	if old, ok := s.rules[key]; ok {
		old.merge(st)
	} else {
		fresh := *st
		s.rules[key] = &fresh
	}
}

// shows returns the properties with which a rule may show what another hides.
func shows(s *style) property {
	p := s.set
	if s.none {
		p &^= pDisplay
	}
	if s.hidden {
		p &^= pVisibility
	}
	if s.clear {
		p &^= pOpacity
	}
	return p
}

// style collects what the rules declare for an element. key is scratch space.
func (s *sheet) style(name []byte, class, id string, key []byte) (st style) {
	contested := property(0)
	look := func(key []byte) {
		if r, ok := s.rules[string(key)]; ok {
			st.merge(r)
		}
		contested |= s.contested[string(key)]
	}
	look([]byte("*"))
	look(name)
	both := func(mark byte, word string) {
		key = append(append(key[:0], mark), word...)
		for i := range key {
			key[i] = lower(key[i])
		}
		look(key)
		key = append(key, name...)
		copy(key[len(name):], key[:len(key)-len(name)])
		copy(key, name)
		look(key)
	}
	for n := 0; class != "" && n < maxClasses; n++ {
		class = strings.TrimLeft(class, cssSpace)
		word := class
		if i := strings.IndexAny(class, cssSpace); i >= 0 {
			word, class = class[:i], class[i+1:]
		} else {
			class = ""
		}
		if word != "" && len(word) <= 64 {
			both('.', word)
		}
	}
	if id = strings.Trim(id, cssSpace); id != "" && len(id) <= 64 {
		both('#', id)
	}
	if contested&pBackground != 0 {
		st.set |= pImage
	}
	if contested&pColor != 0 {
		st.set |= pImage // neither colour is known for sure
	}
	st.set &^= contested &^ pImage
	return st
}
