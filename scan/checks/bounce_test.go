package checks

import "testing"

func TestBounce(t *testing.T) {
	const (
		mta      = "From: Mail Delivery System <MAILER-DAEMON@mx.example.net>\n"
		words    = "Subject: Undelivered Mail Returned to Sender\n"
		original = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nsorry\n--b\nContent-Type: message/rfc822\n\nSubject: Hi\n\ntext\n--b--\n"
	)
	none := sender("<>")
	report := func(kind string) string {
		return "Content-Type: multipart/report; report-type=" + kind + "; boundary=b\n\n--b\n\ntext\n--b--\n"
	}
	runFixtures(t, Bounce, []fixture{
		{"a person", nil, "From: joe@example.net\nSubject: Hi\n\n", ""},
		{"a report", none, report("delivery-status"), "BOUNCE{report}"},
		{"a report, quoted", none, report(`"Delivery-Status"`), "BOUNCE{report}"},
		{"a receipt", none, report("disposition-notification"), "BOUNCE{report}"},
		{"a report with a sender", nil, report("delivery-status"), ""},
		{"another report", none, report("feedback-report"), ""},
		{"an old MTA", none, mta + words + "\n", "SUBJ_BOUNCE_WORDS{undelivered} BOUNCE*0.5{mailer-daemon,subject}"},
		{"an old MTA with the original", none, mta + "Subject: Hm\n" + original, "BOUNCE*0.5{mailer-daemon,original}"},
		{"an old MTA with nothing", none, mta + "Subject: Hm\n\n", ""},
		{"somebody with the original", none, "From: joe@example.net\n" + words + original, "SUBJ_BOUNCE_WORDS{undelivered} BOUNCE*0.2{subject,original}"},
		{"somebody with words", none, "From: joe@example.net\n" + words + "\n", "SUBJ_BOUNCE_WORDS{undelivered}"},
		{"words of a sender", nil, words + "\n", "SUBJ_BOUNCE_WORDS{undelivered}"},
		{"a postmaster who writes", nil, "From: postmaster@example.net\n" + words + original, "SUBJ_BOUNCE_WORDS{undelivered}"},
		{"MDaemon", none, "From: MDaemon@example.net\nX-MDDSN-Message: Yes\nSubject: Warnung\n\n", "BOUNCE{mdaemon}"},
		{"somebody of that name", none, "From: mdaemon@example.net\nSubject: Warnung\n\n", ""},
		{"only asked", inspect, report("delivery-status"), "BOUNCE{report}"},
		{"part of a word", nil, "Subject: reundelivered parcels\n\n", "SUBJ_BOUNCE_WORDS{undelivered}"},
	})
}
