package checks

import (
	"strings"
	"testing"

	"rmilter/internal/dns/dnstest"
	"rmilter/internal/mail"
)

// trialZone is a key in test mode.
func trialZone(t testing.TB, name string) string {
	return name + " TXT " + strings.Replace(testKey(t).Record(), "k=", "t=y; k=", 1) + "\n"
}

func TestDKIM(t *testing.T) {
	r := newAuthRig(t, "", keyZone(t, "example.net", "example.org", "lists.example")+trialZone(t, "trial._domainkey.example.net")+`
		revoked._domainkey.example.net TXT v=DKIM1; p=
		down._domainkey.example.net    TXT v=DKIM1; p=
	`)
	r.server.Script("down._domainkey.example.net", "TXT", dnstest.ServFail)
	good := signed(t, plainText, "example.net")
	changed := strings.Replace(good, "\nHello\n", "\nHullo\n", 1)
	r.fixtures(t, DKIM.Symbols, []fixture{
		{"none", nil, plainText, "R_DKIM_NA"},
		{"valid", nil, good, "R_DKIM_ALLOW{example.net:s=s} DKIM_TRACE{example.net:+}"},
		{"two", nil, signed(t, good, "example.org"), "R_DKIM_ALLOW{example.org:s=s} R_DKIM_ALLOW{example.net:s=s} DKIM_TRACE{example.org:+,example.net:+}"},
		{"changed body", nil, changed, "R_DKIM_REJECT{example.net:s=s: bad body hash} DKIM_TRACE{example.net:-}"},
		{"changed header", nil, strings.Replace(good, "Joe", "Jim", 1), "R_DKIM_REJECT{example.net:s=s: bad signature} DKIM_TRACE{example.net:-}"},
		{"second From on top, signed once", nil, "From: boss@bank.example\n" + signedOnce(t, plainText, "example.net"), "R_DKIM_PERMFAIL{example.net:s=s: an unsigned From field} DKIM_TRACE{example.net:~}"},
		{"second From on top with a space", nil, "X-A: 1\nFrom : boss@bank.example\n" + signedOnce(t, plainText, "example.net"), "R_DKIM_PERMFAIL{example.net:s=s: an unsigned From field} DKIM_TRACE{example.net:~}"},
		{"signed once", nil, signedOnce(t, plainText, "example.net"), "R_DKIM_ALLOW{example.net:s=s} DKIM_TRACE{example.net:+}"},
		{"second From", nil, strings.Replace(good, "From:", "From: jim@example.org\nFrom:", 1), "R_DKIM_REJECT{example.net:s=s: bad signature} DKIM_TRACE{example.net:-}"},
		{"a list signed again", nil, signed(t, changed, "lists.example"),
			"R_DKIM_ALLOW{lists.example:s=s} R_DKIM_REJECT{example.net:s=s: bad body hash} DKIM_TRACE{lists.example:+,example.net:-}"},
		{"no key", nil, signed(t, plainText, "example.net none"), "R_DKIM_PERMFAIL{example.net:s=none: key not found} DKIM_TRACE{example.net:~}"},
		{"revoked", nil, signed(t, plainText, "example.net revoked"), "R_DKIM_PERMFAIL{example.net:s=revoked: key revoked} DKIM_TRACE{example.net:~}"},
		{"DNS fails", nil, signed(t, plainText, "example.net down"), "R_DKIM_TEMPFAIL{example.net:s=down: key unavailable} DKIM_TRACE{example.net:?}"},
		{"no signature at all", nil, "DKIM-Signature: rubbish\n" + plainText, "R_DKIM_PERMFAIL{field 1: malformed signature}"},
		{"test mode, valid", nil, signed(t, plainText, "example.net trial"), "R_DKIM_ALLOW{example.net:s=trial} DKIM_TRACE{example.net:+}"},
		{"test mode, changed", nil, strings.Replace(signed(t, plainText, "example.net trial"), "\nHello\n", "\nHullo\n", 1), "R_DKIM_NA DKIM_TRACE{example.net:~}"},
		{"part of the body", nil, partial(t, "example.net", "Hello\n", "Buy!\n"), "R_DKIM_PERMFAIL{example.net:s=s: part of the body is not signed} DKIM_TRACE{example.net:~}"},
		{"l= of all", nil, partial(t, "example.net", "Hello\n", ""), "R_DKIM_ALLOW{example.net:s=s} DKIM_TRACE{example.net:+}"},
		{"our user", trust(mail.Authenticated), changed, ""},
		{"trusted relay", trust(mail.TrustedRelay), good, "R_DKIM_ALLOW{example.net:s=s} DKIM_TRACE{example.net:+}"},
		{"hostile domain", nil, strings.Replace(good, "d=example.net", "d=\x1b[31m\xff"+strings.Repeat("x", 300), 1), "R_DKIM_PERMFAIL{field 1: malformed signature}"},
		{"line ends of SMTP", nil, strings.ReplaceAll(good, "\n", "\r\n"), "R_DKIM_ALLOW{example.net:s=s} DKIM_TRACE{example.net:+}"},
	})
}
