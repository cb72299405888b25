// Package htmltext reads HTML as the reader of a message sees it: its text, what is
// hidden from the eye, where its links lead.
//
// It knows nothing of mail. The source is hostile: Parse never fails, builds no tree,
// takes linear time and bounded memory. It follows the tokenizer of the WHATWG
// standard where mail programs do, and undoes what spammers do to words: comments and
// empty elements inside them, invisible characters, letters in table cells, entities.
package htmltext

// Limits bound the work that one document can cause. A field that isn't positive
// means that of DefaultLimits.
type Limits struct {
	Bytes  int // bytes of source looked at
	Links  int // links, images and forms listed, of each
	Hidden int // bytes of hidden text kept
}

// DefaultLimits are well above what honest documents need. Nobody writes to it.
var DefaultLimits = Limits{Bytes: 4 << 20, Links: 10_000, Hidden: 64 << 10}

// A Doc is what Parse found. It never changes and may be read from many goroutines.
type Doc struct {
	// Text is what the eye sees, in UTF-8: a line for each block, white space
	// collapsed, cells of a table separated by spaces.
	Text string
	// Hidden is text that the eye doesn't see, the first Limits.Hidden bytes of it.
	Hidden string
	// HiddenBytes is the length of all hidden text by what hides it, white space not
	// counted.
	HiddenBytes [Reasons]int
	// HiddenRuns is how many stretches of hidden text there are.
	HiddenRuns int
	// Invisible is how many characters without a glyph were taken out of Text:
	// zero-width ones, soft hyphens, marks of direction that do nothing.
	Invisible int

	Title   string  // content of the first title element
	Base    string  // target of the first base element with one, "" if there is none
	Refresh string  // target of the first meta refresh, "" if there is none
	Charset string  // character set that a meta element declares, in lower case
	Links   []Link  // in the order of the source
	Images  []Image // in the order of the source
	Forms   []Form  // in the order of the source

	Tags             int  // start tags
	StyleBytes       int  // bytes of style elements
	ScriptBytes      int  // bytes of script elements
	CommentBytes     int  // bytes of comments, conditional ones for Outlook not counted
	ConditionalBytes int  // bytes of conditional comments, which only Outlook shows
	ExternalStyle    bool // a style sheet is loaded from outside
	Cut              bool // the document is longer than Limits.Bytes
	Faults           [FaultKinds]int

	elements [elementCount]int32
}

// Count returns how many start tags of an element there are; name is in lower case.
// It is 0 for elements that Parse doesn't know.
func (d *Doc) Count(name string) int { return int(d.elements[lookupElement(name)]) }

// HiddenTotal returns the length of all hidden text, white space and what is for Outlook
// only not counted.
func (d *Doc) HiddenTotal() int {
	n := 0
	for r, k := range d.HiddenBytes {
		if Reason(r) != ForOutlook {
			n += k
		}
	}
	return n
}

// A Reason is what hides text from the eye.
type Reason byte

// The reasons. Where several hold, the first in this order counts.
const (
	Shown        Reason = iota // nothing: the text is in Doc.Text
	NotDisplayed               // display: none, the hidden attribute, template elements
	NotVisible                 // visibility: hidden or collapse
	Transparent                // opacity near 0
	ZeroSize                   // height or width 0 with its overflow hidden, clipped to nothing
	OffScreen                  // positioned or indented out of sight
	TinyFont                   // a font of at most two pixels
	SameColour                 // the colour of its background, or none at all
	ForOutlook                 // inside a conditional comment, which only Outlook shows
	Reasons                    // how many there are
)

// String returns the reason as a word for people.
func (r Reason) String() string {
	return [...]string{"shown", "not displayed", "not visible", "transparent", "zero size", "off-screen", "tiny font", "colour of the background", "for Outlook only", "?"}[min(r, Reasons)]
}

// A LinkKind is what a link does.
type LinkKind byte

// The kinds of links.
const (
	Anchor     LinkKind = iota // a or area href
	Picture                    // img src and its like, background, poster
	FormAction                 // form action, button formaction
	Resource                   // script, iframe, embed, object, link: loaded by the document
	Refresh                    // meta refresh
	Style                      // url() of a style
)

// String returns the kind as a word for people.
func (k LinkKind) String() string {
	return [...]string{"anchor", "image", "form", "resource", "refresh", "style", "?"}[min(k, Style+1)]
}

// A Link is a reference to something outside the document or in it.
type Link struct {
	Kind LinkKind
	// URL is the target as a browser would take it: entities decoded, white space
	// around it and line breaks and tabs inside it removed. It isn't resolved
	// against Base and not longer than the source.
	URL string
	// Text is the part of Doc.Text that shows the link, of an Anchor.
	Text string
	// Begin and End are where Text is in Doc.Text.
	Begin, End int
	// Title is the title attribute of an anchor.
	Title string
	// Images is how many images show the link, of an Anchor.
	Images int
	// Hidden is what hides the link from the eye.
	Hidden Reason
}

// An Image is an img element or an input of type image.
type Image struct {
	Src, Alt      string
	Width, Height int    // in pixels as stated by attributes or style, -1 when they aren't
	Linked        bool   // inside an anchor
	Hidden        Reason // what hides it from the eye
}

// A Form is a form element.
type Form struct {
	Action   string // "" when it has none
	Method   string // in lower case, "get" when it has none
	Inputs   int    // fields that a person fills in
	Password bool   // one of them is a password
}

// A Fault is something in the source that honest programs don't write.
type Fault byte

// The faults.
const (
	UnclosedQuote   Fault = iota // an attribute value whose quote never ends
	UnclosedTag                  // a tag that the document ends in
	UnclosedComment              // a comment that never ends
	NULByte                      // NULs, which are taken out
	DeepNesting                  // elements deeper than are followed
	StrayEnd                     // end tags of elements that aren't open
	CommentInWord                // a comment or an unknown or empty element inside a word
	SplitWord                    // letters of a word in cells of their own
	FaultKinds                   // how many there are
)

// String returns the fault as a word for people.
func (f Fault) String() string {
	return [...]string{"unclosed quote", "unclosed tag", "unclosed comment", "NUL", "deep nesting", "stray end tag", "comment in word", "split word", "?"}[min(f, FaultKinds)]
}
