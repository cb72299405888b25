package mime_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"rmilter/internal/mime"
)

// uuencode writes a file as the program of that name does.
func uuencode(name string, b []byte) string {
	var out strings.Builder
	fmt.Fprintf(&out, "begin 644 %s\n", name)
	char := func(v byte) byte {
		if v&63 == 0 {
			return '`'
		}
		return v&63 + ' '
	}
	for len(b) > 0 {
		n := min(len(b), 45)
		line := append(bytes.Clone(b[:n]), 0, 0)
		b = b[n:]
		out.WriteByte(char(byte(n)))
		for i := 0; i < n; i += 3 {
			out.Write([]byte{char(line[i] >> 2), char(line[i]<<4 | line[i+1]>>4), char(line[i+1]<<2 | line[i+2]>>6), char(line[i+2])})
		}
		out.WriteByte('\n')
	}
	return out.String() + "`\nend\n"
}

func TestFindUU(t *testing.T) {
	file := uuencode("a b.exe", []byte("MZ\x90\x00 some program"))
	for _, c := range []struct {
		name, text, found string
	}{
		{"alone", file, "a b.exe"},
		{"in text", "hello\n\n" + file + "bye\n", "a b.exe"},
		{"in CRLF text", strings.ReplaceAll("hello\n"+file, "\n", "\r\n"), "a b.exe"},
		{"spaces for zeros", strings.ReplaceAll(file, "`", " "), "a b.exe"},
		{"without end", strings.TrimSuffix(file, "`\nend\n"), "a b.exe"},
		{"in the middle of a line", "x " + file, ""},
		{"a sentence", "begin 100 times and more\nto write of this\n", ""},
		{"no mode", "begin the day\n#<&5M\n", ""},
		{"no name", "begin 644 \n#<&5M\n", ""},
		{"at the end", "begin 644 x", ""},
		{"the second", "begin 9 x\n" + file, "a b.exe"},
	} {
		f, ok := mime.FindUU([]byte(c.text), 0)
		if ok != (c.found != "") || f.Name != c.found {
			t.Errorf("%s: got %q %t, want %q", c.name, f.Name, ok, c.found)
			continue
		}
		if !ok {
			continue
		}
		got, bad := mime.AppendUU(nil, []byte(c.text[f.Data:f.End]))
		if string(got) != "MZ\x90\x00 some program" || bad > 0 {
			t.Errorf("%s: got %q, %d faults", c.name, got, bad)
		}
		if rest := c.text[f.End:]; strings.Contains(rest, "end") || strings.Contains(c.text[:f.Begin], "begin 644") {
			t.Errorf("%s: got %d to %d of %q", c.name, f.Begin, f.End, c.text)
		}
	}
	two := "a\n" + file + "b\n" + uuencode("second", []byte("x")) + "c\n"
	f, _ := mime.FindUU([]byte(two), 0)
	if g, ok := mime.FindUU([]byte(two), f.End); !ok || g.Name != "second" || two[g.End:] != "c\n" {
		t.Errorf("second file: got %+v %t", g, ok)
	}
}

func TestAppendUU(t *testing.T) {
	for _, c := range []struct {
		in, want string
		bad      int
	}{
		{"begin 644 x\n#0V%T\n`\nend\nmore", "Cat", 0},
		{"#0V%T", "Cat", 0},
		{"#0V%T\r\n\r\n#0V%T\r\n", "CatCat", 0},
		{"#0V%TX", "Cat", 0}, // with a checksum
		{"#0V%\n", "Ca@", 0}, // a space at the end was trimmed
		{"#0V%T\nlower case\n#0V%T\n", "CatCat", 1},
		{"", "", 0},
	} {
		got, bad := mime.AppendUU(nil, []byte(c.in))
		if string(got) != c.want || bad != c.bad {
			t.Errorf("AppendUU(%q): got %q, %d faults; want %q, %d", c.in, got, bad, c.want, c.bad)
		}
	}
}

func FuzzUU(f *testing.F) {
	f.Add([]byte("hello"), []byte("text\nbegin 644 x\n#0V%T\nend\n"))
	f.Fuzz(func(t *testing.T, b, text []byte) {
		coded := uuencode("name", b)
		u, ok := mime.FindUU([]byte(coded), 0)
		if len(b) > 0 && (!ok || u.End != len(coded)) {
			t.Fatalf("%q: not found: %+v", coded, u)
		}
		if got, bad := mime.AppendUU(nil, []byte(coded)); !bytes.Equal(got, b) || bad > 0 {
			t.Errorf("%q: got %q, %d faults", coded, got, bad)
		}
		if u, ok = mime.FindUU(text, 0); ok && (u.Begin >= u.Data || u.Data >= u.End || u.End > len(text)) {
			t.Errorf("%q: %+v", text, u)
		}
		if got, _ := mime.AppendUU(nil, text); len(got) > len(text) {
			t.Errorf("%q: %d bytes", text, len(got))
		}
	})
}
