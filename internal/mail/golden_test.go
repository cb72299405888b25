package mail_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/htmltext"
	"rmilter/internal/mail"
	"rmilter/test/mimesuite"
)

var update = flag.Bool("update", false, "write the dumps of testdata/golden anew")

// A golden file holds a remark, a message and what is to be read in it:
//
//	# what the message tries
//	== message
//	Subject: x\r
//	== dump
//	…
//
// Bytes that aren't printable stand as \r, \0, \t, \xff in the message; a backslash
// at the end of a line joins it with the next.
const (
	beginMessage = "== message\n"
	beginDump    = "== dump\n"
)

// goldenFiles returns the golden files with the messages in them.
func goldenFiles(t testing.TB) (names []string, messages [][]byte) {
	t.Helper()
	names, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil || len(names) < 60 {
		t.Fatalf("%d golden files, %v", len(names), err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		_, text, ok := strings.Cut(string(b), beginMessage)
		if !ok {
			t.Fatalf("%s: no message", name)
		}
		text, _, _ = strings.Cut(text, beginDump)
		messages = append(messages, unescape(t, name, text))
	}
	return names, messages
}

// unescape undoes the escapes of a golden file.
func unescape(t testing.TB, name, s string) []byte {
	t.Helper()
	var b []byte
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			continue
		}
		i++
		switch s[i] {
		case '\n':
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case '0':
			b = append(b, 0)
		case '\\':
			b = append(b, '\\')
		case 'x':
			v, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			b = append(b, byte(v))
			i += 2
		default:
			t.Fatalf("%s: escape \\%c", name, s[i])
		}
	}
	return b
}

func TestGolden(t *testing.T) {
	names, messages := goldenFiles(t)
	for i, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			m := mail.Parse(messages[i], mail.Limits{})
			if err := mimesuite.Check(m, mail.DefaultLimits); err != nil {
				t.Error(err)
			}
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			head, want, _ := strings.Cut(string(b), beginDump)
			got := dump(m)
			if *update {
				if err := os.WriteFile(name, []byte(head+beginDump+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("dump (-want +got):\n%s", d)
			}
		})
	}
}

// dump writes what is read in a message for people.
func dump(m *mail.Message) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	for _, d := range m.Defects() {
		line("defect: %v, %d from %d", d.Kind, d.Count, d.Offset)
	}
	if _, ok := m.Header().Field("Subject"); ok {
		line("subject: %q", m.Subject())
	}
	for _, f := range []string{"From", "Sender", "Reply-To", "To", "Cc"} {
		for _, x := range m.Mailboxes(f) {
			line("%s: %s", strings.ToLower(f), dumpMailbox(x))
		}
	}
	if when, ok, err := m.Date(); ok {
		line("date: %s, %v", when.Format(time.RFC3339), err)
	}
	if _, ok := m.Header().Field("Message-ID"); ok {
		id, ok := m.MessageID()
		line("message-id: %q, %t", id, ok)
	}
	for _, r := range m.Received() {
		line("received: ip=%v host=%q helo=%q by=%q with=%q id=%q for=%q tls=%t auth=%t %s", r.IP, r.Host, r.Helo, r.By, r.With, r.ID, r.For, r.TLS, r.Auth, r.Date.Format(time.RFC3339))
	}
	for _, p := range m.Parts() {
		dumpPart(p, line)
	}
	for _, l := range m.Links() {
		line("link in %d: %v %q text=%q images=%d hidden=%v", l.Part.Index(), l.Kind, l.URL, l.Text, l.Images, l.Hidden)
	}
	for _, t := range m.Targets() {
		line("leads to: %v, %s", t.Kind, told(t))
	}
	for _, a := range m.MailAddresses() {
		line("names: %s", a)
	}
	line("visible: %q", m.VisibleText())
	return b.String()
}

func dumpMailbox(x mail.Mailbox) string {
	s := fmt.Sprintf("%q %s", x.Name, x.Address)
	for _, f := range []struct {
		name string
		set  bool
	}{{"invalid", !x.Valid}, {"quoted", x.Quoted}, {"bare", !x.Angle}} {
		if f.set {
			s += " " + f.name
		}
	}
	if x.Comment != "" {
		s += fmt.Sprintf(" comment=%q", x.Comment)
	}
	if x.Group != "" {
		s += fmt.Sprintf(" group=%q", x.Group)
	}
	return s
}

func dumpPart(p *mail.Part, line func(string, ...any)) {
	begin, body, end, ok := p.Span()
	s := fmt.Sprintf("part %d: %s%s %d-%d-%d", p.Index(), strings.Repeat("  ", p.Depth()), p.Type(), begin, body, end)
	if !ok {
		s = fmt.Sprintf("part %d: %s%s elsewhere", p.Index(), strings.Repeat("  ", p.Depth()), p.Type())
	}
	if !p.TypeOK() {
		s += fmt.Sprintf(" broken=%q", p.ContentType())
	}
	for _, f := range []struct{ name, value string }{
		{"encoding", p.Encoding()}, {"charset", p.Charset()}, {"guessed", p.GuessedCharset()}, {"disposition", p.Disposition()}, {"id", p.ContentID()},
		{"files", strings.Join(p.Filenames(), "|")}, {"preamble", string(p.Preamble())}, {"epilogue", string(p.Epilogue())},
	} {
		if f.value != "" {
			s += fmt.Sprintf(" %s=%q", f.name, f.value)
		}
	}
	if p.IsAttachment() {
		s += " attachment"
	}
	line("%s", s)
	switch {
	case p.IsMultipart():
	case p.IsText():
		line("  text: %q", p.Text())
		if v := p.Visible(); v != p.Text() {
			line("  visible: %q", v)
		}
	case !p.IsMessage():
		line("  decoded: %q", p.Decoded())
	}
	if d := p.HTML(); d != nil {
		dumpHTML(d, line)
	}
}

func dumpHTML(d *htmltext.Doc, line func(string, ...any)) {
	if d.Hidden != "" {
		line("  hidden: %q in %d runs", d.Hidden, d.HiddenRuns)
	}
	for r, n := range d.HiddenBytes {
		if n > 0 {
			line("  hidden: %v %d", htmltext.Reason(r), n)
		}
	}
	for f, n := range d.Faults {
		if n > 0 {
			line("  fault: %v %d", htmltext.Fault(f), n)
		}
	}
	if d.Invisible > 0 {
		line("  invisible: %d", d.Invisible)
	}
	for _, i := range d.Images {
		line("  image: %q alt=%q %dx%d linked=%t hidden=%v", i.Src, i.Alt, i.Width, i.Height, i.Linked, i.Hidden)
	}
	for _, f := range d.Forms {
		line("  form: %s %q, %d inputs, password %t", f.Method, f.Action, f.Inputs, f.Password)
	}
	for name, s := range map[string]string{"title": d.Title} {
		if s != "" {
			line("  %s: %q", name, s)
		}
	}
	if d.Base != "" || d.Refresh != "" || d.Charset != "" {
		line("  base=%q refresh=%q charset=%q", d.Base, d.Refresh, d.Charset)
	}
}
