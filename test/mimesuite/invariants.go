package mimesuite

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"rmilter/internal/htmltext"
	"rmilter/internal/mail"
)

// Check looks at everything that a message offers and returns what can't be true of
// any message, whatever is in it: parts outside their parents, text that isn't UTF-8,
// results larger than their bounds.
func Check(m *mail.Message, lim mail.Limits) error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	parts := m.Parts()
	if len(parts) == 0 || parts[0].Parent() != nil {
		return errors.New("the first part isn't the message")
	}
	if len(parts) > lim.Parts {
		fail("%d parts, more than %d", len(parts), lim.Parts)
	}
	for i, p := range parts {
		if p.Index() != i {
			fail("part %d says that it is part %d", i, p.Index())
		}
		if p.Depth() > lim.Depth {
			fail("part %d is %d deep", i, p.Depth())
		}
		checkPlace(p, len(m.Raw()), fail)
		checkContent(p, lim, fail)
	}
	checkViews(m, lim, fail)
	return errors.Join(errs...)
}

// checkPlace looks at where a part is.
func checkPlace(p *mail.Part, size int, fail func(string, ...any)) {
	begin, body, end, ok := p.Span()
	if begin < 0 || begin > body || body > end || ok && end > size {
		fail("part %d spans %d %d %d of %d", p.Index(), begin, body, end, size)
	}
	if parent := p.Parent(); parent != nil {
		_, low, high, stands := parent.Span()
		if ok && (!stands || begin < low || end > high) {
			fail("part %d at %d to %d is outside of its parent at %d to %d", p.Index(), begin, end, low, high)
		}
		if p.Depth() != parent.Depth()+1 || p.Index() <= parent.Index() {
			fail("part %d isn't below part %d", p.Index(), parent.Index())
		}
	}
	last := -1
	for _, c := range p.Children() {
		begin, _, end, ok := c.Span()
		if ok && begin < last {
			fail("part %d begins at %d, before the one before it ends at %d", c.Index(), begin, last)
		}
		if ok {
			last = end
		}
		if c.Parent() != p {
			fail("part %d isn't a child of its parent", c.Index())
		}
	}
}

// checkContent looks at what a part yields.
func checkContent(p *mail.Part, lim mail.Limits, fail func(string, ...any)) {
	if len(p.Decoded()) > len(p.Raw()) {
		fail("part %d: %d bytes of %d", p.Index(), len(p.Decoded()), len(p.Raw()))
	}
	for name, s := range map[string]string{"text": p.Text(), "visible text": p.Visible(), "file name": p.Filename(), "parameter": p.Param("name")} {
		if !utf8.ValidString(s) {
			fail("part %d: %s isn't UTF-8: %.100q", p.Index(), name, s)
		}
		if len(s) > 3*lim.TextBytes+1<<20 {
			fail("part %d: %s of %d bytes", p.Index(), name, len(s))
		}
	}
	if strings.ContainsAny(p.Filename(), "/\\\x00\r\n") {
		fail("part %d: file name %q", p.Index(), p.Filename())
	}
	if p.Type() != strings.ToLower(p.Type()) || !strings.Contains(p.Type(), "/") {
		fail("part %d: type %q", p.Index(), p.Type())
	}
	if d := p.HTML(); d != nil {
		for _, err := range CheckHTML(d, len(p.Text())) {
			fail("part %d: %v", p.Index(), err)
		}
	}
}

// CheckHTML returns what can't be true of any document of size bytes.
func CheckHTML(d *htmltext.Doc, size int) (errs []error) {
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	// An entity may be shorter than its character: "&lt" isn't, but some named ones
	// have two of three bytes each.
	if len(d.Text) > 2*size+64 || len(d.Hidden) > htmltext.DefaultLimits.Hidden {
		fail("%d bytes of text and %d hidden of %d", len(d.Text), len(d.Hidden), size)
	}
	if !utf8.ValidString(d.Text) || !utf8.ValidString(d.Hidden) || !utf8.ValidString(d.Title) {
		fail("text isn't UTF-8")
	}
	if strings.ContainsAny(d.Text, "\x00\r\t") || strings.Contains(d.Text, "  ") || strings.Contains(d.Text, "\n\n") || strings.Trim(d.Text, " \n") != d.Text {
		fail("white space in text: %.200q", d.Text)
	}
	urls := 0
	for i, l := range d.Links {
		urls += len(l.URL)
		if l.Begin < 0 || l.Begin > l.End || l.End > len(d.Text) {
			fail("link %d stands at %d to %d of %d", i, l.Begin, l.End, len(d.Text))
		} else if l.Text != "" && !strings.Contains(d.Text[l.Begin:l.End], l.Text) {
			fail("link %d has text %q, not %q", i, l.Text, d.Text[l.Begin:l.End])
		}
		if strings.ContainsAny(l.URL, "\t\r\n") {
			fail("link %d has line breaks: %q", i, l.URL)
		}
	}
	if urls > 4*size {
		fail("links of %d bytes in %d", urls, size)
	}
	return errs
}

// checkViews looks at the message as a whole.
func checkViews(m *mail.Message, lim mail.Limits, fail func(string, ...any)) {
	if s := m.VisibleText(); !utf8.ValidString(s) || len(s) > lim.TextBytes+len(m.Parts()) {
		fail("visible text of %d bytes, UTF-8: %t", len(s), utf8.ValidString(s))
	}
	if !utf8.ValidString(m.Subject()) {
		fail("subject %q", m.Subject())
	}
	for _, f := range []string{"From", "To", "Cc", "Reply-To", "Sender"} {
		for _, b := range m.Mailboxes(f) {
			if !utf8.ValidString(b.Name) || !utf8.ValidString(b.Comment) || len(b.Address.Domain) > 255 || b.Valid && b.Address.Domain == "" {
				fail("%s: %+v", f, b)
			}
		}
	}
	if len(m.Links()) > 10_000 {
		fail("%d links", len(m.Links()))
	}
	for _, l := range m.Links() {
		if l.Part == nil || l.URL == "" && l.Kind >= mail.LinkText {
			fail("link %+v", l)
		}
	}
	if t, present, err := m.Date(); err == nil && present == t.IsZero() && t.Year() > 1 {
		fail("date %v, present %t", t, present)
	}
	last := -1
	for _, d := range m.Defects() {
		if int(d.Kind) <= last || d.Count < 1 || d.Offset < 0 || d.Offset > len(m.Raw()) {
			fail("defect %+v behind kind %d in %d bytes", d, last, len(m.Raw()))
		}
		last = int(d.Kind)
	}
}
