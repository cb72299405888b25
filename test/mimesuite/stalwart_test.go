package mimesuite

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"rmilter/internal/mail"
)

// A wantMessage is what the suite mime-stalwart expects of a message.
type wantMessage struct {
	Parts []wantPart `json:"parts"`
}

type wantPart struct {
	Headers []struct {
		Name  json.RawMessage `json:"name"`
		Value json.RawMessage `json:"value"`
		Begin int             `json:"offset_start"`
		End   int             `json:"offset_end"`
	} `json:"headers"`
	Body    json.RawMessage `json:"body"`
	Problem bool            `json:"is_encoding_problem"`
	Header  int             `json:"offset_header"`
	Begin   int             `json:"offset_body"`
	End     int             `json:"offset_end"`
}

type wantStructured struct {
	ContentType *struct {
		Type    string  `json:"c_type"`
		Subtype *string `json:"c_subtype"`
		Attrs   []struct {
			Name  string `json:"name"`
			Value string `json:"value"`
		} `json:"attributes"`
	}
}

type wantAddress struct {
	Name    *string `json:"name"`
	Address *string `json:"address"`
}

// A comparison collects the differences of one file.
type comparison struct {
	t     *testing.T
	raw   []byte
	file  string
	diffs map[string]bool // keys of deliberate differences that were seen
	count int             // what was compared
}

// differ reports a difference, unless there is a reason for it.
func (c *comparison) differ(key, format string, args ...any) {
	id := strings.TrimSuffix(strings.TrimSuffix(c.file, ".json"), ".crlf") + " " + key
	if _, ok := stalwartReasons[id]; ok {
		c.diffs[id] = true
		return
	}
	c.t.Errorf("%s: %s", id, fmt.Sprintf(format, args...))
}

func TestStalwart(t *testing.T) {
	dir := shared(t, "conformance/mime-stalwart/resources/eml")
	c := comparison{t: t, diffs: map[string]bool{}}
	files := filesBelow(t, dir, func(name string) bool { return strings.HasSuffix(name, ".eml") })
	if len(files) < 100 {
		t.Fatalf("only %d messages below %s", len(files), dir)
	}
	compared := 0
	for _, f := range files {
		raw := bytes.ReplaceAll(read(t, f), []byte("\r\n"), []byte("\n"))
		base := strings.TrimSuffix(f, ".eml")
		for suffix, raw := range map[string][]byte{".json": raw, ".crlf.json": bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n"))} {
			var want wantMessage
			if err := json.Unmarshal(read(t, base+suffix), &want); err != nil {
				t.Fatal(err)
			}
			rel, _ := filepath.Rel(dir, base)
			c.file, c.raw = rel+suffix, raw
			m := mail.Parse(raw, mail.Limits{})
			if err := Check(m, mail.DefaultLimits); err != nil {
				t.Errorf("%s: %v", f, err)
			}
			c.message(m, want)
			compared++
		}
	}
	for id := range stalwartReasons {
		if !c.diffs[id] {
			t.Errorf("%s doesn't differ any more: take it out of the reasons", id)
		}
	}
	t.Logf("%d files, %d values compared, %d deliberate differences", compared, c.count, len(c.diffs))
}

// message compares the parts of a message and its own fields.
func (c *comparison) message(m *mail.Message, want wantMessage) {
	if len(want.Parts) == 0 {
		return
	}
	c.fields(m, want.Parts[0])
	c.part(m.Parts()[0], want, 0, "")
}

// part compares a part and those inside.
func (c *comparison) part(p *mail.Part, want wantMessage, index int, path string) {
	w := want.Parts[index]
	path = fmt.Sprintf("%s/%d", path, index)
	c.header(p, w, path)
	for _, h := range w.Headers {
		var name string
		if json.Unmarshal(h.Name, &name) != nil {
			continue
		}
		switch name {
		case "content_type":
			c.contentType(p, h.Value, path)
		case "content_disposition":
			c.disposition(p, h.Value, path)
		}
	}
	if begin, body, end, ok := p.Span(); ok && w.End > 0 {
		if begin != w.Header || body != w.Begin || end != w.End {
			c.differ(path+" span", "got %d %d %d, want %d %d %d", begin, body, end, w.Header, w.Begin, w.End)
		}
	}
	var kind map[string]json.RawMessage
	if err := json.Unmarshal(w.Body, &kind); err != nil {
		c.t.Fatalf("%s: body %.60s: %v", c.file, w.Body, err)
	}
	for k, v := range kind {
		c.body(p, want, path, k, v)
	}
}

// header compares the fields one by one as they stand.
func (c *comparison) header(p *mail.Part, w wantPart, path string) {
	if _, _, _, ok := p.Span(); !ok {
		return
	}
	var got, want []string
	for _, f := range p.Header() {
		got = append(got, strings.TrimRight(f.Raw, "\r\n"))
	}
	for _, h := range w.Headers {
		want = append(want, strings.TrimRight(string(c.raw[h.Begin:h.End]), "\r\n"))
	}
	c.count += len(want)
	if !slices.Equal(got, want) {
		c.differ(path+" header", "got %q, want %q", got, want)
	}
}

// likely tells whether two texts are equal but for what only one of them knows how to
// read: mime-stalwart has U+FFFD where 8-bit text has no or the wrong charset, and we
// guess.
func likely(got, want string) bool {
	for _, r := range want {
		g, n := utf8.DecodeRuneInString(got)
		if n == 0 || r != g && (r != utf8.RuneError || g < utf8.RuneSelf) {
			return false
		}
		got = got[n:]
	}
	return got == ""
}

// body compares the content of a part.
func (c *comparison) body(p *mail.Part, want wantMessage, path, kind string, value json.RawMessage) {
	switch kind {
	case "Multipart":
		var sub []int
		json.Unmarshal(value, &sub)
		kids := p.Children()
		if len(kids) != len(sub) {
			c.differ(path+" parts", "got %d %v, want %d", len(kids), types(kids), len(sub))
			return
		}
		for i, s := range sub {
			c.part(kids[i], want, s, path)
		}
	case "Message":
		var in wantMessage
		if err := json.Unmarshal(value, &in); err != nil {
			c.t.Fatal(err)
		}
		if len(p.Children()) != 1 {
			c.differ(path+" message", "got %d parts in the message", len(p.Children()))
			return
		}
		c.part(p.Children()[0], in, 0, path)
	case "Text", "Html":
		var text string
		json.Unmarshal(value, &text)
		c.count++
		if p.Encoding() == "x-uuencode" && p.IsText() {
			// mime-stalwart doesn't know uuencode.
			if want := []byte(text); !likely(string(p.Raw()), string(want)) && !bytes.HasPrefix(want, []byte("\nbegin ")) && !bytes.HasPrefix(want, []byte("\r\nbegin ")) {
				c.differ(path+" uuencode", "got %q, want %q", cutTo(string(p.Raw())), cutTo(text))
			}
			return
		}
		if got := p.Text(); !likely(got, text) {
			c.differ(path+" text", "%s %q (%s): got %q, want %q", p.Type(), p.Charset(), p.GuessedCharset(), cutTo(got), cutTo(text))
		}
	case "Binary", "InlineBinary":
		var b []int
		json.Unmarshal(value, &b)
		bin := make([]byte, len(b))
		for i, x := range b {
			bin[i] = byte(x)
		}
		c.count++
		decoded := p.Decoded()
		if p.Encoding() == "x-uuencode" {
			decoded = p.Raw() // mime-stalwart doesn't know uuencode
		}
		if !bytes.Equal(decoded, bin) {
			c.differ(path+" binary", "%s: got %q, want %q", p.Type(), cutTo(string(p.Decoded())), cutTo(string(bin)))
		}
	default:
		c.t.Errorf("%s: body kind %s", c.file, kind)
	}
}

func cutTo(s string) string {
	if len(s) > 300 {
		return s[:150] + " … " + s[len(s)-150:]
	}
	return s
}

func types(parts []*mail.Part) (all []string) {
	for _, p := range parts {
		all = append(all, p.Type())
	}
	return all
}

func (c *comparison) contentType(p *mail.Part, value json.RawMessage, path string) {
	var w wantStructured
	if json.Unmarshal(value, &w) != nil || w.ContentType == nil {
		return
	}
	want := strings.ToLower(w.ContentType.Type)
	if w.ContentType.Subtype != nil {
		want += "/" + strings.ToLower(*w.ContentType.Subtype)
	}
	if got := p.Type(); got != want {
		c.differ(path+" type", "got %q, want %q (%q)", got, want, p.ContentType())
	}
	for _, a := range w.ContentType.Attrs {
		c.count++
		if got := p.Param(a.Name); !likely(got, a.Value) {
			c.differ(path+" param "+a.Name, "got %q, want %q (%q)", got, a.Value, p.ContentType())
		}
	}
}

func (c *comparison) disposition(p *mail.Part, value json.RawMessage, path string) {
	var w wantStructured
	if json.Unmarshal(value, &w) != nil || w.ContentType == nil {
		return
	}
	if got, want := p.Disposition(), strings.ToLower(w.ContentType.Type); got != want {
		c.differ(path+" disposition", "got %q, want %q", got, want)
	}
	for _, a := range w.ContentType.Attrs {
		if a.Name != "filename" {
			continue
		}
		if got := p.Filename(); !likely(got, a.Value) {
			c.differ(path+" filename", "got %q, want %q (%q)", got, a.Value, p.Header().Get("Content-Disposition"))
		}
	}
}

// fields compares what the message itself says.
func (c *comparison) fields(m *mail.Message, w wantPart) {
	seen := map[string]bool{}
	for i := len(w.Headers) - 1; i >= 0; i-- {
		var name string
		json.Unmarshal(w.Headers[i].Name, &name)
		value := w.Headers[i].Value
		switch name {
		case "subject":
			var v struct{ Text string }
			if json.Unmarshal(value, &v) == nil && m.Header().Count("Subject") == 1 && !likely(m.Subject(), v.Text) {
				c.differ("subject", "got %q, want %q", m.Subject(), v.Text)
			}
		case "message_id":
			var v struct{ Text string }
			if id, _ := m.MessageID(); json.Unmarshal(value, &v) == nil && id != v.Text {
				c.differ("message-id", "got %q, want %q", id, v.Text)
			}
		case "date":
			c.date(m, value)
		case "from", "to", "cc", "reply_to", "sender":
			if !seen[name] {
				c.addresses(m, strings.ReplaceAll(name, "_", "-"), value)
			}
			seen[name] = true
		}
	}
}

func (c *comparison) date(m *mail.Message, value json.RawMessage) {
	var v struct {
		DateTime *struct {
			Year, Month, Day, Hour, Minute, Second int
			Before                                 bool `json:"tz_before_gmt"`
			TZHour                                 int  `json:"tz_hour"`
			TZMinute                               int  `json:"tz_minute"`
		}
	}
	got, _, err := m.Date()
	if json.Unmarshal(value, &v) != nil || v.DateTime == nil {
		if err == nil {
			c.differ("date", "got %v, want none", got)
		}
		return
	}
	d := v.DateTime
	offset := d.TZHour*3600 + d.TZMinute*60
	if d.Before {
		offset = -offset
	}
	want := time.Date(d.Year, time.Month(d.Month), d.Day, d.Hour, d.Minute, d.Second, 0, time.FixedZone("", offset))
	if !got.Equal(want) {
		c.differ("date", "got %v %v, want %v (%q)", got, err, want, m.Header().Get("Date"))
	}
}

func (c *comparison) addresses(m *mail.Message, field string, value json.RawMessage) {
	var v struct {
		Address struct {
			List  []wantAddress
			Group []struct {
				Name      *string
				Addresses []wantAddress
			}
		}
	}
	if err := json.Unmarshal(value, &v); err != nil {
		return
	}
	var want []string
	add := func(group *string, list []wantAddress) {
		for _, a := range list {
			want = append(want, fmt.Sprintf("%s: %s <%s>", str(group), str(a.Name), str(a.Address)))
		}
	}
	add(nil, v.Address.List)
	for _, g := range v.Address.Group {
		add(g.Name, g.Addresses)
	}
	var got []string
	for _, b := range m.Mailboxes(field) {
		name, addr := b.Name, b.Address.Raw
		if name == "" {
			name = b.Comment
		}
		if name == addr || b.Address.Domain == "" && name != "" && !b.Angle {
			addr = ""
		}
		got = append(got, fmt.Sprintf("%s: %s <%s>", b.Group, name, addr))
	}
	c.count += len(want)
	if !likely(strings.Join(got, "\n"), strings.Join(want, "\n")) {
		c.differ(field, "got %q, want %q (%q)", got, want, m.Header().Get(field))
	}
}

func str(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
