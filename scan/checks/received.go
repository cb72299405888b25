package checks

import (
	"strconv"
	"strings"

	"rmilter/internal/mail"
	"rmilter/scan"
)

var (
	rcvdCountZero   = symbol("RCVD_COUNT_ZERO", 0, "headers", "Nothing tells how the message came: there is neither a client nor a Received field.")
	rcvdCountOne    = symbol("RCVD_COUNT_ONE", 0, "headers", "The message took one hop, from its origin to us.")
	rcvdCountTwo    = symbol("RCVD_COUNT_TWO", 0, "headers", "The message took two hops, counting the one to us.")
	rcvdCountThree  = symbol("RCVD_COUNT_THREE", 0, "headers", "The message took three or four hops, counting the one to us.")
	rcvdCountFive   = symbol("RCVD_COUNT_FIVE", 0, "headers", "The message took five or six hops, counting the one to us.")
	rcvdCountSeven  = symbol("RCVD_COUNT_SEVEN", 0, "headers", "The message took seven to eleven hops, counting the one to us.")
	rcvdCountTwelve = symbol("RCVD_COUNT_TWELVE", 0, "headers", "The message took twelve or more hops, counting the one to us.")

	rcvdTLSAll    = symbol("RCVD_TLS_ALL", 0, "headers", "All hops of the message were encrypted, as far as they tell.")
	rcvdTLSLast   = symbol("RCVD_TLS_LAST", 0, "headers", "The last hop of the message was encrypted.")
	rcvdNoTLSLast = symbol("RCVD_NO_TLS_LAST", 0.1, "headers", "The last hop of the message was not encrypted.")
	rcvdViaAuth   = symbol("RCVD_VIA_SMTP_AUTH", 0, "headers", "A hop says that its client was authenticated; which is only what it says.")
	rcvdHeloUser  = symbol("RCVD_HELO_USER", 3, "headers", `A client greeted with the name "User", as the programs of spammers do.`)
)

// Received looks at the way of the message.
var Received = &scan.Spec[struct{}, struct{}]{
	Name: "received",
	Doc:  "The way of the message: how many hops, encrypted or not, greetings.",
	Symbols: []*scan.Symbol{
		rcvdCountZero, rcvdCountOne, rcvdCountTwo, rcvdCountThree, rcvdCountFive, rcvdCountSeven, rcvdCountTwelve,
		rcvdTLSAll, rcvdTLSLast, rcvdNoTLSLast, rcvdViaAuth, rcvdHeloUser,
	},
	New: plain(runReceived),
}

func runReceived(p *scan.Pass) {
	e, hops := p.Envelope, p.Message.Received()
	n := p.Message.Header().Count("Received")
	if ownHop(e, hops) {
		n++
	}
	p.Report(rcvdCount(n), strconv.Itoa(n))
	runTLS(p, hops)
	runHelo(p, hops)
	for i := range hops {
		if hops[i].Auth {
			p.Report(rcvdViaAuth)
			break
		}
	}
}

// ownHop tells whether the envelope knows of a hop that no field tells of: that to
// us. Most MTAs hand over the message before they write their own field.
func ownHop(e *mail.Envelope, hops []mail.Received) bool {
	return e.ClientIP.IsValid() && !e.Inspect && (len(hops) == 0 || hops[0].IP != e.ClientIP)
}

// rcvdCount returns the symbol for a number of hops.
func rcvdCount(n int) *scan.Symbol {
	switch {
	case n == 0:
		return rcvdCountZero
	case n == 1:
		return rcvdCountOne
	case n == 2:
		return rcvdCountTwo
	case n < 5:
		return rcvdCountThree
	case n < 7:
		return rcvdCountFive
	case n < 12:
		return rcvdCountSeven
	}
	return rcvdCountTwelve
}

// runTLS looks at the encryption of the hops. The last one is that to us.
func runTLS(p *scan.Pass, hops []mail.Received) {
	e := p.Envelope
	if e.Trust.Ours() {
		return
	}
	last, all, known := false, true, false
	hop := func(encrypted bool) {
		if !known {
			last, known = encrypted, true
		}
		all = all && encrypted
	}
	if ownHop(e, hops) {
		hop(e.TLS != "")
	}
	for i := range hops {
		// What passes a content filter stays on its machine.
		if by := hops[i].By; by != "" && by != "localhost" {
			hop(hops[i].TLS)
		}
	}
	switch {
	case !known:
	case all:
		p.Report(rcvdTLSAll)
	case last:
		p.Report(rcvdTLSLast)
	default:
		p.Report(rcvdNoTLSLast)
	}
}

// runHelo looks for the greeting of spammers' programs.
func runHelo(p *scan.Pass, hops []mail.Received) {
	found := strings.EqualFold(p.Envelope.Helo, "user")
	for i := range hops {
		found = found || strings.EqualFold(hops[i].Helo, "user")
	}
	if found {
		p.Report(rcvdHeloUser)
	}
}
