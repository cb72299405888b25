package controller

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"rmilter/internal/filter"
	"rmilter/internal/mail"
)

// Bounds of the header of a scan request.
const (
	maxFields = 2 * filter.MaxRecipients // fields, those of the query among them
	maxText   = 1024                     // bytes of one that names something
)

// A request is what the header of a scan request says.
type request struct {
	envelope   mail.Envelope
	sender     bool     // the sender was told; it may be the null one
	nrcpt      int      // recipients, also those that envelope lacks
	notes      []string // what was given and couldn't be used
	settingsID string
	mailbox    string // Deliver-To: where the message goes in the end
	subject    string // of a raw text
	raw        bool   // the body is a text without a header
	zstd       bool   // the body is compressed
	noLog      bool
	flags      map[string]bool
}

// note tells of something that was given and couldn't be used.
func (q *request) note(format string, args ...any) {
	q.notes = append(q.notes, fmt.Sprintf(format, args...))
}

// knownFlags are rspamd's, whether they mean something here or not, and explain.
func knownFlags() []string {
	return []string{"pass_all", "no_log", "skip", "skip_process", "no_stat", "ssl", "profile", "milter", "zstd", "ext_urls", "body_block", "groups", "explain"}
}

// A failure is why a scan request gets no reply.
type failure struct {
	code   int // status of HTTP
	domain string
	text   string
}

// Error returns the text.
func (f *failure) Error() string { return f.text }

// malformed is a failure of the client.
func malformed(format string, args ...any) *failure {
	return &failure{http.StatusBadRequest, "protocol-error", fmt.Sprintf(format, args...)}
}

// parseRequest reads the header of a scan request. Parameters of the query are header
// fields, too.
func parseRequest(h http.Header, query string, log *slog.Logger) (*request, error) {
	if query != "" {
		values, err := url.ParseQuery(query)
		if err != nil {
			return nil, malformed("the query cannot be read")
		}
		h = h.Clone()
		for name, v := range values {
			name = http.CanonicalHeaderKey(name)
			h[name] = append(h[name], v...)
		}
	}
	p := requestParser{header: h, log: log}
	q := &request{flags: map[string]bool{}}
	if err := p.refused(); err != nil {
		return nil, err
	}
	p.envelope(q)
	p.recipients(q)
	q.settingsID, q.mailbox, q.subject = p.text("Settings-Id"), p.text("Deliver-To"), p.text("Subject")
	p.options(q)
	if len(h["Settings"]) > 0 {
		q.note("Settings: they are not read here; Settings-ID names a settings block")
	}
	if p.err != nil {
		return nil, p.err
	}
	return q, nil
}

// A requestParser keeps the first error.
type requestParser struct {
	header http.Header
	log    *slog.Logger
	err    error
}

// refused returns why a request can't be served at all.
func (p *requestParser) refused() error {
	n := 0
	for _, v := range p.header {
		n += len(v)
	}
	if n > maxFields {
		return &failure{http.StatusRequestHeaderFieldsTooLarge, "protocol-error", fmt.Sprintf("more than %d header fields", maxFields)}
	}
	for _, name := range []string{"File", "Path", "Shm"} {
		if len(p.header[name]) > 0 {
			return malformed("%s is refused: send the message as the body of the request", name)
		}
	}
	if len(p.header["Key"]) > 0 {
		return malformed("Key: HTTPCrypt is not spoken here")
	}
	if len(p.header["Dictionary"]) > 0 {
		return malformed("Dictionary: no dictionaries are known here")
	}
	return nil
}

// text returns a field that names something, "" when there is none. Of several the
// first counts.
func (p *requestParser) text(name string) string {
	v := strings.TrimSpace(p.header.Get(name))
	p.bound(name, v)
	return v
}

// bound refuses what no mail system says.
func (p *requestParser) bound(name, v string) {
	if len(v) > maxText {
		p.fail("%s is longer than %d bytes", name, maxText)
	}
	if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		p.fail("%s has control characters in it", name)
	}
}

func (p *requestParser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = malformed(format, args...)
	}
}

// envelope reads what is known of the SMTP session.
func (p *requestParser) envelope(q *request) {
	e := &q.envelope
	if v := p.text("Ip"); v != "" {
		addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(v, "["), "]"))
		if err != nil {
			q.note("the client's address: %.100q is none", v)
		}
		e.ClientIP = addr.Unmap().WithZone("")
	}
	e.Helo, e.Hostname, e.User = p.text("Helo"), p.text("Hostname"), p.text("User")
	e.QueueID, e.MTAName = p.text("Queue-Id"), p.text("Mta-Name")
	e.TLS = strings.TrimSpace(p.text("Tls-Version") + " " + p.text("Tls-Cipher"))
	from := p.text("From")
	e.From.Address, q.sender = mail.ParseAddress(from), from != ""
}

// recipients reads Rcpt: several fields, each with one address or a list of them.
func (p *requestParser) recipients(q *request) {
	for _, field := range p.header["Rcpt"] {
		for _, item := range splitRcpts(field) {
			p.bound("Rcpt", item)
			q.nrcpt++
			if len(q.envelope.Rcpts) < filter.MaxRecipients {
				q.envelope.Rcpts = append(q.envelope.Rcpts, mail.Path{Address: mail.ParseAddress(item)})
			} else {
				q.envelope.RcptsCut = true
			}
		}
	}
}

// splitRcpts splits a list of addresses at its commas. Those in quoted strings and
// angle brackets, as they are in source routes, don't separate, where quotes and
// brackets come in pairs.
func splitRcpts(s string) []string {
	var items []string
	add := func(item string) {
		if item = strings.TrimSpace(item); item != "" && item != "<>" {
			items = append(items, item)
		}
	}
	pairs := splitter{heed: true}
	if !pairs.run(s, func(string) {}) {
		(&splitter{}).run(s, add)
		return items
	}
	pairs.run(s, add)
	return items
}

// A splitter walks a list of addresses.
type splitter struct {
	heed bool // quotes and brackets
}

// run calls add with each item and tells whether all quotes and brackets were closed.
func (p *splitter) run(s string, add func(string)) bool {
	begin, quoted, inside := 0, false, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case !p.heed && c != ',':
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '<':
			inside = true
		case c == '>':
			inside = false
		case c == ',' && !inside:
			add(s[begin:i])
			begin = i + 1
		}
	}
	add(s[begin:])
	return !quoted && !inside
}

// options reads what the client wants to have done and told.
func (p *requestParser) options(q *request) {
	known := map[string]bool{}
	for _, f := range knownFlags() {
		known[f] = true
	}
	for _, list := range p.header["Flags"] {
		for f := range strings.SplitSeq(list, ",") {
			f = strings.ToLower(strings.TrimSpace(f))
			if known[f] {
				q.flags[f] = true
			} else if f != "" && p.log.Enabled(context.Background(), slog.LevelDebug) {
				p.log.Debug("unknown flag of a scan request", "flag", f[:min(len(f), 100)])
			}
		}
	}
	for name, flag := range map[string]string{"Profile": "profile", "Milter": "milter"} {
		if len(p.header[name]) > 0 {
			q.flags[flag] = true
		}
	}
	if strings.EqualFold(p.text("Url-Format"), "extended") {
		q.flags["ext_urls"] = true
	}
	q.noLog = q.flags["no_log"] || strings.EqualFold(p.text("Log"), "no")
	q.raw = isYes(p.text("Raw"))
	q.zstd = q.flags["zstd"]
	for _, name := range []string{"Compression", "Content-Encoding"} {
		switch v := strings.ToLower(p.text(name)); v {
		case "", "identity":
		case "zstd":
			q.zstd = true
		default:
			p.fail("%s: %.40q is not known; expected zstd", name, v)
		}
	}
}

// isYes tells whether a field is a yes.
func isYes(s string) bool {
	switch strings.ToLower(s) {
	case "yes", "true", "1", "on":
		return true
	}
	return false
}
