package suites

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A yamlReader reads as much of YAML as the suites use: block mappings and lists, flow
// lists, plain, quoted and block scalars, comments. Values are strings, []any and
// map[string]any.
type yamlReader struct {
	lines []string
	next  int
}

// readYAML reads a file of documents.
func readYAML(t testing.TB, text string) []map[string]any {
	t.Helper()
	var docs []map[string]any
	for doc := range strings.SplitSeq("\n"+text, "\n---") {
		r := &yamlReader{lines: strings.Split(doc, "\n")}
		r.skip()
		if r.next == len(r.lines) {
			continue
		}
		v, err := r.block(0)
		if err == nil && r.next < len(r.lines) {
			err = fmt.Errorf("%q is left over", r.lines[r.next])
		}
		if err != nil {
			t.Fatalf("YAML document %d: %v", len(docs)+1, err)
		}
		docs = append(docs, v.(map[string]any))
	}
	return docs
}

// text returns a scalar, "" for anything else.
func text(v any) string {
	s, _ := v.(string)
	return s
}

// mapping returns a mapping, nil for anything else.
func mapping(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func sorted(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// skip goes to the next line with something in it.
func (r *yamlReader) skip() {
	for ; r.next < len(r.lines); r.next++ {
		if s := strings.TrimSpace(r.lines[r.next]); s != "" && s[0] != '#' {
			return
		}
	}
}

func indentOf(s string) int { return len(s) - len(strings.TrimLeft(s, " ")) }

// block reads a mapping or list whose lines have this indent.
func (r *yamlReader) block(indent int) (any, error) {
	if strings.HasPrefix(strings.TrimSpace(r.lines[r.next]), "- ") {
		return r.list(indent)
	}
	m := map[string]any{}
	for r.skip(); r.next < len(r.lines) && indentOf(r.lines[r.next]) == indent; r.skip() {
		key, rest, ok := cutKey(strings.TrimSpace(r.lines[r.next]))
		if !ok {
			return nil, fmt.Errorf("no key in %q", r.lines[r.next])
		}
		v, err := r.value(rest, indent)
		if err != nil {
			return nil, err
		}
		m[key] = v // of two with one name the last counts, as YAML's usual readers have it
	}
	return m, nil
}

func (r *yamlReader) list(indent int) (list []any, err error) {
	for r.skip(); r.next < len(r.lines) && indentOf(r.lines[r.next]) == indent; r.skip() {
		item, ok := strings.CutPrefix(r.lines[r.next][indent:], "- ")
		if !ok {
			break
		}
		key, rest, ok := cutKey(strings.TrimSpace(item))
		if !ok {
			v, err := r.value(item, indent)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
			continue
		}
		v, err := r.value(rest, indent+2)
		if err != nil {
			return nil, err
		}
		list = append(list, map[string]any{key: v})
	}
	return list, nil
}

// cutKey cuts "key: rest".
func cutKey(s string) (key, rest string, ok bool) {
	if s != "" && s[0] == '"' {
		end := strings.Index(s, `":`)
		if end < 0 {
			return "", "", false
		}
		return s[1:end], strings.TrimSpace(s[end+2:]), true
	}
	if s, ok := strings.CutSuffix(s, ":"); ok && !strings.ContainsAny(s, " ,") {
		return s, "", true
	}
	key, rest, ok = strings.Cut(s, ": ")
	return key, strings.TrimSpace(rest), ok && !strings.ContainsAny(key, ` "'[`)
}

// value reads what stands behind a key or dash in the current line, and the lines that
// belong to it.
func (r *yamlReader) value(s string, indent int) (any, error) {
	s = strings.TrimSpace(s)
	r.next++
	switch {
	case s == "":
		r.skip()
		if r.next < len(r.lines) {
			n := indentOf(r.lines[r.next])
			dash := strings.HasPrefix(r.lines[r.next][n:], "- ")
			if n > indent || n == indent && dash {
				return r.block(n)
			}
		}
		return "", nil
	case s[0] == '|' || s[0] == '>':
		lines := r.deeper(indent)
		switch {
		case len(lines) == 0:
			return "", nil
		case s[0] == '>':
			return strings.Join(lines, " "), nil
		case strings.HasSuffix(s, "-"):
			return strings.Join(lines, "\n"), nil
		}
		return strings.Join(lines, "\n") + "\n", nil
	case s[0] == '[':
		for !strings.HasSuffix(s, "]") {
			more := r.deeper(indent)
			if len(more) == 0 {
				return nil, fmt.Errorf("list without end: %s", s)
			}
			s += " " + strings.Join(trimmed(more), " ")
		}
		return flowList(s[1 : len(s)-1])
	}
	return scalar(strings.Join(append([]string{s}, trimmed(r.deeper(indent))...), " "))
}

// deeper takes the lines that are indented more, without the indent of the first of
// them, and without empty ones at the end.
func (r *yamlReader) deeper(indent int) []string {
	var lines []string
	for depth := 0; r.next < len(r.lines); r.next++ {
		line := r.lines[r.next]
		if strings.TrimSpace(line) != "" {
			if indentOf(line) <= indent {
				break
			}
			if depth == 0 {
				depth = indentOf(line)
			}
		}
		lines = append(lines, line[min(indentOf(line), max(depth, indent)):])
	}
	for len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// trimmed takes the blanks off lines that are folded.
func trimmed(lines []string) []string {
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return lines
}

func flowList(s string) (any, error) {
	list := []any{}
	for s = strings.TrimSpace(s); s != ""; {
		end := strings.IndexByte(s, ',')
		if s[0] == '"' || s[0] == '\'' {
			if close := strings.IndexByte(s[1:], s[0]); close >= 0 {
				end = strings.IndexByte(s[close+2:], ',')
				if end >= 0 {
					end += close + 2
				}
			}
		}
		item := s
		if end >= 0 {
			item, s = s[:end], strings.TrimSpace(s[end+1:])
		} else {
			s = ""
		}
		v, err := scalar(strings.TrimSpace(item))
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// scalar reads a quoted or plain scalar.
func scalar(s string) (any, error) {
	if s == "" {
		return "", nil
	}
	switch s[0] {
	case '"':
		// YAML's \0 and \x80 are the characters of these numbers, which the suites
		// mean as bytes.
		s = strings.ReplaceAll(s, `\0`, `\x00`)
		return strconv.Unquote(s)
	case '\'':
		return strings.ReplaceAll(strings.Trim(s, "'"), "''", "'"), nil
	}
	if i := strings.Index(s, " #"); i >= 0 {
		s = strings.TrimSpace(s[:i])
	}
	return s, nil
}
