package filter

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"rmilter/internal/mail"
	"rmilter/internal/ucl"
	"rmilter/scan"
)

// TestCheckFails has a scanner that panics: there is no judgement, no account, and the
// reason is in the log alone.
func TestCheckFails(t *testing.T) {
	r := start(t, func(r *rig) {
		r.scanner = scannerFunc(func(context.Context, *mail.Envelope, *mail.Message) *scan.Report { panic("told to") })
	})
	q := Inquiry{Envelope: mail.Envelope{ClientIP: netip.MustParseAddr("203.0.113.7")}, Raw: []byte(clean)}
	res, err := r.filter.Load().Check(t.Context(), q)
	if err == nil || res != nil || strings.Contains(err.Error(), "told to") || !strings.Contains(err.Error(), "0000000000") {
		t.Errorf("got %+v, %v; want an error with the id and without the reason", res, err)
	}
	if !strings.Contains(r.logged(), "told to") || r.env.Figures.Snapshot().Today.Panics != 1 {
		t.Errorf("the panic is not accounted for: %s", r.logged())
	}
	if len(r.done) != 0 {
		t.Error("there is an account")
	}
}

// TestCheckTrust wants what a client is to us to be worked out as by milter, but for the
// MTA's own machine, which it can't be.
func TestCheckTrust(t *testing.T) {
	r := start(t, nil)
	for _, c := range []struct {
		e    mail.Envelope
		want mail.Trust
	}{
		{mail.Envelope{}, mail.Stranger},
		{mail.Envelope{ClientIP: netip.MustParseAddr("203.0.113.7")}, mail.Stranger},
		{mail.Envelope{ClientIP: netip.MustParseAddr("127.0.0.1")}, mail.OurNetwork},
		{mail.Envelope{User: "joe"}, mail.Authenticated},
	} {
		res, err := r.filter.Load().Check(t.Context(), Inquiry{Envelope: c.e, Raw: []byte(clean)})
		if err != nil || res.Envelope.Trust != c.want {
			t.Errorf("%+v: got %v, %v; want %v", c.e, res.Envelope.Trust, err, c.want)
		}
		<-r.done
	}
}

// TestCheckCutRecipients wants no recipients' whitelist to speak for those that were too
// many to be kept.
func TestCheckCutRecipients(t *testing.T) {
	r := start(t, func(r *rig) { r.conf.Whitelist = ucl.MustRecipients("abuse@example.org") })
	e := mail.Envelope{ClientIP: netip.MustParseAddr("203.0.113.7"), Rcpts: []mail.Path{{Address: mail.ParseAddress("abuse@example.org")}}}
	for _, cut := range []bool{false, true} {
		e.RcptsCut = cut
		res, err := r.filter.Load().Check(t.Context(), Inquiry{Envelope: e, Raw: []byte(clean)})
		if err != nil || (res.Report != nil) != cut {
			t.Errorf("cut %v: got the report %v, %v", cut, res.Report, err)
		}
		<-r.done
	}
}
