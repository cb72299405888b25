package scan

import (
	"rmilter/dkim"
	"rmilter/internal/dns"
)

// Aids are what the checks of one message may use beside the message itself. The zero
// value has none, and checks that need one that isn't there find nothing.
type Aids struct {
	// DNS looks names up within the message's budget.
	DNS dns.Lookuper
	// DKIM has the whole message and has been started. The check dkim_verify finishes it, and
	// nobody else.
	DKIM *dkim.Verifier
}
