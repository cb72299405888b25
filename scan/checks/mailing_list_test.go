package checks

import (
	"testing"
)

func TestMailingList(t *testing.T) {
	const (
		id      = "List-Id: <l.example.org>\n"
		post    = "List-Post: <mailto:l@example.org>\n"
		help    = "List-Help: <mailto:l-help@example.org>\n"
		archive = "List-Archive: <https://l.example.org/>\n"
		owner   = "List-Owner: <mailto:l-owner@example.org>\n"
		join    = "List-Subscribe: <mailto:l-subscribe@example.org>\n"
		leave   = "List-Unsubscribe: <mailto:l-unsubscribe@example.org>\n"
		list    = "Precedence: list\n"
	)
	runFixtures(t, MailingList, []fixture{
		{"a person", nil, "From: joe@example.net\n\n", ""},
		{"id and precedence", nil, id + list + "\n", "MAILLIST*0.5{generic}"},
		{"id and two more", nil, id + post + help + "\n", "MAILLIST*0.5{generic}"},
		{"id and one more", nil, id + post + "\n", ""},
		{"id three times", nil, id + id + id + "\n", ""},
		{"all", nil, id + post + help + archive + owner + join + leave + "X-Loop: l\n" + list + "\n", "HAS_LIST_UNSUB MAILLIST{generic}"},
		{"without id", nil, join + leave + post + help + archive + list + "\n", "HAS_LIST_UNSUB MAILLIST*0.5625{generic}"},
		{"a newsletter", nil, leave + "Precedence: bulk\n\n", "PRECEDENCE_BULK HAS_LIST_UNSUB"},
		{"bulk", nil, "Precedence: BULK\n\n", "PRECEDENCE_BULK"},
		{"unsubscribe", nil, leave + "\n", "HAS_LIST_UNSUB"},
		{"mailman", nil, id + list + "X-Mailman-Version: 2.1.39\n\n", "MAILLIST{mailman}"},
		{"mailman alone", nil, "X-Mailman-Version: 2.1.39\n\n", ""},
		{"ezmlm", nil, id + "Precedence: bulk\nMailing-List: contact l-help@example.org; run by ezmlm\n\n", "PRECEDENCE_BULK MAILLIST{ezmlm}"},
		{"Google Groups", nil, id + list + "X-Google-Group-Id: 1\n\n", "MAILLIST{googlegroups}"},
		{"Google loop", nil, id + list + "X-Google-Loop: groups\n\n", "MAILLIST{googlegroups}"},
		{"CommuniGate", nil, id + list + "X-Listserver: CommuniGate Pro LIST 6.3\n\n", "MAILLIST{cgp}"},
		{"info to info", rcpts("<alice@example.com>", "<INFO@example.com>"), "From: Info@example.net\n" + leave + "\n", "HAS_LIST_UNSUB INFO_TO_INFO_LU"},
		{"info to info, not bulk", rcpts("<info@example.com>"), "From: info@example.net\n\n", ""},
		{"info to somebody", nil, "From: info@example.net\n" + leave + "\n", "HAS_LIST_UNSUB"},
		{"somebody to info", rcpts("<info@example.com>"), "From: joe@example.net\n" + leave + "\n", "HAS_LIST_UNSUB"},
	})
}
