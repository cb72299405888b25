package test

import (
	"regexp"
	"strings"
	"testing"

	"rmilter/test/mta"
)

// TestAuthenticationResults looks at where MTAs put our field, and that those which are
// forged go, wherever they are, and no others.
func TestAuthenticationResults(t *testing.T) {
	d := startDaemon(t, setup{conf: strangers + "authserv_id = mx.example.com;\n"})
	ours := regexp.MustCompile(`^Authentication-Results: mx\.example\.com;\n\tspf=temperror (?:.*\n\t)*dkim=none;\n\tdmarc=temperror\s(?:.*\n\t)*header\.from=sender\.example\n\S`)
	bothMTAs(t, d, func(t *testing.T, s *sender) {
		const (
			forged = "Authentication-Results: mx.example.com;\n\tspf=pass smtp.mailfrom=joe@sender.example\n"
			others = "Authentication-Results: mx.example.net;\n\tspf=pass smtp.mailfrom=joe@sender.example\n"
			by     = "Received: from a.example (a.example [192.0.2.1])\n\tby b.example (Postfix) with ESMTP id 4711;\n\tThu, 01 Jan 2026 12:00:00 +0000 (UTC)\n"
		)
		for _, c := range []struct{ name, above, want string }{
			{"none", "", ""},
			{"one", forged, ""},
			{"amid others", others + forged + others + forged + forged, others + others},
			{"below a trace", by + forged + by + others + forged, by + by + others},
			{"of others", others, others},
		} {
			t.Run(c.name, func(t *testing.T) {
				s.t = t
				l := letter{id: "auth-" + strings.ReplaceAll(c.name, " ", "-") + "-" + s.mta.Name(), subject: "hello", body: "hi\n"}
				conn := s.dial()
				s.accepted(conn, c.above+l.String())
				if err := conn.Quit(); err != nil {
					t.Error(err)
				}
				text := string(mta.WaitDeliveries(t, s.mta, "alice", s.seen["alice"]+1)[s.seen["alice"]])
				text = text[len(traceFields.FindString(text)):]
				if !ours.MatchString(text) {
					t.Errorf("no field of ours below the MTA's trace:\n%s", text)
				}
				same(t, "the rest", s.next("alice"), c.want+l.String())
			})
		}
	})
}
