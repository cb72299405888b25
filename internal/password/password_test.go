package password

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/iotest"
)

// Made by rspamd 3.4 of the password "secret".
const (
	vector1 = "$1$cfkiarzypgd1meouo1cjw8xuetgoacyx$479g59ipjccci9f6ga499oxfgtbrzfougxywsx4npzwpj64oczhy"
	vector2 = "$2$bhhgt1uyybysmca95n975id6puzfjj19$qhs585gbx8fftot5n4okthuffia4xa7toz78phoqge9g9i5gupry"
)

func mustParse(t *testing.T, text string) Encrypted {
	t.Helper()
	e, err := Parse(text)
	if err != nil {
		t.Fatalf("Parse(%q): %v", text, err)
	}
	return e
}

func TestVectors(t *testing.T) {
	for _, text := range []string{vector1, vector2} {
		e := mustParse(t, text)
		if got := e.String(); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
		for password, want := range map[string]bool{"secret": true, "": false, "Secret": false, "secret ": false, "secre": false, text: false} {
			if got := e.Verify(password); got != want {
				t.Errorf("%s, Verify(%q): got %v, want %v", text[:3], password, got, want)
			}
		}
	}
	if (Encrypted{}).Verify("") || (Encrypted{}).Verify("secret") || (Encrypted{}).String() != "" {
		t.Error("the zero value is the form of some password")
	}
}

// TestChanged has one character of a password that is right but for it.
func TestChanged(t *testing.T) {
	for _, text := range []string{vector1, vector2} {
		for _, at := range []int{4, len(text) - 50, len(text) - 2} {
			c := byte('y')
			if text[at] == c {
				c = 'b'
			}
			changed := text[:at] + string(c) + text[at+1:]
			if mustParse(t, changed).Verify("secret") {
				t.Errorf("%s still matches", changed)
			}
		}
	}
}

func TestNew(t *testing.T) {
	salt := bytes.Repeat([]byte{0x5a}, saltLen)
	long := strings.Repeat("x", maxCatena)
	seen := map[string]bool{}
	for _, password := range []string{"secret", "a", "p\xc3\xa4ssw\xff rd", strings.Repeat("x", 64), strings.Repeat("x", 65), long} {
		e, err := New(password, bytes.NewReader(salt))
		if err != nil {
			t.Fatal(err)
		}
		text := e.String()
		if !strings.HasPrefix(text, "$2$") || len(text) != 3+32+1+52 || seen[text] {
			t.Errorf("password of %d bytes: got %q, want a $2$… of its own", len(password), text)
		}
		seen[text] = true
		if !mustParse(t, text).Verify(password) {
			t.Errorf("%q doesn't match what it was made of", text)
		}
	}
	one, err1 := New("secret", bytes.NewReader(salt))
	two, err2 := New("secret", bytes.NewReader(bytes.Repeat([]byte{0x5b}, saltLen)))
	if err1 != nil || err2 != nil || one.String() == two.String() {
		t.Errorf("two salts give %s, %v and %s, %v", one, err1, two, err2)
	}
	for _, password := range []string{"", long + "x"} {
		if _, err := New(password, bytes.NewReader(salt)); err == nil || !strings.Contains(err.Error(), "expected 1 to 255") {
			t.Errorf("a password of %d bytes: got %v, want an error", len(password), err)
		}
	}
	broken := errors.New("broken")
	if _, err := New("secret", iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("got %v, want the error of the random source", err)
	}
}

func TestParseErrors(t *testing.T) {
	salt, key := vector2[3:35], vector2[36:]
	tests := []struct{ text, want string }{
		{"", "expected $ID$SALT$KEY"},
		{"secret", "expected $ID$SALT$KEY"},
		{"$2", "expected $ID$SALT$KEY"},
		{"$2$" + salt, "with 1 parts after its kind; expected two, $ID$SALT$KEY"},
		{"$2$" + salt + "$" + key + "$", "with 3 parts after its kind"},
		{"x$2$" + salt + "$" + key, "expected $ID$SALT$KEY"},
		{"$2$" + salt + "$" + key + " ", "the key of the encrypted password has 53 characters; expected 52"},
		{"$3$" + salt + "$" + key, "unknown kind; expected one that begins with $1$ or $2$"},
		{"$02$" + salt + "$" + key, "unknown kind; expected one that begins with $1$ or $2$"},
		{"$2y$10$abcdefghijklmnopqrstuv", "unknown kind; expected one that begins with $1$ or $2$"},
		{"$$" + salt + "$" + key, "unknown kind; expected one that begins with $1$ or $2$"},
		{"$2$salt$key", "the salt of the encrypted password has 4 characters; expected 32"},
		{"$2$" + salt + "$key", "the key of the encrypted password has 3 characters; expected 52"},
		{"$2$" + salt + "$" + key[1:], "has 51 characters; expected 52"},
		{"$2$" + strings.ToUpper(salt) + "$" + key, "the salt of the encrypted password has a character at place 1 "},
		{"$2$" + salt + "$" + key[:10] + "l" + key[11:], "the key of the encrypted password has a character at place 11 that doesn't belong there"},
		{"$2$" + salt + "$" + key[:51] + "9", "the key of the encrypted password ends in a character that can't stand there"},
	}
	for _, tt := range tests {
		e, err := Parse(tt.text)
		if err == nil || !strings.Contains(err.Error(), tt.want) || e != (Encrypted{}) {
			t.Errorf("Parse(%q): got %v, %v, want nothing and %q", tt.text, e, err, tt.want)
			continue
		}
		if strings.Contains(err.Error(), salt) || strings.Contains(err.Error(), key[5:40]) {
			t.Errorf("Parse(%q): the error shows salt or key: %v", tt.text, err)
		}
	}
}

func TestIsEncrypted(t *testing.T) {
	for text, want := range map[string]bool{
		"": false, "$": false, "$$": false, "$1$": false, "$x$y": false, "1$2$3": false, "pa$1$word": false,
		"$100 and $200": false, "$ecret$word": false, "$A$b": false, "$1pass$word": false, "$100$200": false, "$a1$b": false,
		"$1$salt$key": true, "$2$salt": true, "$12$salt$key": true, "$2y$10$hash": true, vector1: true, vector2: true,
	} {
		if got := IsEncrypted(text); got != want {
			t.Errorf("IsEncrypted(%q): got %v, want %v", text, got, want)
		}
	}
}

// TestEncode writes single bits: the first letter is of the five lowest of the first
// byte.
func TestEncode(t *testing.T) {
	for _, tt := range []struct {
		b    []byte
		want string
	}{
		{nil, ""},
		{[]byte{1}, "by"},
		{[]byte{0x20}, "yb"},
		{[]byte{0x80}, "yr"},
		{[]byte{0, 1}, "yeyy"},
		{[]byte{0xff, 0xff, 0xff, 0xff, 0xff}, "99999999"},
	} {
		got := encode(tt.b)
		back := make([]byte, len(tt.b))
		if err := decode(back, got); got != tt.want || err != nil || !bytes.Equal(back, tt.b) {
			t.Errorf("%x: got %q and back %x, %v, want %q", tt.b, got, back, err, tt.want)
		}
	}
}

// TestTooLong has what rspamd makes of a password of 256 times "x": the form of an
// empty one.
func TestTooLong(t *testing.T) {
	e := Encrypted{kind: kindCatena}
	e.key = e.derive("")
	for _, n := range []int{256, 512} {
		if e.Verify(strings.Repeat("x", n)) {
			t.Errorf("any password of %d bytes matches", n)
		}
	}
	e = Encrypted{kind: kindCatena}
	e.key = e.derive(strings.Repeat("x", 256))
	if e.Verify(strings.Repeat("x", 256)) {
		t.Error("a password that New refuses matches")
	}
}

// FuzzParse looks for a text that is taken although it isn't what String writes.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", vector1, vector2, "$1$salt$key", "$2y$10$x", "$$$", "$1$" + strings.Repeat("\xff", 32) + "$"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Parse(text)
		switch {
		case err == nil && e.String() != text:
			t.Errorf("%q is read as %q", text, e)
		case err == nil && !IsEncrypted(text):
			t.Errorf("%q is read and not recognised", text)
		case err != nil && e != (Encrypted{}):
			t.Errorf("%q: an error with a value", text)
		case err != nil && len(err.Error()) > 300:
			t.Errorf("%q: an error of %d bytes", text, len(err.Error()))
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	for _, text := range []string{vector1, vector2} {
		b.Run(text[:3], func(b *testing.B) {
			e, err := Parse(text)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if !e.Verify("secret") {
					b.Fatal("wrong")
				}
			}
		})
	}
}
