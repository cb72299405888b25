package replies

import (
	"slices"
	"strings"

	"rmilter/internal/mail"
)

// Bounds of what is looked at for Message-IDs.
const (
	maxIDs        = 32       // different ids that a message answers
	maxID         = 256      // bytes of one
	maxFields     = 8        // fields of one name
	maxInReplyTo  = 4 << 10  // bytes of one field, from its beginning
	maxReferences = 16 << 10 // bytes of one field, from its end
)

// answered returns the ids that a message says it answers, each once: those of
// In-Reply-To, then those of References, whose last is the nearest (RFC 5322, section
// 3.6.4). There may be several fields of both.
func answered(h mail.Header) []string {
	var ids []string
	n := 0
	for _, f := range h {
		if !f.Is("In-Reply-To") {
			continue
		}
		if n++; n > maxFields {
			break
		}
		eachID(plainText(f.Value(), maxInReplyTo, false), func(id string) { ids = addID(ids, id) })
	}
	n = 0
	for i := len(h) - 1; i >= 0 && len(ids) < maxIDs; i-- {
		if !h[i].Is("References") {
			continue
		}
		if n++; n > maxFields {
			break
		}
		var list []string
		eachID(plainText(h[i].Value(), maxReferences, true), func(id string) { list = append(list, id) })
		for _, id := range slices.Backward(list) {
			ids = addID(ids, id)
		}
	}
	return ids
}

// addID adds an id unless it is there.
func addID(ids []string, id string) []string {
	if len(ids) >= maxIDs || slices.Contains(ids, id) {
		return ids
	}
	return append(ids, id)
}

// plainText returns the beginning or the end of a value, with encoded words decoded:
// some programs encode whatever is long.
func plainText(value string, most int, end bool) string {
	switch {
	case len(value) <= most:
	case end:
		value = value[len(value)-most:]
	default:
		value = value[:most]
	}
	if strings.Contains(value, "=?") {
		return mail.DecodeText(value)
	}
	return value
}

// eachID finds ids in a text: what stands in angle brackets, and words with an @ outside
// of them, since not all programs write the brackets. White space within brackets is
// from folding. What is no id does no harm: nobody sent it.
func eachID(text string, take func(id string)) {
	for text != "" {
		open := strings.IndexByte(text, '<')
		if open < 0 {
			eachWord(text, take)
			return
		}
		eachWord(text[:open], take)
		text = text[open+1:]
		end := strings.IndexAny(text, "<>")
		switch {
		case end < 0:
			eachWord(text, take)
			return
		case text[end] == '<':
			eachWord(text[:end], take)
			text = text[end:]
		default:
			takeID(withoutSpace(text[:end]), take)
			text = text[end+1:]
		}
	}
}

// eachWord takes the words with an @.
func eachWord(text string, take func(id string)) {
	if strings.IndexByte(text, '@') < 0 {
		return
	}
	for w := range strings.FieldsFuncSeq(text, func(r rune) bool { return r <= ' ' || strings.ContainsRune(`,;()"'>`, r) }) {
		if strings.IndexByte(w, '@') >= 0 {
			takeID(w, take)
		}
	}
}

func takeID(id string, take func(id string)) {
	if id != "" && len(id) <= maxID {
		take(id)
	}
}

// withoutSpace drops white space.
func withoutSpace(s string) string {
	if !strings.ContainsAny(s, " \t\r\n") {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r <= ' ' {
			return -1
		}
		return r
	}, s)
}

// ownID returns the id in the first Message-ID field, "" when there is none that could
// be found again.
func ownID(h mail.Header) string {
	id := ""
	value := h.Get("Message-ID")
	eachID(value[:min(len(value), maxInReplyTo)], func(s string) {
		if id == "" {
			id = s
		}
	})
	return id
}

// idDomain returns what stands behind the last @ of an id, in lower case.
func idDomain(id string) string {
	return strings.ToLower(id[strings.LastIndexByte(id, '@')+1:])
}
