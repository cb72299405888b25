package mimesuite

import (
	"bytes"
	"io"
	"math/rand/v2"
	"mime"
	netmail "net/mail"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/charset"
	"github.com/google/go-cmp/cmp"

	"rmilter/internal/mail"
)

// A leaf is what another parser sees of a part without parts.
type leaf struct {
	Type string
	File string
	Body string
}

// goMessage reads a message with go-message: all leaves in order, their bodies
// decoded and, of text, in UTF-8.
func goMessage(raw []byte) ([]leaf, error) {
	e, err := message.Read(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	var all []leaf
	err = e.Walk(func(_ []int, e *message.Entity, err error) error {
		if err != nil {
			return err
		}
		typ, _, err := e.Header.ContentType()
		if err != nil {
			return err
		}
		if e.MultipartReader() != nil {
			return nil
		}
		body, err := io.ReadAll(e.Body)
		_, params, _ := e.Header.ContentDisposition()
		all = append(all, leaf{typ, params["filename"], string(body)})
		return err
	})
	return all, err
}

// ours reads a message with our parser.
func ours(m *mail.Message) []leaf {
	var all []leaf
	for _, p := range m.Parts() {
		if p.IsMultipart() {
			continue
		}
		body := string(p.Decoded())
		if p.IsText() {
			body = p.Text()
		}
		all = append(all, leaf{p.Type(), p.Filename(), body})
	}
	return all
}

// TestOracles compares with go-message and the standard library on well-formed mail.
func TestOracles(t *testing.T) {
	g := &generator{Rand: rand.New(rand.NewPCG(4, 2))}
	for n := range 2000 {
		raw := g.message()
		m := mail.Parse(raw, mail.Limits{})
		want, err := goMessage(raw)
		if err != nil {
			t.Fatalf("message %d: go-message: %v\n%s", n, err, raw)
		}
		if d := cmp.Diff(want, ours(m)); d != "" {
			t.Fatalf("message %d: parts (-go-message +ours):\n%s\n%s", n, d, raw)
		}
		compareHeader(t, raw, m)
		for _, d := range m.Defects() {
			if d.Kind != mail.LongLine {
				t.Fatalf("message %d: defect %v at %d\n%s", n, d.Kind, d.Offset, raw)
			}
		}
		if t.Failed() {
			t.Fatalf("message %d:\n%s", n, raw)
		}
	}
}

// compareHeader compares with the standard library.
func compareHeader(t *testing.T, raw []byte, m *mail.Message) {
	t.Helper()
	std, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(std.Body)
	if err != nil || !bytes.Equal(body, m.Body()) {
		t.Errorf("body: got %.100q, want %.100q, %v", m.Body(), body, err)
	}
	for _, name := range []string{"Message-Id", "X-Long", "Content-Type", "Received"} {
		got, want := m.Header().Get(name), std.Header.Get(name)
		if strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(want), " ") {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	words := &mime.WordDecoder{CharsetReader: charset.Reader}
	want, err := words.DecodeHeader(std.Header.Get("Subject"))
	if err != nil || m.Subject() != want {
		t.Errorf("subject: got %q, want %q, %v", m.Subject(), want, err)
	}
	date, err := std.Header.Date()
	if got, _, gotErr := m.Date(); err != nil || gotErr != nil || !got.Equal(date) {
		t.Errorf("date: got %v %v, want %v %v", got, gotErr, date, err)
	}
	addresses := netmail.AddressParser{WordDecoder: words}
	for _, name := range []string{"From", "To"} {
		list, err := addresses.ParseList(std.Header.Get(name))
		got := m.Mailboxes(name)
		if err != nil || len(got) != len(list) {
			t.Errorf("%s: got %d mailboxes, want %d, %v", name, len(got), len(list), err)
			continue
		}
		for i, a := range list {
			addr := got[i].Address.Local + "@" + got[i].Address.Domain
			if got[i].Name != a.Name || addr != a.Address || !got[i].Valid {
				t.Errorf("%s: got %+v, want %+v", name, got[i], a)
			}
		}
	}
}

// TestGoMessageOnSuites compares with go-message on the messages of the suites that it
// reads without an error. It gives neither names from Content-Type nor text whose
// charset has to be guessed, and doesn't look into embedded messages.
func TestGoMessageOnSuites(t *testing.T) {
	root := shared(t, "conformance")
	readable, differing := 0, map[string]bool{}
	for _, f := range filesBelow(t, root, func(name string) bool {
		return strings.Contains(name, "/mime-") && (strings.HasSuffix(name, ".eml") || strings.HasSuffix(name, ".raw") || strings.HasSuffix(name, ".txt"))
	}) {
		raw := read(t, f)
		want, err := goMessage(raw)
		if err != nil {
			continue
		}
		readable++
		got := oursAsGoMessage(mail.Parse(raw, mail.Limits{}), want)
		name, _ := filepath.Rel(root, f)
		if d := cmp.Diff(want, got); d != "" {
			differing[name] = true
			if goMessageReasons[name] == "" {
				t.Errorf("%s (-go-message +ours):\n%s", name, d)
			}
		}
	}
	for name := range goMessageReasons {
		if !differing[name] {
			t.Errorf("%s doesn't differ: take it out of the reasons", name)
		}
	}
	if readable < 100 {
		t.Errorf("go-message reads %d messages, want 100 at least", readable)
	}
	t.Logf("%d messages compared, %d deliberate differences", readable, len(differing))
}

// oursAsGoMessage returns what our parser sees, but for what go-message doesn't give.
func oursAsGoMessage(m *mail.Message, want []leaf) []leaf {
	var all []leaf
	var skip *mail.Part // what is inside an embedded message or a text
	for _, p := range m.Parts() {
		if p.IsMultipart() || skip != nil && p.Depth() > skip.Depth() {
			continue
		}
		skip = nil
		if len(p.Children()) > 0 {
			skip = p
		}
		l := leaf{Type: p.Type(), File: p.Filename(), Body: string(p.Decoded())}
		if p.IsText() {
			l.Body = p.Text()
		}
		if n := len(all); n < len(want) {
			if want[n].File == "" {
				l.File = ""
			}
			if p.GuessedCharset() != "" || p.Encoding() == "x-uuencode" {
				l.Body = want[n].Body
			}
		}
		all = append(all, l)
	}
	return all
}
