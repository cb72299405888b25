package checks

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"rmilter/internal/mail"
	"rmilter/scan"
)

var (
	subjAllCaps  = symbol("SUBJ_ALL_CAPS", 3, "subject", "The subject is written in capital letters; the longer, the more it weighs.")
	longSubj     = symbol("LONG_SUBJ", 3, "subject", "The subject has more than 200 characters; the longer, the more it weighs.")
	urlInSubject = symbol("URL_IN_SUBJECT", 4, "subject", "There is a link in the subject; it weighs most when it is the whole subject.")

	subjEndsExclaim  = symbol("SUBJECT_ENDS_EXCLAIM", 0, "headers", "The subject ends with an exclamation mark.")
	subjHasExclaim   = symbol("SUBJECT_HAS_EXCLAIM", 0, "headers", "There is an exclamation mark in the subject.")
	subjEndsQuestion = symbol("SUBJECT_ENDS_QUESTION", 1, "headers", "The subject ends with a question mark.")
	subjHasQuestion  = symbol("SUBJECT_HAS_QUESTION", 0, "headers", "There is a question mark in the subject.")
	subjHasCurrency  = symbol("SUBJECT_HAS_CURRENCY", 1, "headers", "There is the sign of a currency in the subject.")
	subjEndsSpaces   = symbol("SUBJECT_ENDS_SPACES", 0.5, "headers", "The subject ends with spaces.")
)

// Subject looks at the subject.
var Subject = &scan.Spec[struct{}, struct{}]{
	Name: "subject",
	Doc:  "The subject: capital letters, length, links, how it ends.",
	Symbols: []*scan.Symbol{
		subjAllCaps, longSubj, urlInSubject, subjEndsExclaim, subjHasExclaim, subjEndsQuestion, subjHasQuestion,
		subjHasCurrency, subjEndsSpaces,
	},
	New: plain(runSubject),
}

const (
	capsFull    = 40      // characters of capitals that weigh in full
	longSubject = 200     // characters that are long
	longFull    = 400     // characters that weigh in full
	maxSubject  = 8 << 10 // bytes looked at
)

func runSubject(p *scan.Pass) {
	f, ok := p.Message.Header().Field("Subject")
	if !ok {
		return
	}
	text := f.Text()
	text = text[:min(len(text), maxSubject)]
	trimmed := strings.TrimSpace(text)
	if trimmed == "" {
		return
	}
	if raw := strings.TrimRight(f.Raw, "\r\n"); strings.HasSuffix(raw, " ") || strings.HasSuffix(raw, "\t") || strings.HasSuffix(text, " ") {
		p.Report(subjEndsSpaces)
	}
	runMarks(p, trimmed, "!", subjEndsExclaim, subjHasExclaim)
	runMarks(p, trimmed, "?", subjEndsQuestion, subjHasQuestion)
	if i := strings.IndexFunc(trimmed, func(r rune) bool { return unicode.Is(unicode.Sc, r) }); i >= 0 {
		r, _ := utf8.DecodeRuneInString(trimmed[i:])
		p.Report(subjHasCurrency, string(r))
	}
	runSubjectLength(p, withoutReply(trimmed))
	runSubjectLink(p, trimmed)
}

// runMarks looks for a mark at the end or elsewhere.
func runMarks(p *scan.Pass, text, mark string, ends, has *scan.Symbol) {
	if strings.HasSuffix(text, mark) {
		p.Report(ends)
	} else if strings.Contains(text, mark) {
		p.Report(has)
	}
}

// withoutReply takes off what mail programs put before the subject of an answer.
func withoutReply(s string) string {
	for {
		i := strings.IndexByte(s[:min(len(s), 10)], ':')
		if i < 0 {
			return s
		}
		switch strings.ToLower(s[:i]) {
		case "re", "fw", "fwd", "aw", "wg", "sv", "vs", "tr", "rv", "antwort":
		default:
			return s
		}
		rest := strings.TrimLeft(s[i+1:], " \t")
		if rest == "" {
			return s
		}
		s = rest
	}
}

// runSubjectLength looks at length and capitals.
func runSubjectLength(p *scan.Pass, text string) {
	n, upper, other := 0, 0, 0
	lower := false
	for _, r := range text {
		n++
		switch {
		case unicode.IsUpper(r):
			upper++
		case unicode.IsLower(r):
			lower = true
		case unicode.IsLetter(r):
			other++ // of scripts that know no capitals
		}
	}
	if upper > other && !lower {
		p.ReportScaled(subjAllCaps, min(float64(n)/capsFull, 1), strconv.Itoa(n))
	}
	if n > longSubject {
		p.ReportScaled(longSubj, min(float64(n)/longFull, 1), strconv.Itoa(n))
	}
}

// runSubjectLink looks for links. Mere names of domains are what people write about,
// or files of programmers.
func runSubjectLink(p *scan.Pass, text string) {
	strength, worst := 0.0, ""
	for _, l := range mail.TextLinks(text) {
		if l.Kind != mail.LinkText || strings.HasPrefix(l.URL, "mailto:") {
			continue
		}
		s := 0.25
		switch {
		case !strings.Contains(l.Text, "://"):
			s = 0.1
		case l.Text == text:
			s = 1
		}
		if s > strength {
			strength, worst = s, l.Text
		}
	}
	if strength > 0 {
		p.ReportScaled(urlInSubject, strength, shown(worst))
	}
}
