package store

import (
	"strings"
	"testing"
)

func TestAppendKey(t *testing.T) {
	for _, c := range []struct{ text, more, want string }{
		{"bob+x@example.com", "", "bob+x@example.com"},
		{"<bob>", "<>", "%3Cbob%3E"},
		{"a b\x00\x7f\xff", "", "a%20b%00%7F%FF"},
		{"%{}|~", "", "%25%7B%7D%7C%7E"},
		{"ü:", ":", "%C3%BC%3A"},
		{"", "x", ""},
	} {
		got := string(AppendKey([]byte("k."), c.text, c.more))
		if got != "k."+c.want || KeyText(got[2:]) != c.text {
			t.Errorf("AppendKey(%q, %q) = %q, want %q; read as %q", c.text, c.more, got, "k."+c.want, KeyText(got[2:]))
		}
	}
	for in, want := range map[string]string{"%": "%", "%4": "%4", "%zz%41": "%zzA", "a%4~": "a%4~"} {
		if got := KeyText(in); got != want {
			t.Errorf("KeyText(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestBoundKey(t *testing.T) {
	key := []byte(strings.Repeat("l", 60))
	if got := BoundKey(key, 60); got != string(key) {
		t.Errorf("60 bytes: %q", got)
	}
	if got, want := BoundKey(key, 59), strings.Repeat("l", 38)+"~17e9467ad5bd66e56cc1"; got != want || string(key) != strings.Repeat("l", 60) {
		t.Errorf("60 bytes in 59: %q, want %q; the key is now %q", got, want, key)
	}
	if BoundKey([]byte(strings.Repeat("l", 61)), 59) == BoundKey(key, 59) {
		t.Error("keys of different lengths are one")
	}
}

// FuzzAppendKey wants every text to be printable, bounded and the same when it is read.
func FuzzAppendKey(f *testing.F) {
	f.Add("bob@example.com", ":")
	f.Add("\xff%41", "%4")
	f.Fuzz(func(t *testing.T, text, more string) {
		more = strings.Map(func(r rune) rune { // what escapes are made of can't be escaped
			if r == '%' || r >= '0' && r <= '9' || r >= 'A' && r <= 'F' {
				return -1
			}
			return r
		}, more)
		key := AppendKey(nil, text, more)
		for _, c := range key {
			if c <= ' ' || c >= 0x7f || strings.IndexByte("{}|~"+more, c) >= 0 {
				t.Fatalf("%q has %q", key, c)
			}
		}
		if got := KeyText(string(key)); got != text {
			t.Fatalf("%q is read as %q, want %q", key, got, text)
		}
		if got := BoundKey(key, 250); len(got) > 250 {
			t.Fatalf("%d bytes: %q", len(got), got)
		}
	})
}
