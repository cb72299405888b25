package suites

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
	"testing"

	"rmilter/internal/dns/dnstest"
)

// A FunctionalCase is a case about SPF, DKIM, DMARC or ARC of rspamd's functional tests.
type FunctionalCase struct {
	File, Name               string // the file of the case
	Message                  string
	IP, Helo, Hostname, From string
	Expect                   []Expectation
	Zone                     string // for ServeFunctional
}

// An Expectation is what a case wants of a symbol.
type Expectation struct {
	Symbol  string
	Absent  bool     // it must not be there
	Exact   bool     // its options are Options, in this order
	Options []string // they are among those of the symbol
}

// Functional reads the cases.
func Functional(t testing.TB) (all []FunctionalCase) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(Read(t, "rspamd-functional/cases.tsv"), "\n"), "\n")
	for _, line := range lines[1:] {
		f := strings.Split(line, "\t")
		file, name, _ := strings.Cut(f[0], ":")
		var rows [][]string
		if err := json.Unmarshal([]byte(f[12]), &rows); err != nil {
			t.Fatalf("%s: %v", f[0], err)
		}
		c := FunctionalCase{File: file, Name: name, IP: f[4], Helo: f[5], Hostname: f[6], From: f[7], Zone: f[14]}
		about := false
		for _, row := range rows {
			if len(row) < 2 {
				continue
			}
			e := expectation(row)
			c.Expect = append(c.Expect, e)
			about = about || slices.ContainsFunc([]string{"R_SPF", "R_DKIM", "DMARC", "ARC_"}, func(s string) bool { return strings.HasPrefix(e.Symbol, s) })
		}
		if about {
			c.Message = Read(t, "rspamd-functional/messages/"+path.Base(f[3]))
			all = append(all, c)
		}
	}
	return all
}

// expectation reads the words of a case.
func expectation(row []string) Expectation {
	e := Expectation{Symbol: row[1], Absent: row[0] == "Do Not Expect Symbol", Exact: strings.HasSuffix(row[0], "Exact Options"), Options: row[2:]}
	if strings.Contains(row[0], "With Score") {
		e.Options = row[3:]
	}
	return e
}

// Missed tells what of the expectations isn't met by symbols with their options.
func (c *FunctionalCase) Missed(found map[string][]string) (missed []string) {
	for _, e := range c.Expect {
		options, ok := found[e.Symbol]
		switch {
		case ok && e.Absent:
			missed = append(missed, "unexpected "+e.Symbol)
		case !ok && !e.Absent:
			missed = append(missed, "no "+e.Symbol)
		case e.Exact && !slices.Equal(options, e.Options),
			slices.ContainsFunc(e.Options, func(o string) bool { return !slices.Contains(options, o) }):
			missed = append(missed, e.Symbol+" with other options")
		}
	}
	return missed
}

// ServeFunctional starts a server with the zone of a case.
func ServeFunctional(t testing.TB, zone string) *dnstest.Server {
	t.Helper()
	var records []struct {
		Name, Type, RCode string
		Replies, From     []string
	}
	if err := json.Unmarshal([]byte(Read(t, "rspamd-functional/dns.json")), &records); err != nil {
		t.Fatal(err)
	}
	s := dnstest.Start(t, "")
	for _, r := range records {
		if !slices.Contains(r.From, zone) {
			continue
		}
		switch r.RCode {
		case "TIMEOUT":
			s.Script(r.Name, r.Type, dnstest.Drop)
		case "NODATA":
			s.AddTXT("other."+r.Name, "so that the name above exists")
		}
		for _, v := range r.Replies {
			if r.Type == "TXT" {
				s.AddTXT(r.Name, Cut255(v)...)
			} else {
				s.Add(r.Name, r.Type, v)
			}
		}
	}
	return s
}
