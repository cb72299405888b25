package ucl

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// files makes a file system of names without the first slash and their texts.
func files(pairs ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1]), Mode: 0o640}
	}
	return m
}

func TestIncludes(t *testing.T) {
	for _, c := range []struct {
		name  string
		fs    fstest.MapFS
		want  string // the tree
		diags string // the remarks
	}{
		{"old form", files("etc/r.conf", "a = 1\n.include /etc/x.conf\nb = 2", "etc/x.conf", "c = 3"), "a = 1; c = 3; b = 2;", ""},
		{"quoted, with semicolon", files("etc/r.conf", `.include "/etc/x.conf"; b = 2`, "etc/x.conf", "c = 3"), "c = 3; b = 2;", ""},
		{"relative to the file", files("etc/r.conf", ".include r.d/x.conf", "etc/r.d/x.conf", ".include y.conf", "etc/r.d/y.conf", "c = 3"), "c = 3;", ""},
		{"variable", files("etc/r.conf", `.include "$CONFDIR/x.conf"`, "etc/rmilter/x.conf", "c = 3"), "c = 3;", ""},
		{"in a section", files("etc/r.conf", `s { a = 1; .include "x.inc" }`, "etc/x.inc", "b = 2;"), "s { a = 1; b = 2; }", ""},
		{"glob in alphabetical order", files("etc/r.conf", ".include /etc/r.d/*.conf", "etc/r.d/20.conf", "b = 2", "etc/r.d/10.conf", "a = 1", "etc/r.d/.hidden.conf", "c = 3", "etc/r.d/30.conf~", "d = 4"), "a = 1; b = 2;", ""},
		{"glob without match", files("etc/r.conf", ".include /etc/r.d/*.conf\na = 1"), "a = 1;", ""},
		{"glob with comment characters", files("etc/r.conf", ".try_include /etc/r.d/*.conf # all of */\na = 1"), "a = 1;", ""},
		{"try, missing", files("etc/r.conf", ".try_include /etc/x.conf\na = 1"), "a = 1;", ""},
		{"UCL try, missing", files("etc/r.conf", `.include(try=true; priority=1,duplicate=merge) "x.conf"; a = 1`), "a = 1;", ""},
		{"missing", files("etc/r.conf", ".include /etc/x.conf\na = 1"), "a = 1;",
			"/etc/r.conf:1:1: cannot include \"/etc/x.conf\": there is no such file\n    .include /etc/x.conf"},
		{"missing, but built in", files("etc/r.conf", `w { .include "$CONFDIR/worker.inc" }`), "w { type = normal; }", ""},
		{"built in, but there", files("etc/r.conf", `w { .include "$CONFDIR/worker.inc" }`, "etc/rmilter/worker.inc", "type = mine"), "w { type = mine; }", ""},
		{"a directory", files("etc/r.conf", ".include /etc/d", "etc/d/x", ""), "",
			"/etc/r.conf:1:1: cannot include \"/etc/d\": it is a directory\n    .include /etc/d"},
		{"try, a directory", files("etc/r.conf", ".try_include /etc/d", "etc/d/x", ""), "",
			"/etc/r.conf:1:1: warning: cannot include \"/etc/d\": it is a directory\n    .try_include /etc/d"},
		{"not regular", fstest.MapFS{"etc/r.conf": {Data: []byte(".include /etc/p")}, "etc/p": {Mode: fs.ModeNamedPipe}}, "",
			"/etc/r.conf:1:1: cannot include \"/etc/p\": it is not a regular file\n    .include /etc/p"},
		{"bad pattern", files("etc/r.conf", ".include /etc/[x"), "",
			"/etc/r.conf:1:1: cannot include \"/etc/[x\": it is not a valid pattern\n    .include /etc/[x"},
		{"itself", files("etc/r.conf", ".include r.conf\na = 1"), "a = 1;",
			"/etc/r.conf:1:1: cannot include \"/etc/r.conf\": it includes itself: /etc/r.conf, /etc/r.conf\n    .include r.conf"},
		{"a loop", files("etc/r.conf", ".include x", "etc/x", "a = 1; .include y", "etc/y", "b = 2\n.include ./x"), "a = 1; b = 2;",
			"/etc/y:2:1: cannot include \"/etc/x\": it includes itself: /etc/x, /etc/y, /etc/x\n    .include ./x"},
		{"twice is no loop", files("etc/r.conf", "s { .include x }\nt { .include x\n}", "etc/x", "a = 1"), "s { a = 1; } t { a = 1; }", ""},
		{"a fault in it", files("etc/r.conf", "a = 1\n.include x\nb =", "etc/x", "\n c = ]"), "a = 1;",
			"/etc/r.conf:3:1: \"b\" has no value; expected one after it\n    b =\n" +
				"/etc/x:2:6: unexpected \"]\"; expected a value\n    c = ]"},
		{"an open block in it", files("etc/r.conf", "s { .include x\n}\nb = 2", "etc/x", "t {"), "s { } b = 2;",
			"/etc/x:1:3: the section \"t\" is not closed; expected } at its end\n    t {"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &Loader{FS: c.fs, Vars: map[string]string{"CONFDIR": "/etc/rmilter"}, Builtin: map[string]string{"worker.inc": "type = normal;"}}
			got := strings.Join(strings.Fields(Format(l.Read("/etc/r.conf"))), " ")
			if got != c.want {
				t.Errorf("tree:\n got %s\nwant %s", got, c.want)
			}
			if diff := cmp.Diff(c.diags, remarks(&l.Diagnostics)); diff != "" {
				t.Errorf("remarks (-want +got):\n%s", diff)
			}
		})
	}
}

// remarks returns all remarks, one after the other.
func remarks(ds *Diagnostics) string {
	var list []string
	for _, d := range ds.All() {
		list = append(list, d.String())
	}
	return strings.Join(list, "\n")
}

func TestIncludesTooDeep(t *testing.T) {
	m := fstest.MapFS{}
	for i := range 20 {
		m[fmt.Sprintf("etc/%d", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, "a%d = 1\n.include %d\n", i, i+1)}
	}
	l := &Loader{FS: m}
	b := l.Read("/etc/0")
	if n := len(b.Directives); n != maxIncludes+1 {
		t.Errorf("got the directives of %d files, want %d", n, maxIncludes+1)
	}
	want := "/etc/16:2:1: cannot include \"17\": includes are nested too deep; expected at most 16 levels\n    .include 17"
	if got := remarks(&l.Diagnostics); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestIncludesExplode has files that each include the next one twice.
func TestIncludesExplode(t *testing.T) {
	m := fstest.MapFS{}
	for i := range 16 {
		m[fmt.Sprintf("etc/%d", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, ".include %d\n.include %d\n", i+1, i+1)}
	}
	m["etc/16"] = &fstest.MapFile{Data: []byte("a = 1")}
	l := &Loader{FS: m}
	l.Read("/etc/0")
	if n := len(l.Files()); n > maxFiles+1 { // the last one is not parsed any more
		t.Errorf("got %d files read, want at most %d", n, maxFiles)
	}
	if got, want := remarks(&l.Diagnostics), "/etc/12:1:12: the files are too large or too many together; expected at most 16 MB in 1000 files"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSizeLimits(t *testing.T) {
	big := strings.Repeat("#", maxFile)
	l := &Loader{FS: files("a", big+"\na = 1", "b", big[1:]+"\n", "c", ".include b\n.include b\n.include b\n.include b\n.include b\na = 1")}
	l.Read("/a")
	if got, want := remarks(&l.Diagnostics), "/a: it is larger than 4 MB"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	l.Diagnostics = Diagnostics{}
	l.Read("/c")
	if got, want := remarks(&l.Diagnostics), "/c:4:11: the files are too large or too many together; expected at most 16 MB in 1000 files"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	l = &Loader{}
	b := l.ReadText("t", "s { a = ["+strings.Repeat("x,", maxNodes)+"] }\nb = 1")
	if got, want := remarks(&l.Diagnostics), "t:1:2097156: too many values; expected at most a million"; got != want || len(b.Directives) > 1 {
		t.Errorf("got %s, want %s", got, want)
	}
	l = &Loader{}
	for range maxFiles {
		l.ReadText("t", "a = 1")
	}
	l.ReadText("u", "\nassword = q1w2e3")
	if got, want := remarks(&l.Diagnostics), "u:1:1: the files are too large or too many together; expected at most 16 MB in 1000 files"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	l = &Loader{nodes: maxNodes} // at a password that is not known as one yet
	l.ReadText("t", "\nassword = q1w2e3")
	if got, want := remarks(&l.Diagnostics), "t:2:8: too many values; expected at most a million"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestReadMissing(t *testing.T) {
	l := &Loader{FS: files()}
	l.Read("/etc/r.conf")
	if got, want := l.Diagnostics.Err().Error(), "/etc/r.conf: there is no such file"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWasRead(t *testing.T) {
	l := &Loader{FS: files("etc/a", ".include ./b", "etc/b", "", "etc/c", "")}
	l.Read("/etc/a")
	for name, want := range map[string]bool{"/etc/a": true, "/etc/../etc/b": true, "/etc/c": false, "/etc/d": false} {
		if got := l.WasRead(name); got != want {
			t.Errorf("WasRead(%s): got %v, want %v", name, got, want)
		}
	}
	if diff := cmp.Diff([]string{"/etc/a", "/etc/b"}, l.Files()); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestDepth(t *testing.T) {
	for _, c := range []struct{ open, closing string }{{"a { ", "}"}, {"[", "]"}} {
		text := "x = 1\na = " + strings.Repeat(c.open, maxDepth) + strings.Repeat(c.closing, maxDepth) + "\ny = 2"
		l := &Loader{}
		if b := l.ReadText("t", strings.Replace(text, "a = a", "a", 1)); len(b.Directives) != 3 || l.Diagnostics.Err() != nil {
			t.Errorf("%d levels of %q: %v", maxDepth, c.open, l.Diagnostics.Err())
		}
		for _, levels := range []int{maxDepth + 1, 100_000} {
			text := "x = 1\na = " + strings.Repeat(c.open, levels) + strings.Repeat(c.closing, levels) + "\ny = 2"
			l := &Loader{}
			b := l.ReadText("t", strings.Replace(text, "a = a", "a", 1))
			err := l.Diagnostics.Err()
			if err == nil || !strings.Contains(err.Error(), "nested too deep; expected at most 32 levels") || strings.Count(err.Error(), "expected") != 1 {
				t.Errorf("%d levels of %q: got %v, want one fault about the depth", levels, c.open, err)
			}
			if last := b.Directives[len(b.Directives)-1]; last.Name != "y" {
				t.Errorf("%d levels of %q: reading stopped at %s", levels, c.open, last.Name)
			}
		}
	}
}
