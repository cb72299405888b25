package dkim_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"rmilter/dkim"
	"rmilter/internal/mail"
)

// A zone is a Lookup of literals. Its values are records, or an error when one begins
// with "!".
type zone map[string]string

func (z zone) TXT(_ context.Context, name string) ([]string, error) {
	txt, ok := z[name]
	switch {
	case !ok:
		return nil, fmt.Errorf("%s: %w", name, dkim.ErrNotFound)
	case txt == "!":
		return nil, fmt.Errorf("%s: %w", name, dkim.ErrTemporary)
	case txt == "":
		return nil, nil
	}
	return strings.Split(txt, "\n"), nil
}

// now is when the tests take place.
var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// verify verifies a whole message with LF or CRLF line ends.
func verify(t testing.TB, raw string, l dkim.Lookup, o dkim.VerifyOptions) dkim.Results {
	t.Helper()
	if o.Now.IsZero() {
		o.Now = now
	}
	m := mail.Parse([]byte(raw), mail.Limits{})
	v := dkim.NewVerifier(m.Header(), o)
	v.Start(t.Context(), l)
	v.Write(m.Body())
	return v.Finish(t.Context())
}

// outcome is a signature's result in one line.
func outcome(s dkim.Signature) string {
	if s.Reason == "" {
		return string(s.Status)
	}
	return fmt.Sprintf("%s (%s)", s.Status, s.Reason)
}

// outcomes are those of all signatures.
func outcomes(r dkim.Results) string {
	var all []string
	for _, s := range r.Signatures {
		all = append(all, outcome(s))
	}
	return strings.Join(all, ", ")
}
