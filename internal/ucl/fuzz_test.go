package ucl

import (
	"strings"
	"testing"
	"testing/fstest"
)

// maxWork is how many steps the parser may take for each byte of its input.
const maxWork = 24

// checkWork fails when reading took more steps than in proportion to the text.
func checkWork(t *testing.T, l *Loader, size int) {
	t.Helper()
	if limit := maxWork*size + 1000; l.work > limit {
		t.Errorf("%d steps for %d bytes, want at most %d", l.work, size, limit)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"a = 1; b { c = 2 }\nw \"x\" { n = a, [::1]/128, b,\n o = <<EOD\nx\nEOD\n }",
		`{"a":[1,{"b":"\u00e4"}],"c":null}`,
		"/* a /* b */ */ a += [x, y]; .include(try=true,priority=2) \"$CONFDIR/x\"",
		"a = \"x\nb = 'y\nc = <<E\nd {", "a = {b, c}, [d]; e f = g h; i = j k = l",
		"\ufeffa = 1\r\n\x00\xff .try_include *.conf", "a = x\"y\" “z” = = { ] }",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l := &Loader{
			FS:   fstest.MapFS{"etc/a.conf": {Data: []byte(text)}, "etc/x": {Data: []byte("x = 1")}},
			Vars: map[string]string{"CONFDIR": "/etc"},
		}
		b := l.Read("/etc/a.conf")
		if strings.Contains(text, "include") { // the files it reads count, too
			return
		}
		checkWork(t, l, len(text))
		if l.Diagnostics.Err() != nil {
			return
		}
		once := Format(b)
		again := &Loader{Vars: l.Vars}
		b = again.ReadText("again", once)
		if err := again.Diagnostics.Err(); err != nil {
			t.Fatalf("%q is written as\n%s\nwhich has faults:\n%v", text, once, err)
		}
		if twice := Format(b); twice != once {
			t.Errorf("%q is written as\n%s\nwhich is then written as\n%s", text, once, twice)
		}
	})
}
