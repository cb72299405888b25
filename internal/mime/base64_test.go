package mime_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"rmilter/internal/mime"
)

func TestAppendBase64(t *testing.T) {
	for _, c := range []struct {
		in, want string
		bad      int
	}{
		{"", "", 0},
		{"Zm9v", "foo", 0},
		{"Zm9v\r\nYmFy\r\n", "foobar", 0},
		{"Zm9\r\nvYm\nFy", "foobar", 0}, // lines of any length
		{"Zg==", "f", 0},
		{"Zm8=", "fo", 0},
		{"Zg", "f", 1}, // no padding
		{"Zm8", "fo", 1},
		{"Zm8=\r\n", "fo", 0},
		{"Z m 8 =", "fo", 0},
		{"Zm9vZ", "foo", 1},     // a digit too many
		{"Zm*9v\x00", "foo", 2}, // foreign characters
		{"Zm-9v_", "foo", 2},    // the URL alphabet is foreign too
		{"=Zm9v", "foo", 1},     // padding first
		{"Zg==Zg==", "ff", 1},   // joined pieces
		{"Zg==\nZm8=\nZg==", "ffof", 2},
		{"Zm9v====", "foo", 0},
		{"Zg== text of a list", "f", 1}, // text behind the end
		{"Zg==\n--\nfooter_of_a_list", "f", 3},
		{"Zm9v\n(comment)\nYmFy", "foor\x89\xa6m\xe7", 0},
		{"!!!!", "", 4},
	} {
		got, bad := mime.AppendBase64([]byte("x"), c.in)
		if c.in == "Zm9v\n(comment)\nYmFy" {
			// What a comment does is nobody's contract but that nothing is lost.
			if !bytes.HasPrefix(got, []byte("xfoo")) || bad < 2 {
				t.Errorf("AppendBase64(%q): got %q, %d", c.in, got, bad)
			}
			continue
		}
		if string(got) != "x"+c.want || bad != c.bad {
			t.Errorf("AppendBase64(%q): got %q, %d faults; want %q, %d", c.in, got[1:], bad, c.want, c.bad)
		}
		if same, n := mime.AppendBase64(nil, []byte(c.in)); string(same) != c.want || n != bad {
			t.Errorf("AppendBase64 of bytes %q: got %q, %d", c.in, same, n)
		}
	}
}

// Bytes encoded by the standard library come back, wherever lines are broken.
func FuzzBase64(f *testing.F) {
	f.Add([]byte("hello"), 3)
	f.Add([]byte{0, 255, 128}, 1)
	f.Fuzz(func(t *testing.T, b []byte, width int) {
		s := base64.StdEncoding.EncodeToString(b)
		if width = width & 127; width > 0 {
			var broken strings.Builder
			for len(s) > width {
				broken.WriteString(s[:width] + "\r\n")
				s = s[width:]
			}
			s = broken.String() + s
		}
		if got, bad := mime.AppendBase64(nil, s); !bytes.Equal(got, b) || bad > 0 {
			t.Errorf("%q: got %q and %d faults, want %q", s, got, bad, b)
		}
		// The input as base64: nothing comes out that isn't in it.
		if got, _ := mime.AppendBase64(nil, b); len(got) > len(b)*3/4+3 {
			t.Errorf("%q: %d bytes of %d", b, len(got), len(b))
		}
	})
}

func BenchmarkAppendBase64(b *testing.B) {
	var lines strings.Builder
	for range 20000 {
		lines.WriteString(strings.Repeat("QUJD", 19) + "\r\n")
	}
	src := []byte(lines.String())
	dst := make([]byte, 0, len(src))
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		dst, _ = mime.AppendBase64(dst[:0], src)
	}
}
