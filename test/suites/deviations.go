package suites

// A Suite is a conformance suite and what of it is answered otherwise here.
type Suite struct {
	Name       string
	Cases      int
	Deviations []Deviation
}

// A Deviation is a case of a suite that is answered otherwise on purpose.
type Deviation struct {
	Case    string
	Got     string // the answer here
	Section string // what it rests on
	Why     string
}

// Deviates returns the answer here to a case that deviates; ok is false for others.
func (s Suite) Deviates(name string) (got string, ok bool) {
	for _, d := range s.Deviations {
		if d.Case == name {
			return d.Got, true
		}
	}
	return "", false
}

// Suites returns all suites, as docs/authentication.md lists them.
func Suites() []Suite {
	return []Suite{SPFSuite(), ARCSuite(), DKIMSuite(), DMARCRecordSuite(), DMARCAlignmentSuite(), FunctionalSuite(), SuffixSuite()}
}

// SPFSuite is the suite of RFC 7208.
func SPFSuite() Suite { return Suite{Name: "RFC 7208 (SPF)", Cases: 203} }

// ARCSuite is the validation suite of ARC.
func ARCSuite() Suite {
	const section, why = "RFC 8617, section 5.2, steps 2 and 3C", "the suite follows a draft in which a chain that was sealed as failed had no status"
	return Suite{"ARC validation", 171, []Deviation{
		{"cv_fail_i1_as_cv_fail", "fail", section, why},
		{"cv_fail_i2_as2_fail", "fail", section, why},
		{"cv_fail_i2_as1_fail", "fail", section, why},
	}}
}

// DKIMSuite are the examples of the RFCs and dkimpy's messages.
func DKIMSuite() Suite { return Suite{Name: "DKIM (RFC 6376, RFC 8463, dkimpy)", Cases: 10} }

// DMARCRecordSuite are OpenDMARC's records.
func DMARCRecordSuite() Suite {
	const section, why = "RFC 7489, section 6.3", "a tag with a bad value counts as absent; the policy before it is in force"
	return Suite{"OpenDMARC records", 19, []Deviation{
		{"v=DMARC1; p=n;", "no policy", "RFC 7489, section 6.4", "values must be complete"},
		{"v=DMARC1; p=none; adkim=bob;", "ok", section, why},
		{"v=DMARC1; p=none; aspf=bob;", "ok", section, why},
		{"v=DMARC1; p=none; rf=bob;", "ok", section, why},
		{"v=DMARC1; p=none; ri=bob;", "ok", section, why},
		{"v=DMARC1; p=none; pct=500;", "ok", section, why},
		{"v=DMARC1; p=none; rf=000000000000000000000000000000000", "ok", section, why},
	}}
}

// DMARCAlignmentSuite are OpenDMARC's pairs of domains. The deviations are those of mail
// from such domains; compared on their own, all pairs are as there.
func DMARCAlignmentSuite() Suite {
	const section, why = "RFC 5322, section 3.4.1", "no address has such a domain: FROM_INVALID tells of it"
	return Suite{"OpenDMARC alignment", 10, []Deviation{
		{".mac.com. and mac.com", "no record", section, why},
		{"....mac.com.... and mac.com", "no record", section, why},
		{"mac...com and ..com", "no record", section, why},
	}}
}

// FunctionalSuite are rspamd's functional tests, as far as they are about SPF, DKIM, DMARC
// and ARC.
func FunctionalSuite() Suite {
	const section, why = "RFC 7489, section 6.6.2", "the case has no client, so nobody knows what SPF says: DMARC has no verdict"
	return Suite{"rspamd-functional", 39, []Deviation{
		{"SPF EXTERNAL RELAY", "no R_SPF_ALLOW", "RFC 7208, section 2.3", "the client before a relay of ours is found for all checks, by trusted_relays; options tell more than the mechanism"},
		{"PHISH_SENDER_E", "DMARC_NA with other options", "RFC 7489, section 6.6.1", "two authors of one domain in From: DMARC is asked for that domain, and MULTIPLE_FROM tells of them"},
		{"DMARC NONE FAIL", "no DMARC_POLICY_SOFTFAIL", section, why},
		{"DMARC SP QUARANTINE FAIL", "no DMARC_POLICY_QUARANTINE", section, why},
		{"DMARC SUBDOMAIN FAIL DKIM STRICT ALIGNMENT", "no DMARC_POLICY_REJECT", section, why},
	}}
}

// SuffixSuite is the public suffix list's own test.
func SuffixSuite() Suite {
	const section, why = "RFC 7489, section 6.6.1", "mail from such a domain is judged by the name without the dot, which readers see; looked up on their own, all names are as there"
	return Suite{"public suffix list", 78, []Deviation{
		{".example.com", "reject", section, why},
		{".example.example", "reject", section, why},
	}}
}
