package dkim

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"rmilter/internal/mail"
)

// A SigningKey is a key and who signs with it.
type SigningKey struct {
	Domain   string // d=; a U-label becomes an A-label
	Selector string // s=
	Identity string // i=, left out when ""; its domain must be Domain or below it
	Key      *PrivateKey
}

// SignOptions say how a message is signed. Of the zero value only Now has to be set.
type SignOptions struct {
	Now         time.Time     // t=
	Lifetime    time.Duration // x= is that much later; no x= when it isn't positive
	HeaderCanon Canon
	BodyCanon   Canon
	// Headers are the fields that are signed when they are there, each as often as it
	// is there; DefaultHeaders when nil. From is signed always.
	Headers []string
	// OverSigned are fields that are signed once more than they are there, so that
	// adding one breaks the signature (RFC 6376, section 8.15); DefaultOverSigned when
	// nil.
	OverSigned []string
	CRLF       bool // fold with CRLF; with LF otherwise, as milters do
	BareLF     bool // a bare LF ends a line of the body, see VerifyOptions
}

// DefaultHeaders returns the fields that are signed when they are there.
func DefaultHeaders() []string {
	return []string{
		"From", "Sender", "Reply-To", "Subject", "Date", "Message-ID", "To", "Cc", "MIME-Version", "Content-Type",
		"Content-Transfer-Encoding", "Resent-To", "Resent-Cc", "Resent-From", "Resent-Sender", "Resent-Message-ID",
		"In-Reply-To", "References", "List-Id", "List-Owner", "List-Unsubscribe", "List-Unsubscribe-Post",
		"List-Subscribe", "List-Post",
	}
}

// DefaultOverSigned returns the fields that nobody may add to a signed message. Date,
// Message-ID and MIME-Version are not among them: MTAs add these when they are missing,
// after the signature was made.
func DefaultOverSigned() []string { return []string{"From", "Subject", "To", "Cc", "Reply-To"} }

// ErrTooManyFields means that a message has more fields to sign than verifiers look at.
var ErrTooManyFields = errors.New("more fields to sign than verifiers look at")

// A Signer signs one message with one or more keys in one pass over the body. It needs
// no closing. Its methods must be called by one goroutine at a time.
type Signer struct {
	keys   []SigningKey
	o      SignOptions
	body   bodyHasher
	closed bool
}

// NewSigner takes the keys to sign with, one signature each. The error says which key
// can't sign.
func NewSigner(keys []SigningKey, o SignOptions) (*Signer, error) {
	s := &Signer{keys: slices.Clone(keys), o: o}
	for i := range s.keys {
		k := &s.keys[i]
		name := RecordName(k.Domain, k.Selector)
		if name == "" || k.Key == nil {
			return nil, fmt.Errorf("no key, domain or selector to sign with: d=%q s=%q", k.Domain, k.Selector)
		}
		k.Selector, k.Domain, _ = strings.Cut(name, "._domainkey.")
		if k.Identity == "" {
			continue
		}
		id := Signature{Domain: k.Domain}
		if f := readIdentity(&id, tagList{{name: "i", value: k.Identity}}); f != nil || strings.ContainsAny(k.Identity, ";=") {
			return nil, fmt.Errorf("i=%q can't stand in a signature of %s", k.Identity, k.Domain)
		}
		k.Identity = id.Identity
	}
	if s.o.Headers == nil {
		s.o.Headers = DefaultHeaders()
	}
	if s.o.OverSigned == nil {
		s.o.OverSigned = DefaultOverSigned()
	}
	if o.BareLF {
		s.body.fix = new(crlfMaker)
	}
	s.body.want(o.BodyCanon, -1)
	return s, nil
}

// Write takes the next bytes of the body. It keeps none of them and never fails.
func (s *Signer) Write(p []byte) (int, error) {
	s.body.write(p)
	return len(p), nil
}

// Sign ends the body and signs a header, the topmost field first, as it will leave. It
// returns a DKIM-Signature for each key, to be put above all other fields; the first
// goes to the top. It may be called again with another header.
func (s *Signer) Sign(fields mail.Header) ([]mail.Field, error) {
	if !s.closed {
		s.body.close()
		s.closed = true
	}
	h := newHeader(fields)
	names := s.names(h)
	if len(names) > DefaultLimits.Names {
		return nil, ErrTooManyFields
	}
	made := make([]mail.Field, 0, len(s.keys))
	for i := range s.keys {
		f, err := s.sign(&s.keys[i], h, names)
		if err != nil {
			return nil, err
		}
		made = append(made, f)
	}
	return made, nil
}

// names returns h=: each name in the writing of the options.
func (s *Signer) names(h *header) []string {
	var names []string
	seen := map[string]bool{}
	for _, name := range slices.Concat([]string{"From"}, s.o.Headers, s.o.OverSigned) {
		low := fieldName(name)
		if seen[low] {
			continue
		}
		seen[low] = true
		n := len(h.byName[low])
		if slices.ContainsFunc(s.o.OverSigned, func(o string) bool { return fieldName(o) == low }) || low == "from" && n == 0 {
			n++
		}
		for range min(n, DefaultLimits.Names+1) {
			names = append(names, low)
		}
	}
	return names
}

// sign makes one signature.
func (s *Signer) sign(k *SigningKey, h *header, names []string) (mail.Field, error) {
	sum := s.body.ways[s.o.BodyCanon].meter.total
	w := folder{col: len("DKIM-Signature:")}
	w.tag("v", "1")
	w.tag("a", k.Key.kind+"-sha256")
	w.tag("c", s.o.HeaderCanon.String()+"/"+s.o.BodyCanon.String())
	w.tag("d", k.Domain)
	w.tag("s", k.Selector)
	w.tag("t", strconv.FormatInt(s.o.Now.Unix(), 10))
	if s.o.Lifetime > 0 {
		w.tag("x", strconv.FormatInt(s.o.Now.Add(s.o.Lifetime).Unix(), 10))
	}
	if k.Identity != "" {
		w.tag("i", k.Identity)
	}
	w.list("h", names)
	w.tag("bh", base64.StdEncoding.EncodeToString(sum[:]))
	w.word("b=")

	hash := sha256.New()
	h.write(hash, h.pick(names), s.o.HeaderCanon)
	own := newHeader(mail.Header{{Name: "DKIM-Signature", Raw: w.b.String()}})
	own.writeUnsigned(hash, 0, w.b.Len(), w.b.Len(), s.o.HeaderCanon)
	b, err := k.Key.sign([sha256.Size]byte(hash.Sum(nil)))
	if err != nil {
		return mail.Field{}, err
	}
	w.pieces(base64.StdEncoding.EncodeToString(b))
	raw := w.b.String()
	if s.o.CRLF {
		raw = strings.ReplaceAll(raw, "\n", "\r\n")
	}
	return mail.Field{Name: "DKIM-Signature", Raw: raw}, nil
}

// maxColumns is how long a line is at most, without its end (RFC 5322, section 2.1.1).
const maxColumns = 78

// A folder writes the value of a signature field in lines.
type folder struct {
	b   strings.Builder
	col int
}

// word writes a word behind a space, or on a new line when it doesn't fit here.
func (w *folder) word(s string) {
	if w.col+len(" ")+len(s) > maxColumns {
		w.b.WriteString("\n\t")
		w.col = len("\t")
	} else {
		w.b.WriteString(" ")
		w.col++
	}
	w.b.WriteString(s)
	w.col += len(s)
}

func (w *folder) tag(name, value string) { w.word(name + "=" + value + ";") }

// list writes a tag whose value is a list with colons, which may be folded behind each.
func (w *folder) list(name string, words []string) {
	for i, s := range words {
		s += ":"
		if i == len(words)-1 {
			s = s[:len(s)-1] + ";"
		}
		switch {
		case i == 0:
			w.word(name + "=" + s)
		case w.col+len(s) > maxColumns:
			w.word(s)
		default:
			w.b.WriteString(s)
			w.col += len(s)
		}
	}
}

// pieces writes base64 in pieces that fill the lines.
func (w *folder) pieces(s string) {
	for {
		n := min(len(s), maxColumns-w.col)
		w.b.WriteString(s[:n])
		if s = s[n:]; s == "" {
			return
		}
		w.b.WriteString("\n\t")
		w.col = len("\t")
	}
}
