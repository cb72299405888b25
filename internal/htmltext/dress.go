package htmltext

import "strings"

// dress works out how the content of an element looks. f is a copy of its parent's
// frame.
func (p *parser) dress(f *frame, z *scanner) {
	e := z.elem
	if f.hides == ForOutlook {
		return
	}
	changed := p.attributes(f, z)
	if e == elTemplate || z.given[atHidden] && e != unknown {
		f.reason, changed = worst(f.reason, NotDisplayed), true
	}
	var st style
	if !p.sheet.empty() {
		st = p.sheet.style(z.tag, z.attrs[atClass], z.attrs[atID], p.scratch[:0])
	}
	if z.given[atStyle] {
		var own style
		own.declarations(p.entities.unescape(shorten(z.attrs[atStyle], maxStyle), true))
		st.merge(&own)
	}
	if st.set != 0 {
		p.apply(f, &st)
		changed = true
	}
	if changed {
		f.see()
	}
}

// attributes takes the attributes of presentation.
func (p *parser) attributes(f *frame, z *scanner) (changed bool) {
	if z.elem == elA && z.given[atHref] {
		f.fore, changed = blue, true
	}
	for _, a := range z.used {
		switch {
		case a == atBgcolor && z.elem != elFont, a == atColor && z.elem == elFont, a == atText && z.elem == elBody:
			c, ok := parseColour(lowerShort(p.entities.unescape(z.attrs[a], true)), true)
			if !ok {
				continue
			}
			if changed = true; a == atBgcolor {
				f.back, f.backImage = c, false
			} else {
				f.fore = c
			}
		case a == atBackground:
			f.backImage, changed = true, true
		case a == atSize && z.elem == elFont:
			f.font, changed = fontElement(z.attrs[a]), true
		}
	}
	return changed
}

// shorten bounds s to n bytes.
func shorten(s string, n int) string { return s[:min(n, len(s))] }

// fontElement returns the pixels of <font size>.
func fontElement(value string) float32 {
	value = strings.Trim(value, cssSpace)
	l, ok := parseLength(value)
	if !ok {
		return 16
	}
	n := int(l.n)
	if value[0] == '+' || value[0] == '-' {
		n += 3
	}
	return [...]float32{10, 13, 16, 18, 24, 32, 48}[max(0, min(6, n-1))]
}

// apply takes over what a style says.
func (p *parser) apply(f *frame, st *style) {
	if st.set&pDisplay != 0 {
		if st.none {
			f.reason = worst(f.reason, NotDisplayed)
		}
		f.block = f.block && !st.inline
	}
	f.block = f.block && !st.float
	if st.set&pVisibility != 0 {
		f.invisible = st.hidden
	}
	if st.clear {
		f.reason = worst(f.reason, Transparent)
	}
	if st.overflow && (st.set&pHeight != 0 && st.height.zero() || st.set&pMaxHeight != 0 && st.maxHeight.zero() ||
		st.set&pWidth != 0 && st.width.zero() || st.set&pMaxWidth != 0 && st.maxWidth.zero()) || st.clipped {
		f.reason = worst(f.reason, ZeroSize)
	}
	if st.away || st.indented {
		f.reason = worst(f.reason, OffScreen)
	}
	if st.set&pFont != 0 {
		f.font = max(0, min(1000, st.font.pixels(f.font)))
	}
	if st.set&pColor != 0 {
		f.fore = st.color
	}
	if st.set&pBackground != 0 && !st.back.clear {
		f.back, f.backImage = st.back, false
	}
	if st.set&pImage != 0 {
		f.backImage = true
	}
}

// worst returns the reason that counts.
func worst(a, b Reason) Reason {
	if a == Shown || b < a {
		return b
	}
	return a
}

// resources lists what the element refers to.
func (p *parser) resources(f *frame, z *scanner) {
	switch z.elem {
	case elA, elArea:
		if z.elem == elA {
			p.endLink()
		}
		if z.given[atHref] {
			if p.addLink(Anchor, z.attrs[atHref], f.hides) && z.elem == elA {
				p.link = len(p.doc.Links) - 1
				f.link = p.link
			}
			if n := len(p.doc.Links); n > 0 && z.given[atTitle] && p.doc.Links[n-1].Kind == Anchor {
				p.doc.Links[n-1].Title = collapse(p.entities.unescape(z.attrs[atTitle], true))
			}
		}
	case elImg:
		p.image(f, z)
	case elForm, elInput, elButton, elTextarea, elSelect:
		p.forms(f, z)
	case elMeta:
		p.meta(z)
	case elBase:
		if z.given[atHref] && p.doc.Base == "" {
			p.doc.Base = p.url(atHref, z)
		}
	case elLink:
		if z.given[atHref] {
			p.addLink(Resource, z.attrs[atHref], Shown)
			p.doc.ExternalStyle = p.doc.ExternalStyle || strings.EqualFold(strings.Trim(z.attrs[atRel], cssSpace), "stylesheet")
		}
	case elScript, elIframe, elFrame, elEmbed, elObject, elSource, elTrack, elAudio, elVideo:
		for _, a := range [...]attribute{atSrc, atData} {
			if z.given[a] {
				p.addLink(Resource, z.attrs[a], f.hides)
			}
		}
	case unknown:
		if z.given[atHref] {
			p.addLink(Anchor, z.attrs[atHref], f.hides)
		}
		if z.given[atSrc] {
			p.addLink(Picture, z.attrs[atSrc], f.hides)
		}
	}
	if z.given[atBackground] {
		p.addLink(Picture, z.attrs[atBackground], f.hides)
	}
	if z.given[atPoster] {
		p.addLink(Picture, z.attrs[atPoster], f.hides)
	}
	if z.given[atStyle] {
		p.styleLinks(z.attrs[atStyle])
	}
}

func (p *parser) url(a attribute, z *scanner) string {
	return CleanURL(p.entities.unescape(z.attrs[a], true))
}

// addLink lists a link, unless the limit is reached.
func (p *parser) addLink(kind LinkKind, value string, hides Reason) bool {
	if len(p.doc.Links) >= p.lim.Links {
		return false
	}
	p.doc.Links = append(p.doc.Links, Link{Kind: kind, URL: CleanURL(p.entities.unescape(value, true)), Hidden: hides, Begin: -1})
	return true
}

// endLink closes the open anchor.
func (p *parser) endLink() {
	if p.link >= 0 {
		l := &p.doc.Links[p.link]
		if l.End = len(p.out); l.Begin < 0 {
			l.Begin = l.End
		}
		p.link = -1
	}
}

// image lists an image.
func (p *parser) image(f *frame, z *scanner) {
	if p.link >= 0 {
		p.doc.Links[p.link].Images++
	}
	if z.given[atSrc] {
		p.addLink(Picture, z.attrs[atSrc], f.hides)
	}
	if len(p.doc.Images) >= p.lim.Links {
		return
	}
	m := Image{Src: p.url(atSrc, z), Alt: collapse(p.entities.unescape(z.attrs[atAlt], true)), Width: -1, Height: -1, Linked: p.link >= 0}
	if f.hides != TinyFont && f.hides != SameColour {
		m.Hidden = f.hides
	}
	m.Width, m.Height = pixels(z.attrs[atWidth]), pixels(z.attrs[atHeight])
	if z.given[atStyle] {
		var st style
		st.declarations(p.entities.unescape(shorten(z.attrs[atStyle], maxStyle), true))
		if st.set&pWidth != 0 && st.width.unit != '%' && st.width.n < 1e5 {
			m.Width = int(st.width.n)
		}
		if st.set&pHeight != 0 && st.height.unit != '%' && st.height.n < 1e5 {
			m.Height = int(st.height.n)
		}
	}
	p.doc.Images = append(p.doc.Images, m)
}

// pixels reads a width or height attribute, -1 if it is none or relative.
func pixels(value string) int {
	l, ok := parseLength(strings.Trim(value, cssSpace))
	if !ok || l.unit == '%' || l.n < 0 || l.n > 1e5 {
		return -1
	}
	return int(l.n)
}

// forms lists a form, or a field of the open one.
func (p *parser) forms(f *frame, z *scanner) {
	if z.elem == elForm {
		if len(p.doc.Forms) < p.lim.Links {
			m := Form{Action: p.url(atAction, z), Method: "get"}
			if strings.EqualFold(strings.Trim(z.attrs[atMethod], cssSpace), "post") {
				m.Method = "post"
			}
			p.doc.Forms = append(p.doc.Forms, m)
			p.form = len(p.doc.Forms) - 1
		}
		if z.given[atAction] {
			p.addLink(FormAction, z.attrs[atAction], f.hides)
		}
		return
	}
	if z.given[atFormaction] {
		p.addLink(FormAction, z.attrs[atFormaction], f.hides)
	}
	if z.elem == elButton {
		return
	}
	kind := ""
	if z.elem == elInput {
		kind = lowerShort(strings.Trim(z.attrs[atType], cssSpace))
	}
	switch kind {
	case "image":
		p.image(f, z)
	case "hidden", "submit", "button", "reset":
	default:
		if p.form >= 0 {
			p.doc.Forms[p.form].Inputs++
			p.doc.Forms[p.form].Password = p.doc.Forms[p.form].Password || kind == "password"
		}
	}
}

// meta takes refresh and charset of a meta element.
func (p *parser) meta(z *scanner) {
	content := p.entities.unescape(z.attrs[atContent], true)
	switch lowerShort(strings.Trim(z.attrs[atHTTPEquiv], cssSpace)) {
	case "refresh":
		_, target, ok := strings.Cut(content, "=")
		if !ok {
			if _, target, ok = strings.Cut(content, ";"); !ok {
				_, target, ok = strings.Cut(content, ",")
			}
		}
		if target = strings.Trim(CleanURL(target), `"'`); ok && target != "" {
			if p.doc.Refresh == "" {
				p.doc.Refresh = target
			}
			if len(p.doc.Links) < p.lim.Links {
				p.doc.Links = append(p.doc.Links, Link{Kind: Refresh, URL: target, Begin: -1})
			}
		}
	case "content-type":
		if i := strings.Index(lowerShort(content), "charset="); i >= 0 && p.doc.Charset == "" {
			p.doc.Charset = charsetName(content[i+len("charset="):])
		}
	}
	if z.given[atCharset] && p.doc.Charset == "" {
		p.doc.Charset = charsetName(z.attrs[atCharset])
	}
}

func charsetName(s string) string {
	s = strings.Trim(s, cssSpace+`"'`)
	if i := strings.IndexAny(s, cssSpace+`;"'`); i >= 0 {
		s = s[:i]
	}
	return strings.ToLower(s[:min(len(s), 64)])
}

// styleLinks lists the url() of a style.
func (p *parser) styleLinks(css string) {
	for {
		i := strings.Index(css, "url(")
		if i < 0 {
			return
		}
		css = css[i+len("url("):]
		j := strings.IndexByte(css, ')')
		if j < 0 {
			return
		}
		if u := strings.Trim(p.entities.unescape(css[:j], true), cssSpace+`"'`); u != "" && len(p.doc.Links) < p.lim.Links {
			p.doc.Links = append(p.doc.Links, Link{Kind: Style, URL: CleanURL(u), Begin: -1})
		}
		css = css[j+1:]
	}
}

// DeclaredCharset returns the character set that a document in some superset of ASCII
// declares in its first 1024 bytes by a meta element, in lower case; "" if none.
func DeclaredCharset(source []byte) string {
	head := lowerShort(string(source[:min(len(source), 1024)]))
	i := strings.Index(head, "<meta")
	for n := 0; i >= 0 && n < 20; n++ {
		head = head[i:]
		end := strings.IndexByte(head, '>')
		if end < 0 {
			return ""
		}
		if _, name, ok := strings.Cut(head[:end], "charset"); ok {
			name = strings.TrimLeft(name, cssSpace)
			if name, ok := strings.CutPrefix(name, "="); ok {
				return charsetName(name)
			}
		}
		head = head[end:]
		i = strings.Index(head, "<meta")
	}
	return ""
}
