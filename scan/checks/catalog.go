package checks

import "rmilter/scan"

// All returns the built-in checks. Their order is that of the findings.
func All() []scan.Check {
	return []scan.Check{
		GTUBE,
		BlankSpam,
		HeaderMissing,
		HeaderBroken,
		HeaderCase,
		HeaderEncoding,
		Date,
		MessageID,
		MailingList,
		Bounce,
		From,
		DisplayName,
		ReplyTo,
		To,
		Recipients,
		Forwarding,
		ForgedAddresses,
		Received,
		OnceReceived,
		HFilter,
		Subject,
		MIMEHeader,
		MIMEShape,
		MIMEText,
		XPriority,
		Upstream,
		SPF,
		DKIM,
		ARC,
		DMARC,
		Auth,
		AuthLists,
		RBL,
		SURBL,
		Correspondence,
		Lists,
		Rules,
	}
}
