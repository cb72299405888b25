package suites

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// A DMARCRecord is a record of OpenDMARC's set.
type DMARCRecord struct {
	Record string
	Result string // ok; no record: it isn't one of DMARC; no policy: it has none that counts
	Broken bool   // it is refused for a value that isn't valid
}

// DMARCRecords reads the set.
func DMARCRecords(t testing.TB) []DMARCRecord {
	t.Helper()
	var list []struct{ Record, Result string }
	if err := json.Unmarshal([]byte(Read(t, "dmarc-opendmarc/record_parse.json")), &list); err != nil {
		t.Fatal(err)
	}
	words := map[string]string{
		"DMARC_PARSE_OKAY": "ok", "DMARC_PARSE_ERROR_EMPTY": "no record", "DMARC_PARSE_ERROR_BAD_VERSION": "no record",
		"DMARC_PARSE_ERROR_BAD_VALUE": "no policy", "DMARC_PARSE_ERROR_NO_REQUIRED_P": "no policy",
	}
	var all []DMARCRecord
	for _, c := range list {
		if words[c.Result] == "" {
			t.Fatalf("%q: what is %s?", c.Record, c.Result)
		}
		all = append(all, DMARCRecord{c.Record, words[c.Result], strings.HasSuffix(c.Result, "BAD_VALUE")})
	}
	return all
}

// A DMARCAlignment is a pair of domains of OpenDMARC's set.
type DMARCAlignment struct {
	A, B    string
	Mode    string // STRICT or RELAXED
	Aligned bool
}

// Name returns the name of the case.
func (a *DMARCAlignment) Name() string { return a.A + " and " + a.B }

// DMARCAlignments reads the set.
func DMARCAlignments(t testing.TB) (all []DMARCAlignment) {
	t.Helper()
	if err := json.Unmarshal([]byte(Read(t, "dmarc-opendmarc/alignment.json")), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// A Suffix is a case of the public suffix list's own test.
type Suffix struct {
	Name string // "" is none at all
	Want string // the registered domain, "" when there is none
}

// Suffixes reads the test of the public suffix list.
func Suffixes(t testing.TB) (all []Suffix) {
	t.Helper()
	check := regexp.MustCompile(`^checkPublicSuffix\((null|'[^']*'), (null|'[^']*')\);`)
	unquote := func(s string) string {
		if s == "null" {
			return ""
		}
		return strings.Trim(s, "'")
	}
	for line := range strings.Lines(Read(t, "psl/tests/test_psl.txt")) {
		if strings.HasPrefix(line, "//") || strings.TrimSpace(line) == "" {
			continue
		}
		m := check.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("can't read %q", line)
		}
		all = append(all, Suffix{unquote(m[1]), unquote(m[2])})
	}
	return all
}

// SuffixList returns the public suffix list that the test is for.
func SuffixList(t testing.TB) string {
	t.Helper()
	return Read(t, "psl/public_suffix_list.dat")
}
