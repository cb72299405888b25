package checks

import (
	"math"
	"slices"
	"strings"
	"testing"

	"rmilter/internal/mail"
	"rmilter/scan"
)

// thread sets what is known of the mail that a message belongs to.
func thread(t mail.Thread) func(*mail.Envelope) {
	return func(e *mail.Envelope) { e.Thread = t }
}

func TestCorrespondence(t *testing.T) {
	const text = "From: Joe <joe@example.net>\nTo: alice@example.com\nIn-Reply-To: <1@example.com>\nSubject: Re: Hi\n\ntext\n"
	joe := mail.ParseAddress("joe@example.net")
	r := newAuthRig(t, "", keyZone(t, "example.net", "evil.example")+"example.net TXT v=spf1 ip4:203.0.113.7 -all\nevil.example TXT v=spf1 ip4:203.0.113.7 -all\nanyone.example TXT v=spf1 +all", Correspondence)
	evil := sender("<joe@evil.example>")
	all := mail.Thread{Reply: mail.Reply, ID: "1@example.com", Author: joe, Aligned: true, Seen: true, KnownBy: true, KnownTo: true}
	const claims = "REPLY*0.25{<1@example.com>,author not authenticated}"
	const known = "REPLY{<1@example.com>} KNOWN_SENDER{joe@example.net} INC_MAIL_KNOWN_GLOBALLY{joe@example.net} INC_MAIL_KNOWN_LOCALLY{joe@example.net}"
	anyone := mail.ParseAddress("joe@anyone.example")
	r.fixtures(t, Correspondence.Symbols, []fixture{
		{"nothing known", nil, text, ""},
		{"somebody new", thread(mail.Thread{Author: joe, Aligned: true}), text, ""},
		{"an answer", thread(mail.Thread{Reply: mail.Reply, ID: "1@example.com", Author: joe}), text, "REPLY{<1@example.com>}"},
		{"to a list's post", thread(mail.Thread{Reply: mail.ClaimedReply, ID: "1@example.com", Author: joe, Aligned: true}), text,
			"REPLY*0.25{<1@example.com>,claimed}"},
		{"an answer of somebody known, SPF", thread(all), text, known},
		{"an answer of somebody known, DKIM", both(evil, thread(all)), signed(t, text, "example.net"), known},
		{"an answer in somebody's name", both(evil, thread(all)), text, claims},
		{"an answer in somebody's name, signed", both(evil, thread(all)), signed(t, text, "evil.example"), claims},
		{"an answer in somebody's name, bad signature", both(evil, thread(all)), strings.Replace(signed(t, text, "example.net"), "text", "test", 1), claims},
		{"an answer from a domain that everybody may use", both(sender("<joe@anyone.example>"), thread(mail.Thread{Reply: mail.Reply, ID: "1@example.com", Author: anyone, Aligned: true, KnownBy: true})),
			strings.Replace(text, "example.net", "anyone.example", 1), claims},
		{"an answer of several", thread(mail.Thread{Reply: mail.Reply, ID: "1@example.com"}), text, claims},
		{"seen before", thread(mail.Thread{Author: joe, Aligned: true, Seen: true}), text, "KNOWN_SENDER{joe@example.net}"},
		{"known to a colleague", thread(mail.Thread{Author: joe, KnownBy: true}), text, "INC_MAIL_KNOWN_GLOBALLY{joe@example.net}"},
		{"known, in his name", both(evil, thread(mail.Thread{Author: joe, Seen: true, KnownBy: true, KnownTo: true})), text, ""},
		{"our bounce", both(sender("<>"), thread(mail.Thread{Bounce: mail.OurBounce, ID: "1@example.com"})), text, ""},
		{"a bounce of nothing", both(sender("<>"), thread(mail.Thread{Bounce: mail.UnknownBounce, ID: "9@example.com"})), text, "BOUNCE_UNKNOWN{<9@example.com>}"},
		{"no store", thread(mail.Thread{Failed: true, Author: joe, Aligned: true}), text, ""},
		{"a hostile id", thread(mail.Thread{Reply: mail.Reply, Author: joe, ID: "\x1b[31m\xff" + strings.Repeat("x", 200)}), text,
			"REPLY{<?[31m?" + strings.Repeat("x", 93) + "…}"},
	})
}

// TestRecognised tells what the filter learns of an answer, also when nobody could be
// asked who wrote it.
func TestRecognised(t *testing.T) {
	r := newAuthRig(t, "", "example.net TXT v=spf1 ip4:203.0.113.7 -all", Correspondence)
	for _, c := range []struct {
		name   string
		sender string
		kind   mail.ReplyKind
		want   mail.ReplyKind
	}{
		{"none", "<joe@example.net>", mail.NoReply, mail.NoReply},
		{"proved", "<joe@example.net>", mail.Reply, mail.Reply},
		{"not proved", "<joe@evil.example>", mail.Reply, mail.ClaimedReply},
		{"claimed", "<joe@example.net>", mail.ClaimedReply, mail.ClaimedReply},
	} {
		env := stranger()
		env.From, env.Thread = path(c.sender), mail.Thread{Reply: c.kind, Author: mail.ParseAddress("joe@example.net")}
		if got := r.scan(env, plainText).Reply; got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
	env := stranger()
	env.Thread = mail.Thread{Reply: mail.Reply, Author: mail.ParseAddress("joe@example.net")}
	if got := r.engine.Scan(t.Context(), env, mail.Parse([]byte(plainText), mail.DefaultLimits), scan.Aids{}).Reply; got != mail.ClaimedReply {
		t.Errorf("without a resolver: got %d, want %d", got, mail.ClaimedReply)
	}
}

// TestCorrespondenceWeights wants the weights that greylisting and people count on.
func TestCorrespondenceWeights(t *testing.T) {
	joe := mail.ParseAddress("joe@example.net")
	r := newAuthRig(t, "", "example.net TXT v=spf1 ip4:203.0.113.7 -all", Correspondence)
	for _, c := range []struct {
		thread mail.Thread
		want   float64
	}{
		{mail.Thread{Author: joe, Reply: mail.Reply}, -4},
		{mail.Thread{Author: joe, Reply: mail.ClaimedReply}, -1},
		{mail.Thread{Reply: mail.Reply}, -1},
		{mail.Thread{Author: joe, Seen: true, KnownBy: true, KnownTo: true}, -3},
		{mail.Thread{Bounce: mail.UnknownBounce}, 2.5},
	} {
		env := stranger()
		env.Thread = c.thread
		got := 0.0
		for _, f := range r.scan(env, plainText).Findings {
			if slices.Contains(Correspondence.Symbols, f.Symbol) {
				got += f.Symbol.Score * f.Strength
			}
		}
		if math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%+v: got %v, want %v", c.thread, got, c.want)
		}
	}
}
