package checks

import (
	"rmilter/internal/mail"
	"rmilter/scan"
)

var (
	missingMIMEVersion = symbol("MISSING_MIME_VERSION", 2, "headers", "The message has fields of MIME but not MIME-Version.")
	mimeCtypeOnly      = symbol("MIME_HEADER_CTYPE_ONLY", 2, "headers", "Content-Type is the only field of MIME, and it says that the message is not plain text.")
	brokenContentType  = symbol("BROKEN_CONTENT_TYPE", 1.5, "headers", "A Content-Type is not well-formed, or a multipart has no boundary.")
)

// MIMEHeader looks at the fields of MIME.
var MIMEHeader = &scan.Spec[struct{}, struct{}]{
	Name:    "mime_header",
	Doc:     "The header fields of MIME.",
	Symbols: []*scan.Symbol{missingMIMEVersion, mimeCtypeOnly, brokenContentType},
	New:     plain(runMIMEHeader),
}

func runMIMEHeader(p *scan.Pass) {
	m := p.Message
	var version, ctype, encoding, disposition bool
	for _, f := range m.Header() {
		switch {
		case f.Is("MIME-Version"):
			version = true
		case f.Is("Content-Type"):
			ctype = true
		case f.Is("Content-Transfer-Encoding"):
			encoding = true
		case f.Is("Content-Disposition"):
			disposition = true
		}
	}
	if !version && !m.HeaderCut() {
		if ctype || encoding {
			p.Report(missingMIMEVersion)
		}
		if ctype && !encoding && !disposition && m.Parts()[0].Type() != "text/plain" {
			p.Report(mimeCtypeOnly)
		}
	}
	for _, part := range m.Parts() {
		if badType(part) {
			p.Report(brokenContentType, shown(part.ContentType()))
			return
		}
	}
}

// badType tells whether a part's Content-Type can't be right. A field without a value
// is as good as none.
func badType(p *mail.Part) bool {
	if !p.TypeOK() {
		return p.ContentType() != ""
	}
	return p.IsMultipart() && p.Param("boundary") == "" && p.ContentType() != ""
}
