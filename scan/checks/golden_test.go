package checks

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/mail"
	"rmilter/scan"
)

var update = flag.Bool("update", false, "write what the checks find into testdata/golden/*.want")

// A golden is a whole message with its envelope and all that the checks find in it:
// NAME.eml and NAME.want. The latter has the envelope in its first paragraph, then the
// score and a line for each finding.
type golden struct {
	name     string
	path     string // of the .want file
	raw      []byte // with LF
	envelope *mail.Envelope
	head     string // the paragraph with the envelope
	want     string
}

func goldens(t testing.TB) []golden {
	t.Helper()
	paths, err := filepath.Glob("testdata/golden/*.eml")
	if err != nil || len(paths) < 40 {
		t.Fatalf("%d messages in testdata/golden, want at least 40 (%v)", len(paths), err)
	}
	var all []golden
	for _, p := range paths {
		g := golden{name: strings.TrimSuffix(filepath.Base(p), ".eml"), path: strings.TrimSuffix(p, ".eml") + ".want"}
		if g.raw, err = os.ReadFile(p); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(g.path)
		if err != nil {
			t.Fatal(err)
		}
		g.head, g.want, _ = strings.Cut(string(text), "\n\n")
		if g.envelope, err = parseEnvelope(g.head); err != nil {
			t.Fatalf("%s: %v", g.path, err)
		}
		all = append(all, g)
	}
	return all
}

// parseEnvelope reads lines as "from <joe@example.net>".
func parseEnvelope(text string) (*mail.Envelope, error) {
	e := &mail.Envelope{Time: frozen()}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch key {
		case "ip":
			ip, err := netip.ParseAddr(value)
			if err != nil {
				return nil, err
			}
			e.ClientIP = ip
		case "host":
			e.Hostname = value
		case "helo":
			e.Helo = value
		case "tls":
			e.TLS = value
		case "from":
			e.From = path(value)
		case "args":
			e.From.Args = strings.Fields(value)
		case "rcpt":
			e.Rcpts = append(e.Rcpts, path(value))
		case "inspect":
			e.Inspect = true
		case "trust":
			for t := mail.Stranger; t <= mail.Local; t++ {
				if t.String() == value {
					e.Trust = t
				}
			}
			if e.Trust == mail.Stranger {
				return nil, fmt.Errorf("unknown trust %q", value)
			}
		default:
			return nil, fmt.Errorf("unknown line %q", line)
		}
	}
	return e, nil
}

// account writes a report: the score, then a line for each row.
func account(w *scan.Weights, r *scan.Report) string {
	s := w.Score(r.Findings)
	var b strings.Builder
	fmt.Fprintf(&b, "score %.2f\n", s.Total)
	for _, row := range s.Rows {
		fmt.Fprintf(&b, "%s(%.2f)", row.Symbol.Name, row.Weight)
		if len(row.Details) > 0 {
			fmt.Fprintf(&b, " {%s}", strings.Join(row.Details, ","))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// TestGolden runs all checks over whole messages, with LF and with CRLF.
func TestGolden(t *testing.T) {
	engine := newEngine(t, "", All()...)
	for _, g := range goldens(t) {
		t.Run(g.name, func(t *testing.T) {
			crlf := bytes.ReplaceAll(g.raw, []byte("\n"), []byte("\r\n"))
			for i, raw := range [...][]byte{crlf, g.raw} {
				r := engine.Scan(context.Background(), g.envelope, mail.Parse(raw, mail.DefaultLimits), scan.Aids{})
				for name, err := range r.Failed {
					t.Errorf("check %s failed: %v", name, err)
				}
				got := account(engine.Weights(), r)
				if *update && i == 0 {
					if err := os.WriteFile(g.path, []byte(g.head+"\n\n"+got), 0o644); err != nil {
						t.Fatal(err)
					}
					g.want = got
				}
				if d := cmp.Diff(g.want, got); d != "" {
					t.Errorf("with %s (-want +got):\n%s", [...]string{"CRLF", "LF"}[i], d)
				}
			}
		})
	}
}
