package miltertest

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseMessage(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		header   []Field
		body     string
	}{
		{"plain", "From: a@example.com\nSubject:x\n\nbody\n", []Field{{"From", " a@example.com"}, {"Subject", "x"}}, "body\r\n"},
		{"CRLF", "A: b\r\n\r\nc\r\n", []Field{{"A", " b"}}, "c\r\n"},
		{"folded", "A: b\n\tc\n d\nB: e\n\n", []Field{{"A", " b\n\tc\n d"}, {"B", " e"}}, ""},
		{"folded at the end", "A: b\n c", []Field{{"A", " b\n c"}}, ""},
		{"header only", "A: b", []Field{{"A", " b"}}, ""},
		{"no header", "\nbody", nil, "body"},
		{"no empty line", "A: b\nnot a field\nC: d\n", []Field{{"A", " b"}}, "not a field\r\nC: d\r\n"},
		{"mbox", "From joe Thu Jan  1\nA: b\n\n", []Field{{"A", " b"}}, ""},
		{"space before colon", "A : b\n\n", []Field{{"A", " b"}}, ""},
		{"NUL", "A: b\x00c\n\nd\x00", []Field{{"A", " bc"}}, "d\x00"},
		{"empty", "", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := ParseMessage([]byte(tt.in))
			if !reflect.DeepEqual(m.Header, tt.header) || string(m.Body) != tt.body {
				t.Errorf("got %q body %q, want %q body %q", m.Header, m.Body, tt.header, tt.body)
			}
		})
	}
}

func TestApply(t *testing.T) {
	base := Delivery{
		From:  Path{Addr: "<joe@sender.example>", Args: []string{"SIZE=1"}},
		Rcpts: []Path{{Addr: "<alice@example.com>"}, {Addr: "<bob@example.com>"}},
		Message: Message{
			Trace:  []Field{{"Received", " by mx.example.com"}},
			Header: []Field{{"Received", " by mx.sender.example"}, {"Subject", " one"}, {"subject", " two"}},
			Body:   []byte("body\r\n"),
		},
	}
	for _, tt := range []struct {
		name  string
		lead  bool
		edits []Edit
		want  string // header lines, "|" between them
	}{
		{"nothing", true, nil, "Received: by mx.example.com|Received: by mx.sender.example|Subject: one|subject: two"},
		{"add", true, []Edit{{Op: EditAddHeader, Name: "A", Value: " b"}}, "Received: by mx.example.com|Received: by mx.sender.example|Subject: one|subject: two|A: b"},
		{"add without leading space", false, []Edit{{Op: EditAddHeader, Name: "A", Value: "b"}}, "Received: by mx.example.com|Received: by mx.sender.example|Subject: one|subject: two|A: b"},
		{"insert at the top", true, []Edit{{Op: EditInsertHeader, Index: 0, Name: "A", Value: " b"}}, "A: b|Received: by mx.example.com|Received: by mx.sender.example|Subject: one|subject: two"},
		{"insert below the MTA's own", true, []Edit{{Op: EditInsertHeader, Index: 1, Name: "A", Value: " b"}}, "Received: by mx.example.com|A: b|Received: by mx.sender.example|Subject: one|subject: two"},
		{"insert past the end", true, []Edit{{Op: EditInsertHeader, Index: 99, Name: "A", Value: " b"}}, "Received: by mx.example.com|Received: by mx.sender.example|Subject: one|subject: two|A: b"},
		{"change the second", true, []Edit{{Op: EditChangeHeader, Index: 2, Name: "SUBJECT", Value: " new"}}, "Received: by mx.example.com|Received: by mx.sender.example|Subject: one|subject: new"},
		{"change what isn't there", true, []Edit{{Op: EditChangeHeader, Index: 3, Name: "Subject", Value: " new"}}, "Received: by mx.example.com|Received: by mx.sender.example|Subject: one|subject: two|Subject: new"},
		{"delete what isn't there", true, []Edit{{Op: EditChangeHeader, Index: 1, Name: "X", Value: ""}}, "Received: by mx.example.com|Received: by mx.sender.example|Subject: one|subject: two"},
		{"delete both", false, []Edit{{Op: EditChangeHeader, Index: 2, Name: "Subject"}, {Op: EditChangeHeader, Index: 1, Name: "Subject"}}, "Received: by mx.example.com|Received: by mx.sender.example"},
		{"the MTA's own isn't counted", true, []Edit{{Op: EditInsertHeader, Index: 0, Name: "A", Value: " b"}, {Op: EditChangeHeader, Index: 1, Name: "Received"}}, "A: b|Received: by mx.example.com|Subject: one|subject: two"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := base.Apply(tt.edits, tt.lead)
			raw := strings.TrimSuffix(string(d.Message.Bytes()), "\r\n\r\nbody\r\n")
			if got := strings.ReplaceAll(raw, "\r\n", "|"); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
	if len(base.Message.Header) != 3 || base.Message.Header[1].Value != " one" {
		t.Errorf("Apply changed its argument: %q", base.Message.Header)
	}
}

func TestApplyEnvelopeAndBody(t *testing.T) {
	d := Delivery{From: Path{Addr: "<joe@sender.example>"}, Rcpts: []Path{{Addr: "<alice@example.com>"}, {Addr: "<bob@example.com>"}}}
	d.Message.Body = []byte("old\r\n")
	got := d.Apply([]Edit{
		{Op: EditChangeFrom, Value: "bounce@example.com", Args: "RET=HDRS"},
		{Op: EditDelRcpt, Value: "ALICE@example.com"},
		{Op: EditAddRcpt, Value: "carol@example.com"},
		{Op: EditAddRcptPar, Value: "<dave@example.com>", Args: "NOTIFY=NEVER X=1"},
		{Op: EditQuarantine, Value: "virus"},
		{Op: EditReplaceBody, Value: "new"},
		{Op: EditReplaceBody, Value: " body\r\n"},
	}, true)
	want := Delivery{
		From:       Path{Addr: "<bounce@example.com>", Args: []string{"RET=HDRS"}},
		Rcpts:      []Path{{Addr: "<bob@example.com>"}, {Addr: "<carol@example.com>", Args: []string{}}, {Addr: "<dave@example.com>", Args: []string{"NOTIFY=NEVER", "X=1"}}},
		Message:    Message{Body: []byte("new body\r\n")},
		Quarantine: "virus",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if len(d.Rcpts) != 2 || d.Rcpts[0].Addr != "<alice@example.com>" {
		t.Errorf("Apply changed its argument: %v", d.Rcpts)
	}
}

// FuzzParseMessage checks that a message that was read and written is read the
// same way again.
func FuzzParseMessage(f *testing.F) {
	f.Add([]byte("From: a@example.com\r\nSubject: x\r\n y\r\n\r\nbody\r\n"))
	f.Add([]byte("From joe Thu\nA : b\nnot a field\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := ParseMessage(raw)
		for _, h := range m.Header {
			if h.Name == "" || strings.ContainsAny(h.Name, ": \t\n\x00") || strings.ContainsRune(h.Value, 0) {
				t.Fatalf("field %q", h)
			}
		}
		if len(m.Header) == 0 {
			return // a body alone may begin with what looks like a field
		}
		again := ParseMessage(m.Bytes())
		if !reflect.DeepEqual(m.Header, again.Header) || !reflect.DeepEqual(m.Body, again.Body) {
			t.Fatalf("got %q, then %q", m, again)
		}
	})
}
