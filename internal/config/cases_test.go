package config

import (
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf16"
)

// A testCase is one file of a folder of cases: a comment, then sections which each
// begin with a line `-- NAME --`. NAME is a file below /etc (or anywhere, with a
// slash in front), or a word without a dot and a slash for what the test expects of
// them, as "want". After the name may stand
//
//	mode=0644           permissions of the file, 0640 without; 0000 cannot be opened
//	link=/etc/other     a symbolic link
//	dir=yes             a directory
//	eol=crlf, cr, none  other ends of lines; none leaves out the last one alone
//	utf16=le, be        the file is in UTF-16 with a byte order mark
//
// In a text {{hex 00ff}} stands for bytes, and {{repeat 1000 "text\n"}} for a text
// many times over, in which %d is the number of the time, from 1.
type testCase struct {
	name  string // of the file, without .txt
	files []caseFile
	words map[string]string // what the test expects, by the section's word
}

// A caseFile is a file of a case.
type caseFile struct {
	name string // from the root, with a slash in front
	text string
	mode fs.FileMode // with fs.ModeDir or fs.ModeSymlink
}

// readCases reads all cases of a folder. At least so many must be there.
func readCases(t testing.TB, dir string, atLeast int) []testCase {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil || len(names) < atLeast {
		t.Fatalf("got %d files in %s (error %v), want at least %d", len(names), dir, err, atLeast)
	}
	var all []testCase
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		c, err := parseCase(string(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		c.name = strings.TrimSuffix(filepath.Base(name), ".txt")
		all = append(all, c)
	}
	return all
}

func parseCase(text string) (testCase, error) {
	header := regexp.MustCompile(`(?m)^-- (\S+)((?: [a-z0-9]+=\S+)*) --\n`)
	c := testCase{words: map[string]string{}}
	found := header.FindAllStringSubmatchIndex(text, -1)
	if len(found) == 0 || strings.TrimSpace(text[:found[0][0]]) == "" {
		return c, fmt.Errorf("expected a comment and a line such as -- rmilter.conf --")
	}
	for i, at := range found {
		end := len(text)
		if i+1 < len(found) {
			end = found[i+1][0]
		}
		name := text[at[2]:at[3]]
		body, err := expandCase(text[at[1]:end])
		if err != nil {
			return c, fmt.Errorf("%s: %w", name, err)
		}
		if !strings.ContainsAny(name, "./") {
			c.words[name] = body
			continue
		}
		f := caseFile{name: path.Join("/etc", name), text: body, mode: 0o640}
		if strings.HasPrefix(name, "/") {
			f.name = name
		}
		for _, attr := range strings.Fields(text[at[4]:at[5]]) {
			if err := f.attribute(attr); err != nil {
				return c, fmt.Errorf("%s: %w", name, err)
			}
		}
		c.files = append(c.files, f)
	}
	return c, nil
}

// expandCase replaces {{hex …}} and {{repeat …}}.
func expandCase(text string) (string, error) {
	var first error
	macro := regexp.MustCompile(`\{\{(hex|repeat) ([0-9a-f]+)(?: ("(?:[^"\\]|\\.)*"))?\}\}`)
	text = macro.ReplaceAllStringFunc(text, func(m string) string {
		part := macro.FindStringSubmatch(m)
		if part[1] == "hex" {
			b, err := hex.DecodeString(part[2])
			if err != nil {
				first = fmt.Errorf("%s: %w", m, err)
			}
			return string(b)
		}
		n, err := strconv.Atoi(part[2])
		unit, err2 := strconv.Unquote(part[3])
		if err != nil || err2 != nil || n*len(unit) > 32<<20 {
			first = fmt.Errorf("%s: not a number and a quoted text", m)
			return ""
		}
		if !strings.Contains(unit, "%d") {
			return strings.Repeat(unit, n)
		}
		var b strings.Builder
		for i := range n {
			b.WriteString(strings.ReplaceAll(unit, "%d", strconv.Itoa(i+1)))
		}
		return b.String()
	})
	return text, first
}

// attribute applies what stands after the name of a file.
func (f *caseFile) attribute(attr string) error {
	switch name, value, _ := strings.Cut(attr, "="); attr {
	case "dir=yes":
		f.mode, f.text = fs.ModeDir|0o755, ""
	case "eol=crlf":
		f.text = strings.ReplaceAll(f.text, "\n", "\r\n")
	case "eol=cr":
		f.text = strings.ReplaceAll(f.text, "\n", "\r")
	case "eol=none":
		f.text = strings.TrimSuffix(f.text, "\n")
	case "utf16=le", "utf16=be":
		var b strings.Builder
		for _, u := range utf16.Encode([]rune("\ufeff" + f.text)) {
			if value == "le" {
				u = u<<8 | u>>8
			}
			b.WriteString(string([]byte{byte(u >> 8), byte(u)}))
		}
		f.text = b.String()
	default:
		switch mode, err := strconv.ParseUint(value, 8, 9); {
		case name == "mode" && err == nil:
			f.mode = fs.FileMode(mode)
		case name == "link" && value != "":
			f.mode, f.text = fs.ModeSymlink|0o777, value
		default:
			return fmt.Errorf("unknown attribute %s", attr)
		}
	}
	return nil
}

// A caseFS is the file system of a case. Unlike fstest.MapFS it refuses to open what
// has no permissions.
type caseFS struct{ fstest.MapFS }

// Open implements fs.FS.
func (f caseFS) Open(name string) (fs.File, error) {
	file, err := f.MapFS.Open(name)
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err == nil && info.Mode().Perm() == 0 {
		file.Close()
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return file, nil
}

// fs returns the files of the case, with an empty /tmp.
func (c testCase) fs() fs.FS {
	m := files()
	for _, f := range c.files {
		text := f.text
		if f.mode&fs.ModeSymlink != 0 { // links of a MapFS are relative or without the slash in front
			text = strings.Repeat("../", strings.Count(f.name, "/")-1) + strings.TrimPrefix(text, "/")
		}
		m[strings.TrimPrefix(f.name, "/")] = &fstest.MapFile{Data: []byte(text), Mode: f.mode}
	}
	return caseFS{m}
}

// write makes the files of the case below a directory of the disk.
func (c testCase) write(t *testing.T, dir string) {
	t.Helper()
	for _, f := range c.files {
		name := filepath.Join(dir, f.name)
		err := os.MkdirAll(filepath.Dir(name), 0o755)
		switch {
		case err != nil:
		case f.mode.IsDir():
			err = os.MkdirAll(name, 0o755)
		case f.mode&fs.ModeSymlink != 0:
			err = os.Symlink(filepath.Join(dir, f.text), name)
		default:
			if err = os.WriteFile(name, []byte(f.text), 0o600); err == nil {
				err = os.Chmod(name, f.mode) // the umask has no say
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestReadCase shows what the reader of cases makes of a file.
func TestReadCase(t *testing.T) {
	c, err := parseCase("About.\n-- rmilter.conf mode=0604 eol=none --\na{{hex c3a4}}\n{{repeat 2 \"%d\\n\"}}\n-- /x/y link=/etc/rmilter.conf --\n-- d.d dir=yes --\n-- u.conf utf16=le --\nä\n-- want --\nw\n")
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%#v %q", c.files, c.words)
	want := fmt.Sprintf("%#v %q", []caseFile{
		{"/etc/rmilter.conf", "aä\n1\n2\n", 0o604},
		{"/x/y", "/etc/rmilter.conf", fs.ModeSymlink | 0o777},
		{"/etc/d.d", "", fs.ModeDir | 0o755},
		{"/etc/u.conf", "\xff\xfe\xe4\x00\n\x00", 0o640},
	}, map[string]string{"want": "w\n"})
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if text, err := fs.ReadFile(c.fs(), "x/y"); string(text) != "aä\n1\n2\n" || err != nil {
		t.Errorf("the link leads to %q, error %v", text, err)
	}
	for _, bad := range []string{"", "only text\n", "a\n-- x.conf mode=9 --\n", "a\n-- x.conf size=1 --\n", "a\n-- x.conf --\n{{hex 0}}", "a\n-- x.conf --\n{{repeat 2}}"} {
		if _, err := parseCase(bad); err == nil {
			t.Errorf("%q is taken for a case", bad)
		}
	}
}
