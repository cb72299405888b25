package checks

import "testing"

func TestHeaderCase(t *testing.T) {
	runFixtures(t, HeaderCase, []fixture{
		{"usual", nil, "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\nX-Mailer: Writer 1\n\n", ""},
		{"7Bit", nil, "Content-Transfer-Encoding: 7Bit\n\n", "CTE_CASE"},
		{"8BIT", nil, "content-transfer-encoding:  8BIT\n\n", "CTE_CASE"},
		{"7bit", nil, "CONTENT-TRANSFER-ENCODING: 7bit\n\n", ""},
		{"BASE64", nil, "Content-Transfer-Encoding: BASE64\n\n", ""},
		{"digit alone", nil, "Content-Transfer-Encoding: 8\n\n", ""},
		{"Mime-Version", nil, "Mime-Version: 1.0\n\n", "MV_CASE"},
		{"mime-version", nil, "mime-version: 1.0\n\n", ""},
		{"X-mailer", nil, "X-mailer: Writer 1\n\n", "XM_CASE"},
		{"semicolon", nil, "Content-Type: text/html;\n\n", "CT_EXTRA_SEMI"},
		{"semicolon and blanks", nil, "Content-Type: text/html; charset=utf-8; \t\n\n", "CT_EXTRA_SEMI"},
		{"semicolon and fold", nil, "Content-Type: text/html;\n charset=utf-8\n\n", ""},
		{"of a part", nil, "Content-Type: multipart/mixed; boundary=b\n\n--b\nMime-Version: 1.0\nContent-Type: text/plain;\nContent-Transfer-Encoding: 7Bit\n\n--b--\n", ""},
	})
}
