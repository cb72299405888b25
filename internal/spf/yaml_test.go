package spf_test

import (
	"fmt"
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
		var list []any
		for r.skip(); r.next < len(r.lines) && indentOf(r.lines[r.next]) == indent; r.skip() {
			line := r.lines[r.next]
			item, ok := strings.CutPrefix(line[indent:], "- ")
			if !ok {
				break
			}
			if key, rest, ok := cutKey(strings.TrimSpace(item)); ok {
				v, err := r.value(rest, indent+2)
				if err != nil {
					return nil, err
				}
				list = append(list, map[string]any{key: v})
				continue
			}
			v, err := r.value(item, indent)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
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
		if m[key] != nil {
			return nil, fmt.Errorf("key %q twice", key)
		}
		m[key] = v
	}
	return m, nil
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
		glue := " "
		if s[0] == '|' {
			glue = "\n"
		}
		return strings.Join(r.deeper(indent), glue), nil
	case s[0] == '[':
		for !strings.HasSuffix(s, "]") {
			more := r.deeper(indent)
			if len(more) == 0 {
				return nil, fmt.Errorf("list without end: %s", s)
			}
			s += " " + strings.Join(more, " ")
		}
		return flowList(s[1 : len(s)-1])
	}
	return scalar(strings.Join(append([]string{s}, r.deeper(indent)...), " "))
}

// deeper takes the lines that are indented more.
func (r *yamlReader) deeper(indent int) []string {
	var lines []string
	for r.next < len(r.lines) {
		line := r.lines[r.next]
		if strings.TrimSpace(line) != "" && indentOf(line) <= indent {
			break
		}
		lines = append(lines, strings.TrimSpace(line))
		r.next++
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
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
