package mime_test

import (
	"bytes"
	"mime/quotedprintable"
	"strings"
	"testing"

	"rmilter/internal/mime"
)

func TestAppendQuotedPrintable(t *testing.T) {
	for _, c := range []struct {
		in, want string
		bad      int
	}{
		{"", "", 0},
		{"plain", "plain", 0},
		{"caf=C3=A9", "café", 0},
		{"caf=c3=a9", "café", 0}, // lower case
		{"a=3D3D", "a=3D", 0},
		{"soft=\r\nbreak", "softbreak", 0},
		{"soft=\nbreak", "softbreak", 0},
		{"soft= \t\r\nbreak", "softbreak", 0},
		{"space \t\r\nnext\t", "space\r\nnext", 0},
		{"keep=20\r\nnext", "keep \r\nnext", 0},
		{"a=\r\n=\r\nb", "ab", 0},
		{"end=", "end", 0},
		{"end=3", "end=3", 1},
		{"bad=ZZ=4", "bad=ZZ=4", 2},
		{"a==41", "a=A", 1},
		{"=\rx", "=\rx", 1},
		{"\r\n\r\n", "\r\n\r\n", 0},
		{"nul\x00=00", "nul\x00\x00", 0},
		{"8-bit \xfc", "8-bit \xfc", 0},
	} {
		got, bad := mime.AppendQuotedPrintable([]byte("x"), []byte(c.in))
		if string(got) != "x"+c.want || bad != c.bad {
			t.Errorf("AppendQuotedPrintable(%q): got %q, %d faults; want %q, %d", c.in, got[1:], bad, c.want, c.bad)
		}
	}
}

func TestAppendQ(t *testing.T) {
	for _, c := range []struct {
		in, want string
		bad      int
	}{
		{"a_b", "a b", 0}, {"=C3=A9", "é", 0}, {"=c3=a9", "é", 0}, {"=", "=", 1}, {"=4", "=4", 1}, {"=GG", "=GG", 1}, {"a b?c", "a b?c", 0},
	} {
		if got, bad := mime.AppendQ(nil, c.in); string(got) != c.want || bad != c.bad {
			t.Errorf("AppendQ(%q): got %q, %d faults; want %q, %d", c.in, got, bad, c.want, c.bad)
		}
	}
	for _, c := range []struct {
		in, want string
		bad      int
	}{
		{"a%20b", "a b", 0}, {"%e2%82%AC", "€", 0}, {"100%", "100%", 1}, {"%zz", "%zz", 1}, {"=20", "=20", 0},
	} {
		if got, bad := mime.AppendPercent(nil, c.in); string(got) != c.want || bad != c.bad {
			t.Errorf("AppendPercent(%q): got %q, %d faults; want %q, %d", c.in, got, bad, c.want, c.bad)
		}
	}
}

// What the standard library encodes comes back, and nothing gets longer.
func FuzzQuotedPrintable(f *testing.F) {
	f.Add([]byte("café = \r\n x \t\r\n"))
	f.Add([]byte("=\r\n=3D=\n \t=\r"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var coded bytes.Buffer
		w := quotedprintable.NewWriter(&coded)
		w.Binary = true
		w.Write(b)
		w.Close()
		if got, bad := mime.AppendQuotedPrintable(nil, coded.Bytes()); !bytes.Equal(got, b) || bad > 0 {
			t.Errorf("%q: got %q and %d faults, want %q", coded.Bytes(), got, bad, b)
		}
		if got, _ := mime.AppendQuotedPrintable(nil, b); len(got) > len(b) {
			t.Errorf("%q: %d bytes of %d", b, len(got), len(b))
		}
	})
}

func BenchmarkAppendQuotedPrintable(b *testing.B) {
	src := []byte(strings.Repeat("This is a line of text with caf=C3=A9 and a link http://host/?a=3Db=\r\n", 5000))
	dst := make([]byte, 0, len(src))
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		dst, _ = mime.AppendQuotedPrintable(dst[:0], src)
	}
}
