package dmarc

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/mail"
	"rmilter/test/suites"
)

// TestOpenDMARCRecords reads the records of OpenDMARC's set.
func TestOpenDMARCRecords(t *testing.T) {
	n, same, suite := 0, 0, suites.DMARCRecordSuite()
	for _, c := range suites.DMARCRecords(t) {
		n++
		r, err := ParseRecord([]string{c.Record})
		got := "ok"
		switch {
		case errors.Is(err, ErrNoRecord):
			got = "no record"
		case errors.Is(err, ErrPolicy):
			got = "no policy"
		}
		want := c.Result
		if d, ok := suite.Deviates(c.Record); ok {
			want = d
			if c.Broken && got == "ok" && len(r.Defects) == 0 {
				t.Errorf("%q: the broken value isn't told of", c.Record)
			}
		} else if got == want {
			same++
		}
		if got != want {
			t.Errorf("%q: got %s, want %s (%v)", c.Record, got, want, r.Defects)
		}
	}
	t.Logf("%s: %d of %d, %d deviations", suite.Name, same, n, len(suite.Deviations))
	if n != suite.Cases || same+len(suite.Deviations) != n {
		t.Errorf("%d cases, %d as there, %d deviations, want %d cases", n, same, len(suite.Deviations), suite.Cases)
	}
}

// TestOpenDMARCAlignment compares the domains of OpenDMARC's set.
func TestOpenDMARCAlignment(t *testing.T) {
	cases, suite := suites.DMARCAlignments(t), suites.DMARCAlignmentSuite()
	for _, c := range cases {
		m := Relaxed
		if c.Mode == "STRICT" {
			m = Strict
		}
		if got := (*Suffixes)(nil).aligned(c.A, c.B, m); got != c.Aligned {
			t.Errorf("%s and %s, %s: got %v, want %v", c.A, c.B, c.Mode, got, c.Aligned)
		}
	}
	if len(cases) != suite.Cases {
		t.Errorf("%d cases, want %d", len(cases), suite.Cases)
	}
}

// plainRecord is what "v=DMARC1; p=none" says.
func plainRecord(text string, change func(*Record)) Record {
	r := Record{Text: text, Policy: Monitor, SPF: Relaxed, DKIM: Relaxed, Percent: 100, Failure: "0", Interval: 86400}
	if change != nil {
		change(&r)
	}
	return r
}

func TestParseRecord(t *testing.T) {
	for text, change := range map[string]func(*Record){
		"v=DMARC1; p=none":         nil,
		"v=DMARC1;p=none;":         nil,
		" v = DMARC1 ; p = none ;": nil,
		"V=DMARC1; P=NONE;;":       nil,
		"v=DMARC1; p=Reject; sp=Quarantine; np=none": func(r *Record) {
			r.Policy, r.Subdomain, r.NotExist = Reject, Quarantine, Monitor
		},
		"v=DMARC1; rua=mailto:a@example.org; p=reject": func(r *Record) {
			r.Policy, r.Aggregate = Reject, []URI{{"mailto:a@example.org", 0}}
		},
		"v=DMARC1; p=reject; aspf=S; adkim=s; pct=0; ri=0; t=y": func(r *Record) {
			r.Policy, r.SPF, r.DKIM, r.Percent, r.Interval, r.Testing = Reject, Strict, Strict, 0, 0, true
		},
		"v=DMARC1; p=none; fo=1:d:s; rf=afrf": func(r *Record) { r.Failure = "1:d:s" },
		"v=DMARC1; p=none; rf=iodef; fo=1:x": func(r *Record) {
			r.Failure, r.Defects = "1", []string{"rf=iodef is not valid", "fo=1:x is not valid"}
		},
		"v=DMARC1; p=none; pct=50%": func(r *Record) { r.Defects = []string{"pct=50% is not valid"} },
		"v=DMARC1; p=none; pct=-1":  func(r *Record) { r.Defects = []string{"pct=-1 is not valid"} },
		"v=DMARC1; p=none; p=reject": func(r *Record) {
			r.Defects = []string{"p= occurs twice, the first counts"}
		},
		"v=DMARC1; p=none; hello; x=y": func(r *Record) { r.Defects = []string{`" hello" is no tag`} },
		"v=DMARC1; p=none; rua=mailto:a@example.org!10m, https://example.org/r!2k ,mailto:b@example.org!x": func(r *Record) {
			r.Aggregate = []URI{{"mailto:a@example.org", 10 << 20}, {"https://example.org/r", 2 << 10}}
			r.Defects = []string{"rua=mailto:a@example.org!10m, https://exampl is not valid"}
		},
		// RFC 7489, section 6.6.3, step 6.
		"v=DMARC1; rua=mailto:a@example.org": func(r *Record) { r.Substitute, r.Aggregate = true, []URI{{"mailto:a@example.org", 0}} },
		"v=DMARC1; p=reject; sp=bob; rua=mailto:a@example.org": func(r *Record) {
			r.Substitute, r.Aggregate, r.Defects = true, []URI{{"mailto:a@example.org", 0}}, []string{"sp=bob is not valid"}
		},
	} {
		got, err := ParseRecord([]string{"other", text, "v=spf1 -all"})
		if err != nil {
			t.Errorf("%q: %v", text, err)
		} else if diff := cmp.Diff(plainRecord(text, change), got); diff != "" {
			t.Errorf("%q: -want +got\n%s", text, diff)
		}
	}
	for _, c := range []struct {
		texts []string
		want  error
	}{
		{nil, ErrNoRecord},
		{[]string{"p=none; v=DMARC1"}, ErrNoRecord},
		{[]string{"v=DMARC2; p=none"}, ErrNoRecord},
		{[]string{"v=dmarc1; p=none"}, ErrNoRecord},
		{[]string{"v=DMARC1 p=none"}, ErrNoRecord},
		{[]string{"v=DMARC1; p=none", "v=DMARC1; p=reject"}, ErrSeveral},
		{[]string{"v=DMARC1"}, ErrPolicy},
		{[]string{"v=DMARC1; p=bob"}, ErrPolicy},
		{[]string{"v=DMARC1; p=none; sp=bob"}, ErrPolicy},
		{[]string{"v=DMARC1; p=none; sp=bob; rua=ftp"}, ErrPolicy},
		{[]string{"v=DMARC1; p=none;" + strings.Repeat(" ", maxRecord)}, ErrTooLong},
	} {
		if _, err := ParseRecord(c.texts); !errors.Is(err, c.want) {
			t.Errorf("%.60q: got %v, want %v", c.texts, err, c.want)
		}
	}
}

func FuzzRecord(f *testing.F) {
	for _, s := range []string{"v=DMARC1; p=none", "v=DMARC1;p=reject;sp=none;np=none;rua=mailto:a@example.org!10m,https://example.org;fo=1:d;pct=5;ri=1;t=y", "v=DMARC1;;;=;p"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRecord([]string{s})
		if err != nil && !errors.Is(err, ErrPolicy) {
			return
		}
		if err == nil && r.Policy == NoPolicy || r.Percent < 0 || r.Percent > 100 || r.Interval < 0 || len(r.Defects) > maxDefects || len(r.Aggregate) > maxURIs {
			t.Fatalf("%q: %+v", s, r)
		}
		for _, d := range append(r.Defects, r.Text) {
			if mail.PrintableASCII(d, len(d)) != d {
				t.Fatalf("not printable: %q", d)
			}
		}
	})
}
