package mimesuite

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"rmilter/internal/htmltext"
	"rmilter/internal/mail"
)

// anchors returns the targets of all anchors as the tokenizer of x/net/html sees them,
// and those of other elements, which we list where we don't know the element.
func anchors(source string) (all []string, others map[string]bool) {
	others = map[string]bool{}
	z := html.NewTokenizer(strings.NewReader(source))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return all, others
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			if t.Data == "noscript" {
				z.NextIsNotRawText() // there are no scripts in mail
			}
			for _, a := range t.Attr {
				if a.Key != "href" {
					continue
				}
				if t.Data == "a" || t.Data == "area" {
					all = append(all, htmltext.CleanURL(a.Val))
				} else {
					others[htmltext.CleanURL(a.Val)] = true
				}
				break
			}
		}
	}
}

// TestAnchorsOfCorpus compares the links of all HTML with x/net/html, but for broken
// documents: there we see what a browser drops.
func TestAnchorsOfCorpus(t *testing.T) {
	documents := 0
	for _, f := range corpus(t) {
		for _, p := range mail.Parse(f.raw, mail.Limits{}).Parts() {
			d := p.HTML()
			if d == nil {
				continue
			}
			documents++
			want, others := anchors(p.Text())
			var got []string
			for _, l := range d.Links {
				if l.Kind == htmltext.Anchor && l.Hidden != htmltext.ForOutlook && (!others[l.URL] || slices.Contains(want, l.URL)) {
					got = append(got, l.URL)
				}
			}
			if slices.Equal(got, want) || d.Faults[htmltext.UnclosedTag]+d.Faults[htmltext.UnclosedComment]+d.Faults[htmltext.UnclosedQuote]+d.Faults[htmltext.NULByte] > 0 {
				continue
			}
			t.Errorf("%s part %d: got %d links, want %d\n%q\n%q", f.name, p.Index(), len(got), len(want), got, want)
		}
	}
	if documents < 300 {
		t.Errorf("%d documents, want 300 at least", documents)
	}
}
