package dkim_test

import (
	"strings"
	"testing"

	"rmilter/dkim"
)

// deviations are cases of the validation suite whose answer is another one here. The
// suite follows a draft in which a chain that was sealed as failed had no status; RFC
// 8617, section 5.2, steps 2 and 3C, says that it is fail.
var deviations = map[string]dkim.Status{
	"cv_fail_i1_as_cv_fail": dkim.Fail,
	"cv_fail_i2_as2_fail":   dkim.Fail,
	"cv_fail_i2_as1_fail":   dkim.Fail,
}

func TestARCSuite(t *testing.T) {
	n := 0
	for _, scenario := range yamlDocuments(read(t, "arc/tests/arc-draft-validation-tests.yml")) {
		records := zone{}
		for name, txt := range scenario.children("txt-records") {
			records[name] = txt.text
		}
		for name, c := range scenario.children("tests") {
			n++
			t.Run(name, func(t *testing.T) {
				message, ok := c.fields["message"]
				if !ok {
					t.Fatal("the case has no message")
				}
				want := dkim.Status(strings.ToLower(c.fields["cv"].text))
				if d, ok := deviations[name]; ok {
					if want != "" {
						t.Errorf("the suite says %q: the deviation has gone", want)
					}
					want = d
				}
				for _, o := range []struct {
					raw string
					dkim.VerifyOptions
				}{{message.text, dkim.VerifyOptions{BareLF: true}}, {crlf(message.text), dkim.VerifyOptions{}}} {
					got := verify(t, o.raw, records, o.VerifyOptions).ARC
					if got.Status != want {
						t.Errorf("status %q (%s %s, instance %d), want %q", got.Status, got.Reason, got.Detail, got.Instance, want)
					}
				}
			})
		}
	}
	if n != 171 {
		t.Errorf("%d cases, want 171", n)
	}
}

func TestOldestPass(t *testing.T) {
	for _, scenario := range yamlDocuments(read(t, "arc/tests/arc-draft-validation-tests.yml")) {
		records := zone{}
		for name, txt := range scenario.children("txt-records") {
			records[name] = txt.text
		}
		for name, c := range scenario.children("tests") {
			want, ok := map[string]int{"cv_pass_i1_1": 0, "cv_pass_i3_1": 0, "cv_pass_i2_1_ams1_invalid": 2}[name]
			if !ok {
				continue
			}
			got := verify(t, crlf(c.fields["message"].text), records, dkim.VerifyOptions{}).ARC
			if got.OldestPass != want {
				t.Errorf("%s: oldest pass %d, want %d", name, got.OldestPass, want)
			}
			for i, s := range got.Sets {
				if s.Instance != i+1 || s.Seal.Status != dkim.Pass || s.Results == "" || s.Seal.Domain != "example.org" {
					t.Errorf("%s: set %d is %+v", name, i+1, s)
				}
			}
		}
	}
}

// A node is what a key of the suite's YAML has: text, or further keys.
type node struct {
	text   string
	fields map[string]*node
}

func (n *node) children(name string) map[string]*node {
	if c := n.fields[name]; c != nil {
		return c.fields
	}
	return nil
}

// yamlDocuments reads the part of YAML that the suite is written in: maps, plain text
// and the blocks "|" and ">-".
func yamlDocuments(text string) []*node {
	var all []*node
	for doc := range strings.SplitSeq("\n"+strings.ReplaceAll(text, "\n--- \n", "\n---\n"), "\n---\n") {
		r := yamlReader{lines: strings.Split(doc, "\n")}
		if n := r.mapping(0); len(n.fields) > 0 {
			all = append(all, n)
		}
	}
	return all
}

type yamlReader struct {
	lines []string
	at    int
}

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// blank tells what a mapping passes over.
func blank(line string) bool {
	line = strings.TrimSpace(line)
	return line == "" || line[0] == '#' || line == "---"
}

func (r *yamlReader) mapping(indent int) *node {
	n := &node{fields: map[string]*node{}}
	for ; r.at < len(r.lines); r.at++ {
		line := r.lines[r.at]
		if blank(line) {
			continue
		}
		if indentOf(line) < indent {
			break
		}
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch value = strings.TrimSpace(value); {
		case value == "|" || value == ">-":
			r.at++
			n.fields[key] = &node{text: r.block(indent, value == ">-")}
		case value != "":
			n.fields[key] = &node{text: strings.Trim(value, `'"`)}
		default:
			r.at++
			for r.at < len(r.lines) && blank(r.lines[r.at]) {
				r.at++
			}
			if r.at < len(r.lines) && indentOf(r.lines[r.at]) > indent {
				n.fields[key] = r.mapping(indentOf(r.lines[r.at]))
			} else {
				n.fields[key] = &node{}
			}
			r.at--
		}
	}
	return n
}

// block reads the lines that are deeper than their key and stops on the last of them.
func (r *yamlReader) block(indent int, fold bool) string {
	var lines []string
	depth := 0
	for ; r.at < len(r.lines); r.at++ {
		line := r.lines[r.at]
		if strings.TrimSpace(line) == "" {
			lines = append(lines, line[min(len(line), max(depth, indent)):])
			continue
		}
		if indentOf(line) <= indent {
			break
		}
		if depth == 0 {
			depth = indentOf(line)
		}
		lines = append(lines, line[depth:])
	}
	r.at--
	for len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) == "" {
		lines = lines[:len(lines)-1]
	}
	switch {
	case len(lines) == 0:
		return ""
	case fold:
		return strings.Join(lines, " ")
	}
	return strings.Join(lines, "\n") + "\n"
}
