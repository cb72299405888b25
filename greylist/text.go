package greylist

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// maxText is how many bytes of greylisted_message are used: with a code and an id they fit
// the line of a reply (RFC 5321, section 4.5.3.1.5).
const maxText = 400

// verdict returns the verdict of a state for a key with its record, without what only
// happens once.
func (a *asked) verdict(s State, k key, r record) Verdict {
	v := Verdict{State: s, Defer: s == First || s == Early, Key: readable(k.id), Kind: k.kind, Since: r.Since, Expires: r.Expires}
	switch s {
	case First, Early:
		v.Until, v.Text = r.Since.Add(a.timeout), a.text
	case White:
		v.Key, v.Until = readable(k.white), r.Expires
	case Passed:
		if a.expireWhite > 0 {
			v.Expires = a.now.Add(a.expireWhite)
		}
		v.Until = v.Expires
		if !r.Warm {
			v.Waited = a.now.Sub(r.Since)
		}
	}
	v.Header = a.header(&v, r)
	return v
}

// header returns the header of a verdict. Its words are those that old rmilter had, since
// there are programs that read them.
func (a *asked) header(v *Verdict, r record) string {
	kind := map[Kind]string{
		Data:     "data hash",
		Envelope: "sender, IP, recipients",
		Domain:   "domain, recipient domains",
	}[v.Kind]
	passed := max(0, a.now.Sub(r.Since)) / time.Second
	text := ""
	switch v.State {
	case First:
		text = fmt.Sprintf("%d seconds passed (new record), greylisted till %s, expire at %s", passed, a.local(v.Until), a.local(v.Expires))
	case Early:
		text = fmt.Sprintf("%d seconds passed, greylisted till %s, expire at %s", passed, a.local(v.Until), a.local(v.Expires))
	case Passed:
		text = fmt.Sprintf("Greylisted for %d seconds, whitelisted till %s", passed, a.local(v.Until))
	case White:
		text = "Whitelisted"
		if !v.Until.IsZero() {
			text += " till " + a.local(v.Until)
		}
	case Warmup:
		text = fmt.Sprintf("%d seconds passed, not greylisted as the store is new", passed)
	case Future:
		text = "Not greylisted as the record is from the future"
	default:
		return ""
	}
	return text + ", type: " + kind
}

// local returns a time for people.
func (a *asked) local(t time.Time) string { return t.In(a.location).Format(time.DateTime) }

// replyText returns a text as it can be in a reply: printable ASCII, not empty.
func replyText(text string) string {
	b := make([]byte, 0, min(len(text), maxText))
	for _, r := range strings.Join(strings.Fields(text), " ") {
		if len(b) == maxText {
			break
		}
		if r < ' ' || r == 0x7f || r >= utf8.RuneSelf {
			r = '?'
		}
		b = append(b, byte(r))
	}
	if len(b) == 0 {
		return string(DefaultConfig().Message)
	}
	return string(b)
}
