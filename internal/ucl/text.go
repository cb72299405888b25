package ucl

import (
	"crypto/subtle"
	"errors"
	"log/slog"
	"slices"
	"strings"
)

// A String is one text.
type String string

// Set implements Value.
func (s *String) Set(n *Node, _ bool) error {
	text, err := n.Word()
	if err != nil {
		return err
	}
	*s = String(text)
	return nil
}

// String returns the text in quotes. Convert with string(s) for the text itself.
func (s String) String() string { return Quote(string(s)) }

// A Text is a text that may have several lines, such as a message. In the file it may
// be a heredoc: <<EOD, the lines, and EOD on a line of its own.
type Text string

// Set implements Value.
func (t *Text) Set(n *Node, _ bool) error { return (*String)(t).Set(n, false) }

// String returns the text in quotes, or as a heredoc when it has several lines.
func (t Text) String() string {
	if doc, ok := heredoc(string(t)); ok {
		return doc
	}
	return Quote(string(t))
}

// Strings is a list of texts.
type Strings []string

// Set implements Value.
func (s *Strings) Set(n *Node, add bool) error {
	items, err := n.Texts()
	if err != nil {
		return err
	}
	var list []string
	if add {
		list = slices.Clip(*s)
	}
	for _, item := range items {
		list = append(list, item.Text)
	}
	*s = list
	return nil
}

// IsList returns true: += adds to the list.
func (s *Strings) IsList() bool { return true }

// String returns the texts separated by commas, in quotes where they need them.
func (s Strings) String() string {
	items := make([]string, len(s))
	for i, t := range s {
		items[i] = quoteItem(t)
	}
	return joinList(items)
}

// A Secret is a text that must not be shown. Printing and encoding it gives
// asterisks. The zero Secret is none.
type Secret struct{ text *string } // a pointer: fmt prints unexported fields of others without calling String

// NewSecret returns a secret with the text given; "" is none.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Set implements Value.
func (s *Secret) Set(n *Node, _ bool) error {
	text, err := n.Word()
	if err != nil {
		return err
	}
	*s = NewSecret(text)
	return nil
}

// Reveal returns the text itself.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsSet tells whether there is a secret.
func (s Secret) IsSet() bool { return s.text != nil }

// Equal tells whether two secrets are the same. The time it takes tells nothing
// about the texts but their lengths.
func (s Secret) Equal(t Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(t.Reveal())) == 1
}

// String returns asterisks in quotes, or "" in quotes when there is no secret.
func (s Secret) String() string {
	if s.text == nil {
		return `""`
	}
	return `"********"`
}

// GoString returns the same as String.
func (s Secret) GoString() string { return s.String() }

// MarshalText returns asterisks, or nothing when there is no secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(strings.Trim(s.String(), `"`)), nil }

// LogValue returns asterisks.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

func (s *Secret) isSecret() bool { return s.text != nil }

// Enum returns a Value which sets *p to one of the words. A word is accepted in
// any case and stored as given here.
func Enum[T ~string](p *T, words ...T) Value { return &enum[T]{p: p, words: words} }

type enum[T ~string] struct {
	p     *T
	words []T
}

func (e *enum[T]) Set(n *Node, _ bool) error {
	text, err := n.Word()
	if err != nil {
		return err
	}
	for _, w := range e.words {
		if strings.EqualFold(string(w), text) {
			*e.p = w
			return nil
		}
	}
	return n.Errorf("%s is not known here; expected %s", quoteFor(text), orList(e.words))
}

func (e *enum[T]) String() string { return string(*e.p) }

// Optional returns a Value that sets *p to a new value, or to nil for the word
// "default", which leaves it to somebody else. expected is for its error, as in "flag;
// expected yes, no or default".
func Optional[P interface {
	*T
	Value
}, T any](p *P, expected string) Value {
	return &optional[P, T]{p: p, expected: expected}
}

type optional[P interface {
	*T
	Value
}, T any] struct {
	p        *P
	expected string
}

func (o *optional[P, T]) Set(n *Node, add bool) error {
	text, err := n.Word()
	if err != nil {
		return err
	}
	if strings.EqualFold(text, "default") {
		*o.p = nil
		return nil
	}
	v := P(new(T))
	if v.Set(n, add) != nil {
		return n.Errorf("%s is not a %s", quoteFor(text), o.expected)
	}
	*o.p = v
	return nil
}

func (o *optional[P, T]) String() string {
	if *o.p == nil {
		return "default"
	}
	return (*o.p).String()
}

// orList returns "a, b or c".
func orList[T ~string](words []T) string { return wordList(words, " or ") }

// wordList returns "a, b and c" where last is " and ".
func wordList[T ~string](words []T, last string) string {
	var b strings.Builder
	for i, w := range words {
		switch {
		case i == 0:
		case i == len(words)-1:
			b.WriteString(last)
		default:
			b.WriteString(", ")
		}
		b.WriteString(string(w))
	}
	return b.String()
}

// joinList writes the items of a list as the file would have them.
func joinList(items []string) string {
	if len(items) == 0 {
		return "[]"
	}
	return strings.Join(items, ", ")
}

// quoteFor returns a text from the file for a message: in quotes, shortened, and
// without control characters.
func quoteFor(text string) string {
	const most = 60
	if r := []rune(text[:min(len(text), 4*most)]); len(r) > most {
		text = string(r[:most]) + "…"
	}
	if from, to, ok := userInfo(text); ok {
		text = text[:from] + "********" + text[to:]
	}
	text = visible(text)
	if strings.Contains(text, `"`) {
		return "'" + text + "'"
	}
	return `"` + text + `"`
}

// join returns the errors as one, nil when there are none.
func join(errs []error) error { return errors.Join(errs...) }
