package checks

import (
	"cmp"

	"rmilter/scan"
)

var (
	badCTE7Bit     = symbol("R_BAD_CTE_7BIT", 3.5, "headers", "A text has bytes that are not ASCII, against its Content-Transfer-Encoding; it weighs little for UTF-8 and where there is no such field.")
	missingCharset = symbol("R_MISSING_CHARSET", 0.5, "headers", "A plain text is not ASCII and doesn't name its charset.")
	base64Text     = symbol("MIME_BASE64_TEXT", 0.1, "mime", "A text is encoded in base64.")
	base64Bogus    = symbol("MIME_BASE64_TEXT_BOGUS", 1, "mime", "A text is encoded in base64, but all of it is ASCII.")
)

// MIMEText looks at how texts are encoded. Files that are attached count for nothing:
// to encode them is usual.
var MIMEText = &scan.Spec[struct{}, struct{}]{
	Name:    "mime_text",
	Doc:     "How the texts of the message are encoded.",
	Symbols: []*scan.Symbol{badCTE7Bit, missingCharset, base64Text, base64Bogus},
	New:     plain(runMIMEText),
}

func runMIMEText(p *scan.Pass) {
	var seen [4]bool
	report := func(i int, s *scan.Symbol, strength float64, details ...string) {
		if !seen[i] {
			seen[i] = true
			p.ReportScaled(s, strength, details...)
		}
	}
	for _, part := range p.Message.Parts() {
		if !part.IsText() || part.IsAttachment() || embedded(part) {
			continue
		}
		if enc := part.Encoding(); enc == "base64" {
			report(0, base64Text, 1)
			if text := part.Decoded(); len(text) > 0 && isASCII(text) {
				report(1, base64Bogus, 1)
			}
		} else if claims7Bit(enc) && !isASCII(part.Raw()) {
			// Many don't know that UTF-8 has eight bits, or leave the field out.
			strength := 0.3
			if enc != "" && part.Charset() != "utf-8" {
				strength = 1
			}
			report(2, badCTE7Bit, strength, shown(cmp.Or(enc, "no encoding")), shown(cmp.Or(part.Charset(), "no charset")))
		}
		if part.Type() == "text/plain" && part.Charset() == "" && !isASCII(part.Decoded()) {
			report(3, missingCharset, 1)
		}
	}
}

// claims7Bit tells whether a text of a transfer encoding stands there as ASCII. None
// means 7bit (RFC 2045, section 6.1).
func claims7Bit(encoding string) bool {
	return encoding == "" || encoding == "7bit" || encoding == "quoted-printable"
}

// isASCII tells whether no byte has its eighth bit.
func isASCII(b []byte) bool {
	for len(b) >= 8 {
		if (b[0]|b[1]|b[2]|b[3]|b[4]|b[5]|b[6]|b[7])&0x80 != 0 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
