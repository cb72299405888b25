package ucl

import (
	"context"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
)

// maxMemory is how many bytes reading may allocate for each byte of its input, those
// that are given back again included.
const maxMemory = 480

// allocated returns how many bytes fn allocates.
func allocated(fn func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

// TestMemoryIsLinear reads the texts of TestWorkIsLinear at two sizes.
func TestMemoryIsLinear(t *testing.T) {
	const fixed = 2 << 20 // a thousand remarks with their lines, whatever the size
	for name, part := range patterns() {
		for _, first := range []string{"", "a = ", "s { ", "a = ["} {
			for _, size := range []int{2_000, 40_000} {
				text := first + strings.Repeat(part, size/len(part))
				n := allocated(func() {
					l := &Loader{Vars: map[string]string{"CONFDIR": "/etc"}}
					Decode(l.ReadText("t.conf", text), bounded(), &l.Diagnostics)
				})
				if limit := maxMemory*len(text) + fixed; n > limit {
					t.Errorf("%s after %q: %d bytes for %d, want at most %d", name, first, n, len(text), limit)
				}
			}
		}
	}
}

// bounded declares a section with a list, with blocks of any name, and with an option
// of most kinds.
func bounded() *Section {
	return &Section{
		Options: []Option{{Name: "a", Value: new(Networks)}, {Name: "b", Value: new(Strings)}, {Name: "c", Value: new(Bucket)}},
		Sections: []*Section{
			{Name: "s", Options: []Option{{Name: "a", Value: new(Recipients)}, {Name: "b", Value: new(Sockets)}}},
			{Name: "k", Key: "NAME", Repeat: func(string) *Section {
				return &Section{Name: "k", Options: []Option{{Name: "a", Value: new(Servers)}}}
			}},
		},
	}
}

// TestDecodeIsLinear has what grows with what was read before: lists that are added to,
// blocks of many names, faults in items.
func TestDecodeIsLinear(t *testing.T) {
	for name, line := range map[string]string{
		"additions":          "a += 192.0.2.%d\n",
		"additions of texts": "b += x%d\n",
		"one long addition":  "a += 192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4\n",
		"in a section":       "s { a += u%d@example.com; b += fd:3 }\n",
		"replaced":           "a = 192.0.2.1; a += 192.0.2.2\n",
		"blocks":             "k k%d { a = b }\n",
		"blocks of faults":   "k k%d { x = b }\n",
		"faults in items":    "a += 1.2.%d.x, /\n",
		"faults":             "x%d = 1\n",
		"twice":              "c = 1:1\n",
		"wrong kinds":        "a { x = %d }\nk = 5\n",
	} {
		var each [2]int
		for i, lines := range []int{1_000, 10_000} {
			var w strings.Builder
			for j := range lines {
				if strings.Contains(line, "%d") {
					fmt.Fprintf(&w, line, j%200)
				} else {
					w.WriteString(line)
				}
			}
			b := read(t, w.String())
			var ds Diagnostics
			each[i] = allocated(func() { Decode(b, bounded(), &ds) }) / lines
			if n := len(ds.All()); n > int(Notice+1)*maxDiagnostics {
				t.Errorf("%s: %d remarks", name, n)
			}
		}
		if each[1] > each[0]*3/2+100 {
			t.Errorf("%s: %d bytes for each of 1000 lines and %d of 10000: that grows with their number", name, each[0], each[1])
		}
	}
}

// TestVariablesGrow has a file of variables that stand for long texts.
func TestVariablesGrow(t *testing.T) {
	l := &Loader{Vars: map[string]string{"X": strings.Repeat("x", 1000)}}
	n := allocated(func() { l.ReadText("t", "a = 1\nb = \""+strings.Repeat("$X", 100_000)+"\"\nc = $X") })
	if limit := 8 * maxTotal; n > limit {
		t.Errorf("got %d bytes allocated, want at most %d", n, limit)
	}
	if got, want := remarks(&l.Diagnostics), "t:2:200007: the files are too large or too many together; expected at most 16 MB in 1000 files"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestGlob(t *testing.T) {
	m := files("etc/r.conf", "", "etc/a.d/1.conf", "", "etc/a.d/2.conf", "", "etc/a.d/.h.conf", "", "etc/b.d/1.conf", "", "etc/b.d/x", "", "etc/.c.d/1.conf", "", "etc/b.d/d.conf/y", "")
	for pattern, want := range map[string]string{
		"/etc/a.d/*.conf":    "/etc/a.d/1.conf /etc/a.d/2.conf",
		"/etc/a.d/.*.conf":   "/etc/a.d/.h.conf",
		"/etc/?.d/1.conf":    "/etc/a.d/1.conf /etc/b.d/1.conf",
		"/etc/*/[12].conf":   "/etc/a.d/1.conf /etc/a.d/2.conf /etc/b.d/1.conf",
		"/etc/[^a].d/*":      "/etc/b.d/1.conf /etc/b.d/d.conf /etc/b.d/x",
		"/etc/../etc/r.*":    "/etc/r.conf",
		"/etc/none/*.conf":   "",
		"/etc/*/none":        "",
		"/*/*/*.conf":        "/etc/a.d/1.conf /etc/a.d/2.conf /etc/b.d/1.conf /etc/b.d/d.conf",
		"/etc/*/x/*":         "",
		"/etc/b.d/d.conf/*y": "/etc/b.d/d.conf/y",
	} {
		l := &Loader{FS: m}
		if got := strings.Join(l.Glob(pattern), " "); got != want || remarks(&l.Diagnostics) != "" {
			t.Errorf("%s: got %s %s, want %s", pattern, got, remarks(&l.Diagnostics), want)
		}
	}
	if got := (&Loader{}).Glob("/*"); got != nil {
		t.Errorf("without files: got %v", got)
	}
}

// TestGlobIsBounded has more files than a pattern may look at, and directories of which
// one cannot be read.
func TestGlobIsBounded(t *testing.T) {
	m := fstest.MapFS{}
	for i := range maxEntries + 1 {
		m[fmt.Sprintf("etc/%d/x%d", i%100, i)] = &fstest.MapFile{}
	}
	many := fmt.Sprintf("there are too many files; expected patterns that look at no more than %d", maxEntries)
	for _, c := range []struct{ in, want string }{
		{".include /etc/*/none", ""},
		{".include /etc/*/none*", "t:1:1: cannot include \"/etc/*/none*\": " + many + "\n    .include /etc/*/none*"},
		{".try_include /*/*/*/*/*", "t:1:1: warning: cannot include \"/*/*/*/*/*\": " + many + "\n    .try_include /*/*/*/*/*"},
		{strings.Repeat(".include /etc/x*\n", 101), "t:101:1: cannot include \"/etc/x*\": " + many + "\n    .include /etc/x*"},
		{".include /" + strings.Repeat("x", maxPath), "t:1:1: cannot include \"/" + strings.Repeat("x", 59) + "…\": expected a path of at most 4096 bytes\n    .include /" + strings.Repeat("x", 150) + "…"},
		{".include /" + strings.Repeat("*a", 2000) + "b", ""},
	} {
		l := &Loader{FS: m}
		l.ReadText("t", c.in)
		if got := remarks(&l.Diagnostics); got != c.want {
			t.Errorf("%.80q:\n got %.300s\nwant %s", c.in, got, c.want)
		}
	}
	l := &Loader{FS: m}
	if got, want := fmt.Sprint(l.Glob("/etc/*/*"), remarks(&l.Diagnostics)), `[]cannot read "/etc/*/*": `+many; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// locked is a file system with a directory that cannot be read.
type locked struct{ fs.FS }

func (f locked) Open(name string) (fs.File, error) {
	if name == "etc/locked" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return f.FS.Open(name)
}

func TestGlobUnreadable(t *testing.T) {
	for in, want := range map[string]string{
		".include /etc/locked/*.conf": "t:1:1: cannot include \"/etc/locked/*.conf\": permission denied\n    .include /etc/locked/*.conf",
		".include /etc/r.conf/*.conf": "t:1:1: cannot include \"/etc/r.conf/*.conf\": it is not a directory\n    .include /etc/r.conf/*.conf",
		".include /etc/*/x.conf":      "",
	} {
		l := &Loader{FS: locked{files("etc/r.conf", "", "etc/locked/x.conf", "a = 1", "etc/open/x.conf", "b = 2")}}
		l.ReadText("t", in)
		if got := remarks(&l.Diagnostics); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

// TestIncludesOnDisk has loops by symbolic links and by the names of a directory.
func TestIncludesOnDisk(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to, name string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	write("main", ".include other\na = 1")
	link("main", "other")
	write("deep", ".include here/here/here/deep\na = 1")
	link(".", "here")
	link("nowhere", "broken")
	link("turn", "turn")
	write("glob", ".include glob*\na = 1")
	write("links", ".include broken\n.include turn\n.try_include broken\na = 1")
	for name, want := range map[string]string{
		"main":  `HERE/main:1:1: cannot include "HERE/other": it includes itself: HERE/main, HERE/other`,
		"deep":  `HERE/deep:1:1: cannot include "HERE/here/here/here/deep": it includes itself: HERE/deep, HERE/here/here/here/deep`,
		"glob":  `HERE/glob:1:1: cannot include "HERE/glob": it includes itself: HERE/glob, HERE/glob`,
		"links": "HERE/links:1:1: cannot include \"HERE/broken\": there is no such file\n    .include broken\nHERE/links:2:1: cannot include \"HERE/turn\": too many levels of symbolic links\n    .include turn",
	} {
		l := &Loader{FS: os.DirFS("/")}
		b := l.Read(filepath.Join(dir, name))
		if got, want := remarks(&l.Diagnostics), strings.ReplaceAll(want, "HERE", dir); !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %s\nwant %s", name, got, want)
		}
		if len(b.Directives) != 1 {
			t.Errorf("%s: got %d directives, want 1", name, len(b.Directives))
		}
	}
}

// TestIncludeFan includes a file of 4 MB a thousand times.
func TestIncludeFan(t *testing.T) {
	m := files("etc/big", strings.Repeat("a = 1 # x\n", maxFile/10))
	l := &Loader{FS: m}
	n := allocated(func() { l.ReadText("/etc/t", strings.Repeat(".include big\n", 1000)) })
	if limit := maxMemory * (maxTotal + maxFile); n > limit {
		t.Errorf("got %d bytes allocated, want at most %d", n, limit)
	}
	if got, want := len(l.Files()), 5; got > want {
		t.Errorf("got %d files read, want at most %d", got, want)
	}
}

// TestManyHosts has more host names than may be looked up, and one with a great many
// addresses.
func TestManyHosts(t *testing.T) {
	lookup := func(context.Context, string) ([]netip.Addr, error) {
		list := make([]netip.Addr, 1000)
		for i := range list {
			list[i] = netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)})
		}
		return list, nil
	}
	s, a, _ := hosts(t, "a = mx.example")
	var ds Diagnostics
	Resolve(t.Context(), s, lookup, &ds)
	if n := len(a.Prefixes()); n != maxAddrs {
		t.Errorf("got %d addresses, want %d", n, maxAddrs)
	}
	if got, want := remarks(&ds), "t.conf:1:5: warning: the host name \"mx.example\" has 1000 addresses; expected at most 256, the others are left out\n    a = mx.example"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	s, a, _ = hosts(t, "a = "+strings.Repeat("mx.example, ", maxHosts+1))
	ds = Diagnostics{}
	Resolve(t.Context(), s, lookup, &ds)
	want := "t.conf:1:12005: too many host names in lists of networks; expected at most 1000\n"
	if got := remarks(&ds); !strings.HasPrefix(got, want) || len(a.Prefixes()) != 0 {
		t.Errorf("got %s and %d addresses, want %s", got, len(a.Prefixes()), want)
	}
}
