package suites

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDeviations wants each case that is answered otherwise to be one of its suite, with
// another answer there.
func TestDeviations(t *testing.T) {
	answers := map[string]map[string]string{}
	add := func(s Suite, name, answer string) {
		if answers[s.Name] == nil {
			answers[s.Name] = map[string]string{}
		}
		answers[s.Name][name] = answer
	}
	for _, s := range ARC(t) {
		for _, c := range s.Cases {
			add(ARCSuite(), c.Name, c.Status)
		}
	}
	for _, c := range DMARCRecords(t) {
		add(DMARCRecordSuite(), c.Record, c.Result)
	}
	for _, c := range DMARCAlignments(t) {
		add(DMARCAlignmentSuite(), c.Name(), "")
	}
	for _, c := range Functional(t) {
		add(FunctionalSuite(), c.Name, "")
	}
	for _, c := range Suffixes(t) {
		add(SuffixSuite(), c.Name, c.Want)
	}
	for _, s := range Suites() {
		for _, d := range s.Deviations {
			if answer, ok := answers[s.Name][d.Case]; !ok || answer == d.Got {
				t.Errorf("%s: %q is a case: %v; the answer there is %q, and here", s.Name, d.Case, ok, answer)
			}
		}
	}
}

func TestYAML(t *testing.T) {
	got := readYAML(t, `# a comment
description: >-
  Two
  lines
tests:
  one:
    result: [pass, "fail, or not"]
    message:   |
      From: a
        # no comment

      body

    status:   None
zone:
  "example.com":
    - TXT: 'it''s'  
    - MX: [10,
           mx.example.com]
    - TIMEOUT
--- 
plain: one
  two # a comment
empty:
last: "\x01\0"
last: kept
`)
	want := []map[string]any{{
		"description": "Two lines",
		"tests": map[string]any{"one": map[string]any{
			"result": []any{"pass", "fail, or not"}, "message": "From: a\n  # no comment\n\nbody\n", "status": "None"}},
		"zone": map[string]any{"example.com": []any{
			map[string]any{"TXT": "it's"}, map[string]any{"MX": []any{"10", "mx.example.com"}}, "TIMEOUT"}},
	}, {"plain": "one two", "empty": "", "last": "kept"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
