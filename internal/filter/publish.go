package filter

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"rmilter/internal/mail"
	"rmilter/internal/store"
	"rmilter/milter"
	"rmilter/scan"
)

// Channels are where messages are published for other programs, as rmilter did.
type Channels struct {
	Spam        string  // rejected messages; "" none
	Copy        string  // copies of messages that were scanned and accepted; "" none
	Probability float64 // which share of them, 0 to 1
}

// publish sends a message to those who listen. It reads the message before it returns.
func (f *Filter) publish(r *Result) {
	c := &f.rules.Channels
	if r.Message == nil || r.Report == nil || c.Spam == "" && c.Copy == "" {
		return
	}
	spam := c.Spam != "" && spammy(r)
	// What is refused comes again, or isn't wanted.
	copied := c.Copy != "" && r.Reply.Action != milter.Respond && f.env.Random() < c.Probability
	if !spam && !copied {
		return
	}
	message := spooled(&r.Envelope, f.env.Hostname, r.Message.Raw())
	if spam {
		f.send(f.env.Stores.Spam, c.Spam, r.Envelope.ID, message)
	}
	if copied {
		f.send(f.env.Stores.Copy, c.Copy, r.Envelope.ID, message)
	}
}

// send publishes a message out of the MTA's way and logs how many took it.
func (f *Filter) send(st store.Store, channel, id string, message []byte) {
	f.env.Errands.DoHolding(len(message), func(ctx context.Context) {
		n, err := st.Publish(ctx, channel, message)
		if err != nil {
			f.env.Log.Debug("message not published", "id", id, "channel", channel, "reason", err.Error())
			return
		}
		f.env.Figures.Published()
		f.env.Log.Debug("message published", "id", id, "channel", channel, "receivers", n)
	})
}

// spammy tells whether a message was rejected, or would have been where a reject is only
// marked.
func spammy(r *Result) bool {
	v := &r.Verdict
	return v.Action == scan.Reject || v.Reached == scan.Reject ||
		v.Counted != nil && bool(v.Counted.NeverReject) && v.Required > 0 && v.Score >= v.Required
}

// spooled returns a message as rmilter published it: below a Received field of our own
// the sender and the recipients.
func spooled(e *mail.Envelope, host string, raw []byte) []byte {
	var b bytes.Buffer
	b.Grow(len(raw) + 512)
	ip := "unknown"
	if e.ClientIP.IsValid() {
		ip = e.ClientIP.String()
	}
	name := e.Hostname
	if name == "" {
		name = "unknown"
	}
	fmt.Fprintf(&b, "Received: from %s (%s [%s]) by %s (rmilter) with ESMTP id %s; %s\r\n", oneLine(e.Helo), oneLine(name), ip, host, e.ID, e.Time.Format(time.RFC1123Z))
	fmt.Fprintf(&b, "Return-Path: %s\r\n", oneLine(e.From.String()))
	for _, r := range e.Rcpts {
		fmt.Fprintf(&b, "X-Rcpt-To: %s\r\n", oneLine(r.String()))
	}
	b.Write(raw)
	return b.Bytes()
}

// oneLine returns a value of the envelope as it may stand in a header field.
func oneLine(s string) string {
	clean := []byte(s[:min(len(s), maxValue)])
	for i, c := range clean {
		if c < ' ' || c == 0x7f {
			clean[i] = '?'
		}
	}
	return string(clean)
}
