package checks

import (
	"testing"

	"rmilter/internal/mail"
)

func TestMIMEHeader(t *testing.T) {
	const version = "MIME-Version: 1.0\n"
	runFixtures(t, MIMEHeader, []fixture{
		{"no MIME", nil, "Subject: Hi\n\ntext\n", ""},
		{"usual", nil, version + "Content-Type: text/html; charset=utf-8\n\ntext\n", ""},
		{"no version, plain", nil, "Content-Type: text/plain\n\ntext\n", "MISSING_MIME_VERSION"},
		{"no version, encoding alone", nil, "Content-Transfer-Encoding: 8bit\n\ntext\n", "MISSING_MIME_VERSION"},
		{"no version, HTML", nil, "Content-Type: text/html\n\ntext\n", "MISSING_MIME_VERSION MIME_HEADER_CTYPE_ONLY"},
		{"no version, HTML with encoding", nil, "Content-Type: text/html\nContent-Transfer-Encoding: 7bit\n\ntext\n", "MISSING_MIME_VERSION"},
		{"no version, HTML with disposition", nil, "Content-Type: text/html\nContent-Disposition: inline\n\ntext\n", "MISSING_MIME_VERSION"},
		{"version in other case", nil, "mime-version: 1.0\nContent-Type: text/html\n\ntext\n", ""},
		{"no type", nil, version + "Content-Type: text\n\ntext\n", "BROKEN_CONTENT_TYPE{text}"},
		{"a type with spaces", nil, version + "Content-Type: text / html\n\ntext\n", ""},
		{"an empty type", nil, version + "Content-Type:\n\ntext\n", ""},
		{"an unknown type", nil, version + "Content-Type: x-odd/y+z.1\n\ntext\n", ""},
		{"no boundary", nil, version + "Content-Type: multipart/mixed\n\ntext\n", "BROKEN_CONTENT_TYPE{multipart/mixed}"},
		{"an empty boundary", nil, version + "Content-Type: multipart/mixed; boundary=\"\"\n\ntext\n", "BROKEN_CONTENT_TYPE{multipart/mixed; boundary=\"\"}"},
		{"of a part", nil, version + "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: ???\n\ntext\n--b--\n", "BROKEN_CONTENT_TYPE{???}"},
		{"the first counts", nil, version + "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: one\n\ntext\n--b\nContent-Type: two\n\ntext\n--b--\n", "BROKEN_CONTENT_TYPE{one}"},
	})
}

func TestMIMEHeaderCut(t *testing.T) {
	m := mail.Parse([]byte("X-One: 1\nContent-Type: text/html\nMIME-Version: 1.0\n\ntext"), mail.Limits{Fields: 2})
	if r := scanWith(t, "", stranger(), m, MIMEHeader); findings(r) != "" {
		t.Errorf("a header that was cut off: got %s, want nothing", findings(r))
	}
}
