package filter

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"rmilter/greylist"
	"rmilter/milter"
	"rmilter/scan"
)

// maxSymbols is the most bytes that the symbols may take in the log line.
const maxSymbols = 900

// maxValue bounds any other value of it, in bytes before escaping.
const maxValue = 256

// A Pair is a name and a value of the log line.
type Pair struct{ Key, Value string }

// Pairs returns the contents of the log line in its order. The keys and their order
// are a contract; values are as they are, without escapes.
func (r *Result) Pairs() []Pair {
	e := &r.Envelope
	score, symbols := "-", "-"
	if r.Report != nil {
		score = fmt.Sprintf("%.2f/%.2f", r.Verdict.Score, r.Verdict.Required)
		symbols = symbolList(r.Verdict.Rows)
	}
	rcpt := ""
	if len(e.Rcpts) > 0 {
		rcpt = e.Rcpts[0].String()
	}
	dry := "0"
	if r.Verdict.DryRun {
		dry = "1"
	}
	ip := "-"
	if e.ClientIP.IsValid() {
		ip = e.ClientIP.String()
	}
	return []Pair{
		{"action", r.action()},
		{"reply", replyWord(r.Reply)},
		{"score", score},
		{"ip", ip},
		{"host", e.Hostname},
		{"helo", e.Helo},
		{"user", e.User},
		{"from", e.From.String()},
		{"rcpt", rcpt},
		{"nrcpt", strconv.Itoa(r.NRcpt)},
		{"qid", e.QueueID},
		{"mid", r.MessageID},
		{"size", strconv.FormatInt(r.Size, 10)},
		{"auth", r.auth()},
		{"grey", r.grey()},
		{"av", "-"},
		{"dkim_sign", r.Signed},
		{"trust", e.Trust.String()},
		{"ms", strconv.FormatInt(r.Took.Milliseconds(), 10)},
		{"dry", dry},
		{"flags", r.flags()},
		{"sym", symbols},
	}
}

// Line returns the log line of a message.
func (r *Result) Line() string {
	b := make([]byte, 0, 512)
	b = append(b, r.Envelope.ID...)
	b = append(b, ':')
	for _, p := range r.Pairs() {
		b = append(b, ' ')
		b = append(b, p.Key...)
		b = append(b, '=')
		if p.Key == "sym" { // bounded and escaped already
			b = append(b, p.Value...)
			continue
		}
		b = appendValue(b, p.Value)
	}
	return string(b)
}

// action returns rspamd's word for the verdict, or how the message ended without one.
func (r *Result) action() string {
	switch r.End {
	case NotTaken:
		return scan.SoftReject.String()
	case Aborted:
		return "abort"
	}
	return r.Verdict.Action.String()
}

// auth returns what SPF, DKIM, DMARC and ARC came to.
func (r *Result) auth() string {
	if r.Report == nil {
		return ""
	}
	return r.Report.AuthWord()
}

// grey returns what greylisting said in a word, with the time that a message waited.
func (r *Result) grey() string {
	g := &r.Greylist
	if g.State == greylist.Off {
		return ""
	}
	word := g.State.String()
	if g.Waited > 0 {
		word += ":" + strconv.FormatInt(int64(g.Waited.Seconds()), 10) + "s"
	}
	return word
}

func (r *Result) flags() string {
	f := r.Flags
	if r.Refused > 0 {
		f = append(f[:len(f):len(f)], "rcpt_refused:"+strconv.Itoa(r.Refused))
	}
	if r.Report != nil && len(r.Report.Failed) > 0 {
		f = append(f[:len(f):len(f)], "checks_failed:"+strconv.Itoa(len(r.Report.Failed)))
	}
	return strings.Join(f, ",")
}

// replyWord returns code, enhanced code and nothing more: the text is known from the
// action and the configuration.
func replyWord(r milter.Reply) string {
	switch r.Action {
	case milter.Respond:
		return strings.TrimSpace(strconv.Itoa(r.Code) + " " + r.Enhanced)
	case milter.Discard:
		return "discard"
	}
	return ""
}

// appendValue appends a value: "-" for none, as it is when nothing in it could be
// mistaken, else as a Go string.
func appendValue(b []byte, s string) []byte {
	if s == "" {
		return append(b, '-')
	}
	if len(s) > maxValue {
		cut := maxValue
		for cut > maxValue-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	if plain(s) {
		return append(b, s...)
	}
	return strconv.AppendQuote(b, s)
}

func plain(s string) bool {
	for _, r := range s {
		if r <= ' ' || r == '"' || r == '\\' || r == utf8.RuneError || !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// symbolList renders rows as NAME(score){option,option}. Where they would be too
// long, the options go first, then symbols from the end.
func symbolList(rows []scan.Row) string {
	if len(rows) == 0 {
		return "-"
	}
	if s, ok := joinSymbols(rows, true); ok {
		return s
	}
	s, _ := joinSymbols(rows, false)
	return s
}

func joinSymbols(rows []scan.Row, options bool) (s string, all bool) {
	var b []byte
	for _, r := range rows {
		if r.Hidden {
			continue
		}
		mark := len(b)
		if mark > 0 {
			b = append(b, ',')
		}
		b = append(b, r.Symbol.Name...)
		b = append(b, '(')
		b = strconv.AppendFloat(b, r.Weight, 'f', 2, 64)
		b = append(b, ')')
		if options && len(r.Details) > 0 {
			b = append(b, '{')
			for i, d := range r.Details {
				if i > 0 {
					b = append(b, ',')
				}
				b = appendDetail(b, d)
			}
			b = append(b, '}')
		}
		if len(b) > maxSymbols {
			return string(b[:mark]), false
		}
	}
	return string(b), true
}

// appendDetail appends one option, with Go escapes and without what separates them.
func appendDetail(b []byte, s string) []byte {
	if plain(s) && !strings.ContainsAny(s, ",{}()") {
		return append(b, s...)
	}
	return strconv.AppendQuote(b, s)
}
