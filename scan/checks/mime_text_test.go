package checks

import (
	"encoding/base64"
	"testing"
)

func TestMIMEText(t *testing.T) {
	part := func(header, body string) string { return "MIME-Version: 1.0\n" + header + "\n\n" + body + "\n" }
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	const enc = "\nContent-Transfer-Encoding: "
	runFixtures(t, MIMEText, []fixture{
		{"plain", nil, "Subject: Hi\n\ntext\n", ""},
		{"empty", nil, "Subject: Hi\n\n", ""},
		{"8bit", nil, part("Content-Type: text/plain; charset=utf-8"+enc+"8bit", "Grüße"), ""},
		{"binary", nil, part("Content-Type: text/plain; charset=utf-8"+enc+"binary", "Grüße"), ""},
		{"quoted-printable", nil, part("Content-Type: text/plain; charset=utf-8"+enc+"quoted-printable", "Gr=C3=BC=C3=9Fe"), ""},

		{"7bit isn't", nil, part("Content-Type: text/plain; charset=iso-8859-1"+enc+"7bit", "Gr\xfc\xdfe"), "R_BAD_CTE_7BIT{7bit,iso-8859-1}"},
		{"7bit isn't, HTML", nil, part("Content-Type: text/html"+enc+"7bit", "Gr\xfc\xdfe"), "R_BAD_CTE_7BIT{7bit,no charset}"},
		{"7bit isn't, UTF-8", nil, part("Content-Type: text/plain; charset=UTF-8"+enc+"7bit", "Grüße"), "R_BAD_CTE_7BIT*0.3{7bit,utf-8}"},
		{"no encoding", nil, part("Content-Type: text/plain; charset=iso-8859-1", "Gr\xfc\xdfe"), "R_BAD_CTE_7BIT*0.3{no encoding,iso-8859-1}"},
		{"quoted-printable isn't", nil, part("Content-Type: text/plain; charset=iso-8859-1"+enc+"quoted-printable", "Gr\xfc\xdfe"), "R_BAD_CTE_7BIT{quoted-printable,iso-8859-1}"},
		{"an unknown encoding", nil, part("Content-Type: text/plain; charset=iso-8859-1"+enc+"x-odd", "Gr\xfc\xdfe"), ""},
		{"7bit file isn't", nil, part("Content-Type: text/plain; name=x.txt"+enc+"7bit", "Gr\xfc\xdfe"), ""},
		{"7bit in an embedded message isn't", nil, part("Content-Type: message/rfc822", "Content-Type: text/html; charset=iso-8859-1"+enc+"7bit\n\nGr\xfc\xdfe"), ""},

		{"no charset", nil, part("Content-Type: text/plain"+enc+"8bit", "Gr\xfc\xdfe"), "R_MISSING_CHARSET"},
		{"no charset and no need", nil, part("Content-Type: text/plain"+enc+"8bit", "text"), ""},
		{"no charset in base64", nil, part("Content-Type: text/plain"+enc+"base64", b64("Grüße")), "MIME_BASE64_TEXT R_MISSING_CHARSET"},
		{"no charset, HTML", nil, part("Content-Type: text/html"+enc+"8bit", "Gr\xfc\xdfe"), ""},
		{"no type at all", nil, "Subject: Hi\n\nGr\xfc\xdfe\n", "R_BAD_CTE_7BIT*0.3{no encoding,no charset} R_MISSING_CHARSET"},

		{"base64", nil, part("Content-Type: text/plain; charset=utf-8"+enc+"base64", b64("Grüße")), "MIME_BASE64_TEXT"},
		{"base64 of ASCII", nil, part("Content-Type: text/html; charset=utf-8"+enc+"BASE64", b64("Hello world")), "MIME_BASE64_TEXT MIME_BASE64_TEXT_BOGUS"},
		{"base64 of nothing", nil, part("Content-Type: text/html; charset=utf-8"+enc+"base64", ""), "MIME_BASE64_TEXT"},
		{"base64 of a file", nil, part("Content-Type: text/csv; name=x.csv"+enc+"base64", b64("a,b")), ""},
		{"each once", nil, "MIME-Version: 1.0\n" + multi("mixed", "Content-Type: text/plain"+enc+"base64\n\n"+b64("a"), "Content-Type: text/plain"+enc+"base64\n\n"+b64("b")), "MIME_BASE64_TEXT MIME_BASE64_TEXT_BOGUS"},
		{"the eighth byte and the ninth", nil, part("Content-Type: text/plain; charset=iso-8859-1"+enc+"7bit", "1234567\xfc"), "R_BAD_CTE_7BIT{7bit,iso-8859-1}"},
	})
}
