package milter

import (
	"strconv"
	"strings"

	lib "github.com/emersion/go-milter"
)

const (
	maxReplyLines = 32  // MAXREPLIES of libmilter
	maxReplyLine  = 480 // RFC 5321, section 4.5.3.1.5: 512 octets a line, with code and CRLF
)

// response returns the packet for a reply.
func (r Reply) response() lib.Response {
	switch r.Action {
	case Accept:
		return lib.RespAccept
	case Discard:
		return lib.RespDiscard
	case TempFail:
		return lib.RespTempFail
	case Reject:
		return lib.RespReject
	case Respond:
		return lib.NewResponseStr(respReplyCode, r.format())
	}
	return lib.RespContinue
}

// format writes the reply as SMFIR_REPLYCODE wants it: lines separated by CRLF, each
// with the same code, as newer versions of Postfix check; "%" doubled, as sendmail
// reads the text as a format and falls back to its own at a single one.
func (r Reply) format() string {
	code := r.Code
	if code < 400 || code > 599 {
		code = 451
	}
	enhanced := r.Enhanced
	if enhanced != "" && (!validEnhanced(enhanced) || int(enhanced[0]-'0') != code/100) {
		enhanced = ""
	}
	if enhanced != "" {
		enhanced += " "
	}
	lines := strings.Split(strings.TrimRight(r.Text, "\r\n"), "\n")
	if len(lines) > maxReplyLines {
		// The last line names the log line: keep it.
		lines = append(lines[:maxReplyLines-1:maxReplyLines-1], lines[len(lines)-1])
	}
	var b strings.Builder
	for i, l := range lines {
		b.WriteString(strconv.Itoa(code))
		if i < len(lines)-1 {
			b.WriteByte('-')
		} else {
			b.WriteByte(' ')
		}
		b.WriteString(enhanced)
		writeReplyText(&b, l)
		if i < len(lines)-1 {
			b.WriteString("\r\n")
		}
	}
	return b.String()
}

// writeReplyText writes one line as printable ASCII, shortened in the middle where it
// is too long: its end names the log line.
func writeReplyText(b *strings.Builder, l string) {
	if len(l) > maxReplyLine {
		const tail = 40
		l = l[:maxReplyLine-tail-3] + "..." + l[len(l)-tail:]
	}
	for i := 0; i < len(l); i++ {
		switch c := l[i]; {
		case c == '\r' && i == len(l)-1:
		case c < ' ' || c > '~':
			b.WriteByte('?')
		case c == '%':
			b.WriteString("%%")
		default:
			b.WriteByte(c)
		}
	}
}

// validEnhanced tells whether s is an enhanced status code of a refusal (RFC 3463,
// section 2): class 4 or 5, then two numbers of up to three digits.
func validEnhanced(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) != 3 || parts[0] != "4" && parts[0] != "5" {
		return false
	}
	for _, p := range parts[1:] {
		if len(p) < 1 || len(p) > 3 || strings.Trim(p, "0123456789") != "" {
			return false
		}
	}
	return true
}
