package htmltext

// An element is one that Parse treats in a way of its own. unknown is all others.
type element byte

const (
	unknown element = iota
	elA
	elArea
	elAudio
	elB
	elBase
	elBlock // div, section and all other blocks without a name here
	elBody
	elBr
	elButton
	elCenter
	elCol
	elDiv
	elEmbed
	elFont
	elForm
	elFrame
	elHead
	elHr
	elHTML
	elI
	elIframe
	elImg
	elInline // em, strong and all other known ones without a name here
	elInput
	elLi
	elLink
	elMeta
	elNoembed
	elNoframes
	elObject
	elOption
	elP
	elParam
	elPlaintext
	elPre
	elScript
	elSelect
	elSource
	elSpan
	elStyle
	elTable
	elTbody
	elTd
	elTemplate
	elTextarea
	elTh
	elTitle
	elTr
	elTrack
	elVideo
	elWbr
	elXmp
	elementCount
)

// maxName is the longest name of an element or attribute that matters.
const maxName = 16

func lookupElement(name string) element {
	switch name {
	case "a":
		return elA
	case "area":
		return elArea
	case "audio":
		return elAudio
	case "b":
		return elB
	case "base":
		return elBase
	case "body":
		return elBody
	case "br":
		return elBr
	case "button":
		return elButton
	case "center":
		return elCenter
	case "col":
		return elCol
	case "div":
		return elDiv
	case "embed":
		return elEmbed
	case "font":
		return elFont
	case "form":
		return elForm
	case "frame":
		return elFrame
	case "head":
		return elHead
	case "hr":
		return elHr
	case "html":
		return elHTML
	case "i":
		return elI
	case "iframe":
		return elIframe
	case "img", "image":
		return elImg
	case "input":
		return elInput
	case "li":
		return elLi
	case "link":
		return elLink
	case "meta":
		return elMeta
	}
	return lookupElement2(name)
}

func lookupElement2(name string) element {
	switch name {
	case "noembed":
		return elNoembed
	case "noframes":
		return elNoframes
	case "object":
		return elObject
	case "option":
		return elOption
	case "p":
		return elP
	case "param":
		return elParam
	case "plaintext":
		return elPlaintext
	case "pre", "listing":
		return elPre
	case "script":
		return elScript
	case "select":
		return elSelect
	case "source":
		return elSource
	case "span":
		return elSpan
	case "style":
		return elStyle
	case "table":
		return elTable
	case "tbody", "thead", "tfoot":
		return elTbody
	case "td":
		return elTd
	case "template":
		return elTemplate
	case "textarea":
		return elTextarea
	case "th":
		return elTh
	case "title":
		return elTitle
	case "tr":
		return elTr
	case "track":
		return elTrack
	case "video":
		return elVideo
	case "wbr":
		return elWbr
	case "xmp":
		return elXmp
	}
	return lookupGroup(name)
}

// lookupGroup finds the elements that have no name of their own here.
func lookupGroup(name string) element {
	switch name {
	case "address", "article", "aside", "blockquote", "caption", "dd", "details", "dialog", "dir", "dl", "dt",
		"fieldset", "figcaption", "figure", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup",
		"legend", "main", "menu", "nav", "ol", "optgroup", "search", "section", "summary", "ul":
		return elBlock
	case "abbr", "acronym", "applet", "bdi", "bdo", "big", "blink", "canvas", "cite", "code", "data", "datalist", "del", "dfn", "em",
		"ins", "kbd", "label", "map", "mark", "marquee", "math", "meter", "nobr", "noscript", "output", "picture", "progress", "q",
		"rb", "rp", "rt", "rtc", "ruby", "s", "samp", "slot", "small", "strike", "strong", "sub", "sup", "svg", "time", "tt", "u", "var",
		"colgroup", "frameset", "basefont", "bgsound", "spacer", "ilayer", "layer", "multicol", "nextid", "isindex", "keygen":
		return elInline
	}
	return unknown
}

// void tells whether the element has no content and no end tag.
func (e element) void() bool {
	switch e {
	case elArea, elBase, elBr, elCol, elEmbed, elFrame, elHr, elImg, elInput, elLink, elMeta, elParam, elSource, elTrack, elWbr:
		return true
	}
	return false
}

// block tells whether the element begins and ends a line.
func (e element) block() bool {
	switch e {
	case elBlock, elBody, elCenter, elDiv, elForm, elHr, elLi, elOption, elP, elPre, elTable, elTbody, elTr, elTextarea, elXmp, elPlaintext:
		return true
	}
	return false
}

// raw tells whether no tags are read inside the element, only its end.
func (e element) raw() bool {
	switch e {
	case elIframe, elNoembed, elNoframes, elScript, elStyle, elTextarea, elTitle, elXmp, elPlaintext:
		return true
	}
	return false
}

// An attribute is one that Parse looks at. noAttribute is all others.
type attribute byte

const (
	noAttribute attribute = iota
	atAction
	atAlt
	atBackground
	atBgcolor
	atCharset
	atClass
	atColor
	atContent
	atData
	atFormaction
	atHeight
	atHidden
	atHref
	atHTTPEquiv
	atID
	atMethod
	atPoster
	atRel
	atSize
	atSrc
	atStyle
	atText
	atTitle
	atType
	atWidth
	attributeCount
)

func lookupAttribute(name string) attribute {
	switch name {
	case "action":
		return atAction
	case "alt":
		return atAlt
	case "background":
		return atBackground
	case "bgcolor":
		return atBgcolor
	case "charset":
		return atCharset
	case "class":
		return atClass
	case "color":
		return atColor
	case "content":
		return atContent
	case "data":
		return atData
	case "formaction":
		return atFormaction
	case "height":
		return atHeight
	case "hidden":
		return atHidden
	case "href", "xlink:href":
		return atHref
	case "http-equiv":
		return atHTTPEquiv
	case "id":
		return atID
	case "method":
		return atMethod
	case "poster":
		return atPoster
	case "rel":
		return atRel
	case "size":
		return atSize
	case "src":
		return atSrc
	case "style":
		return atStyle
	case "text":
		return atText
	case "title":
		return atTitle
	case "type":
		return atType
	case "width":
		return atWidth
	}
	return noAttribute
}
