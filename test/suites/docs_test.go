package suites

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDocumented wants docs/authentication.md to tell of every suite and of every case
// that is answered otherwise, and of no others.
func TestDocumented(t *testing.T) {
	var want []string
	named := map[string]bool{}
	for _, s := range Suites() {
		named[s.Name] = true
		want = append(want, fmt.Sprintf("| %s | %d | %d | %d |", s.Name, s.Cases, s.Cases-len(s.Deviations), len(s.Deviations)))
	}
	for _, s := range Suites() {
		for _, d := range s.Deviations {
			if d.Case == "" || d.Got == "" || !strings.HasPrefix(d.Section, "RFC ") || d.Why == "" {
				t.Errorf("%s: a deviation lacks something: %+v", s.Name, d)
			}
			want = append(want, fmt.Sprintf("| %s | `%s` | %s | %s | %s |", s.Name, d.Case, d.Got, d.Section, d.Why))
		}
	}
	doc, err := os.ReadFile(filepath.Join(root(t), "docs/authentication.md"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	inside := false
	for line := range strings.Lines(string(doc)) {
		if strings.HasPrefix(line, "## ") {
			inside = strings.TrimSpace(line) == "## Where the standards leave a choice, or we differ"
		}
		// Rows of the suites have more columns than the others of the section.
		if inside && strings.HasPrefix(line, "|") && strings.Count(line, " | ") > 1 && !strings.HasPrefix(line, "| suite |") {
			got = append(got, strings.TrimSpace(line))
			name, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
			if !named[name] {
				t.Errorf("what is the suite %q?", name)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/authentication.md differs from the suites: -want +got\n%s", diff)
	}
}
