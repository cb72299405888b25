package checks

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"rmilter/internal/mail"
	"rmilter/scan"
)

// A fixture is a message and what a check finds in it.
type fixture struct {
	name string
	env  func(*mail.Envelope) // changes what stranger returns; nil for nothing
	text string               // the message, with LF
	want string               // the check's own findings, as told writes them
}

// stranger returns the envelope of a message as most are.
func stranger() *mail.Envelope {
	return &mail.Envelope{
		ID: "4f1a9c02de", Time: frozen(), ClientIP: netip.MustParseAddr("203.0.113.7"), Hostname: "mx.example.net", Helo: "mx.example.net",
		TLS: "TLSv1.3 TLS_AES_256_GCM_SHA384", From: path("<joe@example.net>"), Rcpts: []mail.Path{path("<alice@example.com>")},
	}
}

func path(s string) mail.Path { return mail.Path{Address: mail.ParseAddress(s)} }

// Changes to an envelope.
func trust(t mail.Trust) func(*mail.Envelope) { return func(e *mail.Envelope) { e.Trust = t } }

func inspect(e *mail.Envelope) { *e = mail.Envelope{Time: e.Time, Inspect: true} }

func sender(s string, args ...string) func(*mail.Envelope) {
	return func(e *mail.Envelope) { e.From = path(s); e.From.Args = args }
}

func rcpts(all ...string) func(*mail.Envelope) {
	return func(e *mail.Envelope) {
		e.Rcpts = nil
		for _, s := range all {
			e.Rcpts = append(e.Rcpts, path(s))
		}
	}
}

func both(changes ...func(*mail.Envelope)) func(*mail.Envelope) {
	return func(e *mail.Envelope) {
		for _, change := range changes {
			change(e)
		}
	}
}

// runFixtures runs a check, and those that it reads, over messages with LF and with
// CRLF. Every symbol of the check must be expected somewhere.
func runFixtures[C, R any](t *testing.T, spec *scan.Spec[C, R], cases []fixture) {
	t.Helper()
	engine := newEngine(t, "", append(slices.Clone(spec.Reads), spec)...)
	expected := ""
	for _, c := range cases {
		expected += " " + c.want
		t.Run(c.name, func(t *testing.T) {
			for _, text := range [...]string{c.text, strings.ReplaceAll(c.text, "\n", "\r\n")} {
				env := stranger()
				if c.env != nil {
					c.env(env)
				}
				r := engine.Scan(context.Background(), env, mail.Parse([]byte(text), mail.DefaultLimits), scan.Aids{})
				if len(r.Failed) > 0 {
					t.Fatal(r.Failed)
				}
				own := slices.DeleteFunc(r.Findings, func(f scan.Finding) bool { return !slices.Contains(spec.Symbols, f.Symbol) })
				if got := told(own); got != c.want {
					t.Errorf("got  %s\nwant %s", got, c.want)
				}
			}
		})
	}
	for _, s := range spec.Symbols {
		if !slices.ContainsFunc(strings.Fields(expected), func(w string) bool {
			return strings.HasPrefix(w, s.Name) && (len(w) == len(s.Name) || strings.IndexByte("*{", w[len(s.Name)]) >= 0)
		}) {
			t.Errorf("no fixture has the symbol %s", s.Name)
		}
	}
}

// told writes findings: NAME{detail,detail} NAME*strength.
func told(all []scan.Finding) string {
	var list []string
	for _, f := range all {
		s := f.Symbol.Name
		if f.Strength != 1 {
			s += fmt.Sprintf("*%.4g", f.Strength)
		}
		if len(f.Details) > 0 {
			s += "{" + strings.Join(f.Details, ",") + "}"
		}
		list = append(list, s)
	}
	return strings.Join(list, " ")
}

func TestShown(t *testing.T) {
	for in, want := range map[string]string{
		"":                                  "",
		"plain":                             "plain",
		"Grüße 日本":                          "Grüße 日本",
		"a\x00b\tc\r\nd\x1b[31m\x7f":        "a?b?c??d?[31m?",
		"bad \xff\xfe utf-8":                "bad ?? utf-8",
		"turned \u202eround\u200b":          "turned ?round?",
		"no\u00a0break\u2028":               "no?break?",
		strings.Repeat("x", 100):            strings.Repeat("x", 100),
		strings.Repeat("x", 101):            strings.Repeat("x", 100) + "…",
		strings.Repeat("x", 99) + "é":       strings.Repeat("x", 99) + "…",
		strings.Repeat("\x80", 200):         strings.Repeat("?", 96) + "…",
		strings.Repeat("日", 33) + "x" + "日": strings.Repeat("日", 33) + "x…",
	} {
		if got := shown(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
