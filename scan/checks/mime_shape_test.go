package checks

import (
	"strings"
	"testing"
)

// multi returns a multipart of a kind with parts that begin with their types.
func multi(kind string, parts ...string) string {
	b := strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			return '-'
		}
		return r
	}, kind)
	s := "Content-Type: multipart/" + kind + "; boundary=" + b + "\n\n"
	for _, p := range parts {
		if !strings.HasPrefix(p, "Content-Type:") {
			p = "Content-Type: " + p + "\n\ntext\n"
		}
		s += "--" + b + "\n" + p + "\n"
	}
	return s + "--" + b + "--\n"
}

func TestMIMEShape(t *testing.T) {
	const (
		plain    = "text/plain"
		html     = "text/html"
		calendar = "text/calendar; method=REQUEST"
		pdf      = "application/pdf; name=x.pdf"
		binary   = "application/octet-stream"
	)
	whole := func(s string) string { return "MIME-Version: 1.0\n" + s }
	single := func(s string) string { return whole("Content-Type: " + s + "\n\ntext\n") }
	embed := func(s string) string { return "Content-Type: message/rfc822\n\n" + whole(s) }
	runFixtures(t, MIMEShape, []fixture{
		{"plain", nil, "Subject: Hi\n\ntext\n", ""},
		{"HTML", nil, single(html), "MIME_HTML_ONLY"},
		{"both", nil, whole(multi("alternative", plain, html)), ""},
		{"HTML with pictures", nil, whole(multi("related", html, "image/png")), "MIME_HTML_ONLY"},
		{"HTML and a file", nil, whole(multi("mixed", html, pdf)), "MIME_HTML_ONLY"},
		{"HTML and a text file", nil, whole(multi("mixed", html, "text/plain; name=x.txt")), "MIME_HTML_ONLY"},
		{"HTML and a message", nil, whole(multi("mixed", html, embed(multi("alternative", plain, html)))), "MIME_HTML_ONLY"},
		{"HTML as a file", nil, whole(multi("mixed", plain, "text/html; name=x.html")), ""},
		{"HTML and plain", nil, whole(multi("mixed", plain, html)), ""},

		{"alternative without plain text", nil, whole(multi("alternative", html)), "MIME_HTML_ONLY MIME_MA_MISSING_TEXT"},
		{"alternative without HTML", nil, whole(multi("alternative", plain)), "MIME_MA_MISSING_HTML"},
		{"alternative of two plain texts", nil, whole(multi("alternative", plain, plain)), "MIME_MA_MISSING_HTML"},
		{"alternative with related", nil, whole(multi("alternative", plain, multi("related", html, "image/png"))), ""},
		{"alternative in mixed", nil, whole(multi("mixed", multi("alternative", plain, html), pdf)), ""},
		{"invitation", nil, whole(multi("alternative", plain, html, calendar)), ""},
		{"invitation without plain text", nil, whole(multi("alternative", html, calendar)), ""},
		{"invitation without HTML", nil, whole(multi("alternative", plain, calendar)), ""},
		{"enriched", nil, whole(multi("alternative", plain, "text/enriched")), ""},
		{"alternative in a message in the message", nil, whole(multi("mixed", plain, embed(multi("alternative", html)))), ""},
		{"HTML and a related without parts", nil, whole(multi("alternative", html, "Content-Type: multipart/related; boundary=never\n\ntext\n")), "MIME_HTML_ONLY MIME_MA_MISSING_TEXT"},
		{"alternative that is empty", nil, whole("Content-Type: multipart/alternative; boundary=b\n\n--b--\n"), "MIME_MA_MISSING_TEXT MIME_MA_MISSING_HTML"},
		{"alternative that may be cut off", nil, whole(multi("alternative", plain+"\n\n"+strings.Repeat("word\n", headSize/5+1))), ""},
		{"alternative that is large", nil, whole(multi("alternative", plain+"\n\n"+strings.Repeat("word\n", headSize/6-100))), "MIME_MA_MISSING_HTML"},

		{"mixed of one text", nil, whole(multi("mixed", plain)), "CTYPE_MIXED_BOGUS{2}"},
		{"mixed of an alternative", nil, whole(multi("mixed", multi("alternative", plain, html))), "CTYPE_MIXED_BOGUS{4}"},
		{"mixed with a list's footer", nil, whole(multi("mixed", plain, plain)), ""},
		{"mixed with a file", nil, whole(multi("mixed", plain, pdf)), ""},
		{"mixed of a file", nil, whole(multi("mixed", pdf)), ""},
		{"mixed of a text file", nil, whole(multi("mixed", "text/plain; name=x.txt")), ""},
		{"mixed of a message", nil, whole(multi("mixed", embed("Subject: Hi\n\ntext\n"))), ""},
		{"mixed within", nil, whole(multi("related", multi("mixed", plain), "image/png")), ""},
		{"mixed without parts", nil, whole("Content-Type: multipart/mixed; boundary=b\n\n--b--\n"), ""},

		{"binary", nil, whole(multi("mixed", plain, binary+"; name=x.exe")), "CTYPE_MISSING_DISPOSITION{x.exe}"},
		{"two binaries", nil, whole(multi("mixed", plain, binary, binary)), "CTYPE_MISSING_DISPOSITION{no name}"},
		{"binary alone", nil, single(binary), "CTYPE_MISSING_DISPOSITION{no name}"},
		{"binary attached", nil, whole(multi("mixed", plain, binary+"\nContent-Disposition: attachment; filename=x")), ""},
		{"binary inline", nil, whole(multi("mixed", plain, binary+"\nContent-Disposition: inline; filename=x")), ""},
		{"binary with an id", nil, whole(multi("related", html, binary+"\nContent-ID: <1@x>")), "MIME_HTML_ONLY"},
		{"binary of another kind", nil, whole(multi("mixed", plain, pdf)), ""},
		{"a signature", nil, whole(multi("mixed", plain, binary+"; name=x.ASC")), ""},
		{"encrypted", nil, whole(multi("encrypted; protocol=\"application/pgp-encrypted\"", "application/pgp-encrypted", binary)), ""},
		{"from a Macintosh", nil, whole(multi("mixed", plain, multi("appledouble", "application/applefile", binary+"; name=x"))), ""},
		{"binary in a message in the message", nil, whole(multi("mixed", plain, embed("Content-Type: "+binary+"\n\nx\n"))), ""},
	})
}
