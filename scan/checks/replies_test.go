package checks

import (
	"math"
	"strings"
	"testing"

	"rmilter/internal/mail"
)

// thread sets what is known of the mail that a message belongs to.
func thread(t mail.Thread) func(*mail.Envelope) {
	return func(e *mail.Envelope) { e.Thread = t }
}

func TestCorrespondence(t *testing.T) {
	const text = "From: Joe <joe@example.net>\nTo: alice@example.com\nIn-Reply-To: <1@example.com>\nSubject: Re: Hi\n\ntext\n"
	joe := mail.ParseAddress("joe@example.net")
	runFixtures(t, Correspondence, []fixture{
		{"nothing known", nil, text, ""},
		{"somebody new", thread(mail.Thread{Author: joe, Aligned: true}), text, ""},
		{"an answer", thread(mail.Thread{Reply: mail.Reply, ID: "1@example.com", Author: joe}), text, "REPLY{<1@example.com>}"},
		{"to a list's post", thread(mail.Thread{Reply: mail.ClaimedReply, ID: "1@example.com", Author: joe, Aligned: true}), text,
			"REPLY*0.25{<1@example.com>,claimed}"},
		{"an answer of somebody known", thread(mail.Thread{Reply: mail.Reply, ID: "1@example.com", Author: joe, Aligned: true, Seen: true, KnownBy: true, KnownTo: true}), text,
			"REPLY{<1@example.com>} KNOWN_SENDER*0.5{joe@example.net} INC_MAIL_KNOWN_GLOBALLY*0.5{joe@example.net} INC_MAIL_KNOWN_LOCALLY*0.5{joe@example.net}"},
		{"seen before", thread(mail.Thread{Author: joe, Aligned: true, Seen: true}), text, "KNOWN_SENDER*0.5{joe@example.net}"},
		{"known to a colleague", thread(mail.Thread{Author: joe, Aligned: true, KnownBy: true}), text, "INC_MAIL_KNOWN_GLOBALLY*0.5{joe@example.net}"},
		{"known, by another sender", thread(mail.Thread{Author: joe, Seen: true, KnownBy: true, KnownTo: true}), text, ""},
		{"our bounce", both(sender("<>"), thread(mail.Thread{Bounce: mail.OurBounce, ID: "1@example.com"})), text, ""},
		{"a bounce of nothing", both(sender("<>"), thread(mail.Thread{Bounce: mail.UnknownBounce, ID: "9@example.com"})), text, "BOUNCE_UNKNOWN{<9@example.com>}"},
		{"no store", thread(mail.Thread{Failed: true, Author: joe, Aligned: true}), text, ""},
		{"a hostile id", thread(mail.Thread{Reply: mail.Reply, ID: "\x1b[31m\xff" + strings.Repeat("x", 200)}), text,
			"REPLY{<?[31m?" + strings.Repeat("x", 93) + "…}"},
	})
}

// TestCorrespondenceWeights wants the weights that greylisting and people count on.
func TestCorrespondenceWeights(t *testing.T) {
	engine := newEngine(t, "", Correspondence)
	for _, c := range []struct {
		thread mail.Thread
		want   float64
	}{
		{mail.Thread{Reply: mail.Reply}, -4},
		{mail.Thread{Reply: mail.ClaimedReply}, -1},
		{mail.Thread{Aligned: true, Seen: true, KnownBy: true, KnownTo: true}, -1.5},
		{mail.Thread{Bounce: mail.UnknownBounce}, 2.5},
	} {
		r := engine.Scan(t.Context(), &mail.Envelope{Thread: c.thread}, mail.Parse(nil, mail.DefaultLimits))
		if got := engine.Weights().Score(r.Findings).Total; math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%+v: got %v, want %v", c.thread, got, c.want)
		}
	}
}
