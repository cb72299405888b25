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
		"a = \"x\\ny\"; b = {c, d}; .priority 3\ne = -5, '$A'; f = ; \"g h\" += { i = <<E\n\nE\n}",
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
		reread := again.ReadText("again", once)
		if err := again.Diagnostics.Err(); err != nil {
			t.Fatalf("%q is written as\n%s\nwhich has faults:\n%v", text, once, err)
		}
		if want, got := tree(b), tree(reread); got != want {
			t.Errorf("%q is written as\n%s\nwhich is read as\n%s\nwant\n%s", text, once, got, want)
		}
	})
}

// FuzzValues reads a text as a value of each type. What is accepted is read the same
// when it was written.
func FuzzValues(f *testing.F) {
	for _, s := range []string{
		"10M", "1.5h", "-4.5", "yes", "0640", "a b, c", "::1/64; mx.example/24", "<User1@Example.COM>", "inet:9900@[::1]", "/run/x mode=0600",
		"r:a:25:1", "20:0.1", "5 / 1h", "/^a'b\\d{2}$/im", "a\nb\n", "EOD\n$X ${Y} \\ \" '", "a,;\t\r\n\x00\xff#{}[]",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, fresh := range []func() Value{
			func() Value { return new(Size) }, func() Value { return new(Duration) }, func() Value { return new(Float) },
			func() Value { return new(Int) }, func() Value { return new(Flag) }, func() Value { return new(Mode) },
			func() Value { return new(String) }, func() Value { return new(Strings) }, func() Value { return new(Text) },
			func() Value { return new(Networks) }, func() Value { return new(Recipients) }, func() Value { return new(Sockets) },
			func() Value { return new(Servers) }, func() Value { return new(Bucket) }, func() Value { return new(Regexp) },
		} {
			v, again := fresh(), fresh()
			if v.Set(TextNode(text), false) != nil {
				continue
			}
			l := &Loader{Vars: map[string]string{"X": "x"}}
			b := l.ReadText("t", "x = "+v.String()+";  # set")
			if err := l.Diagnostics.Err(); err != nil || len(b.Directives) != 1 {
				t.Fatalf("%T: %q is written as %s, which is read as %d directives, %v", v, text, v, len(b.Directives), err)
			}
			if err := again.Set(b.Directives[0].Value, false); err != nil || again.String() != v.String() {
				t.Fatalf("%T: %q is written as %s, which is then read as %s, %v", v, text, v, again, err)
			}
		}
	})
}
