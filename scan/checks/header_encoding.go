package checks

import (
	"strings"

	"rmilter/internal/mail"
	"rmilter/scan"
)

var (
	fromNeedsEncoding    = symbol("FROM_NEEDS_ENCODING", 1, "headers", "From has bytes that are not ASCII and are not encoded, which the client didn't announce (SMTPUTF8).")
	toNeedsEncoding      = symbol("TO_NEEDS_ENCODING", 1, "headers", "To has bytes that are not ASCII and are not encoded, which the client didn't announce (SMTPUTF8).")
	subjectNeedsEncoding = symbol("SUBJECT_NEEDS_ENCODING", 1, "headers", "The subject has bytes that are not ASCII and are not encoded, which the client didn't announce (SMTPUTF8).")

	fromExcessQP     = symbol("FROM_EXCESS_QP", 1.2, "excessqp", "From is encoded in quoted-printable, but all of it is ASCII.")
	toExcessQP       = symbol("TO_EXCESS_QP", 1.2, "excessqp", "To is encoded in quoted-printable, but all of it is ASCII.")
	ccExcessQP       = symbol("CC_EXCESS_QP", 1.2, "excessqp", "Cc is encoded in quoted-printable, but all of it is ASCII.")
	subjExcessQP     = symbol("SUBJ_EXCESS_QP", 1.2, "excessqp", "The subject is encoded in quoted-printable, but all of it is ASCII.")
	replyToExcessQP  = symbol("REPLYTO_EXCESS_QP", 1.2, "excessqp", "Reply-To is encoded in quoted-printable, but all of it is ASCII.")
	fromExcessB64    = symbol("FROM_EXCESS_BASE64", 1.5, "excessb64", "From is encoded in base64, but all of it is ASCII.")
	toExcessB64      = symbol("TO_EXCESS_BASE64", 1.5, "excessb64", "To is encoded in base64, but all of it is ASCII.")
	ccExcessB64      = symbol("CC_EXCESS_BASE64", 1.5, "excessb64", "Cc is encoded in base64, but all of it is ASCII.")
	subjExcessB64    = symbol("SUBJ_EXCESS_BASE64", 1.5, "excessb64", "The subject is encoded in base64, but all of it is ASCII.")
	replyToExcessB64 = symbol("REPLYTO_EXCESS_BASE64", 1.5, "excessb64", "Reply-To is encoded in base64, but all of it is ASCII.")
)

// HeaderEncoding looks at encoded words (RFC 2047): where they are missing and where
// they only hide plain text.
var HeaderEncoding = &scan.Spec[struct{}, struct{}]{
	Name: "header_encoding",
	Doc:  "Encoded words in the header: missing ones, and those that nothing needs.",
	Symbols: []*scan.Symbol{
		fromNeedsEncoding, toNeedsEncoding, subjectNeedsEncoding,
		fromExcessQP, toExcessQP, ccExcessQP, subjExcessQP, replyToExcessQP,
		fromExcessB64, toExcessB64, ccExcessB64, subjExcessB64, replyToExcessB64,
	},
	New: plain(runHeaderEncoding),
}

// encodedFields are the fields looked at; needs is nil where nothing is said. Nobody
// writes to it.
var encodedFields = [...]struct {
	name              string
	needs, qp, base64 *scan.Symbol
}{
	{"From", fromNeedsEncoding, fromExcessQP, fromExcessB64},
	{"To", toNeedsEncoding, toExcessQP, toExcessB64},
	{"Cc", nil, ccExcessQP, ccExcessB64},
	{"Subject", subjectNeedsEncoding, subjExcessQP, subjExcessB64},
	{"Reply-To", nil, replyToExcessQP, replyToExcessB64},
}

func runHeaderEncoding(p *scan.Pass) {
	utf8 := announced(p.Envelope)
	var seen [len(encodedFields)]bool
	for _, f := range p.Message.Header() {
		for i := range encodedFields {
			if e := &encodedFields[i]; !seen[i] && f.Is(e.name) {
				seen[i] = true
				qp, base64 := encodings(f.Raw)
				switch {
				case !qp && !base64:
					if e.needs != nil && !utf8 && needsEncoding(f.Raw) {
						p.Report(e.needs)
					}
				case needsEncoding(f.Text()):
				default:
					reportExcess(p, f, e.qp, qp)
					reportExcess(p, f, e.base64, base64)
				}
				break
			}
		}
	}
}

func reportExcess(p *scan.Pass, f mail.Field, s *scan.Symbol, found bool) {
	if found {
		p.Report(s, shown(f.Text()))
	}
}

// encodings tells whether a text has encoded words of each kind.
func encodings(s string) (qp, base64 bool) {
	for {
		i := strings.Index(s, "=?")
		if i < 0 {
			return qp, base64
		}
		s = s[i+2:]
		// A charset has at most 40 letters or so.
		if n := strings.IndexByte(s[:min(len(s), 64)], '?'); n > 0 && len(s) > n+2 && s[n+2] == '?' {
			switch s[n+1] {
			case 'q', 'Q':
				qp = true
			case 'b', 'B':
				base64 = true
			}
		}
	}
}

// needsEncoding tells whether a text has bytes that no header may have: control
// characters, and what isn't ASCII.
func needsEncoding(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= 0x7f || c < ' ' && c != '\t' && c != '\n' && c != '\r' {
			return true
		}
	}
	return false
}
