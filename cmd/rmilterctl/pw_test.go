package main

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"rmilter/internal/password"
)

// The password "secret", encrypted.
const (
	secret1 = "$1$cfkiarzypgd1meouo1cjw8xuetgoacyx$479g59ipjccci9f6ga499oxfgtbrzfougxywsx4npzwpj64oczhy"
	secret2 = "$2$bhhgt1uyybysmca95n975id6puzfjj19$qhs585gbx8fftot5n4okthuffia4xa7toz78phoqge9g9i5gupry"
)

// matches tells whether text is an encrypted form of a password.
func matches(text, secret string) bool {
	e, err := password.Parse(text)
	return err == nil && e.Verify(secret)
}

func TestPw(t *testing.T) {
	seen := map[string]bool{}
	for _, stdin := range []string{"secret\n", "secret", "secret\r\nmore\n"} {
		got := call(strings.NewReader(stdin), []string{"RMILTER_PASSWORD", "other"}, "pw")
		encrypted := strings.TrimSuffix(got.stdout, "\n")
		if got.code != 0 || got.stderr != "" || !matches(encrypted, "secret") || !strings.HasPrefix(encrypted, "$2$") || seen[encrypted] {
			t.Errorf("%q: got %+v, want a $2$… of its own", stdin, got)
		}
		seen[encrypted] = true
	}
	var answer struct{ Encrypted string }
	got := call(strings.NewReader("secret\n"), nil, "pw", "--json", "-P", "-")
	if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil || got.code != 0 || !matches(answer.Encrypted, "secret") {
		t.Errorf("--json: got %+v, %v", got, err)
	}
}

func TestPwCheck(t *testing.T) {
	tests := []struct {
		stdin  string
		args   []string
		code   int
		stdout string
	}{
		{"secret\n", []string{"--check", secret1}, 0, "the password matches\n"},
		{"secret", []string{"--check=" + secret2}, 0, "the password matches\n"},
		{"Secret\n", []string{"--check", secret1}, 1, "the password does not match\n"},
		{"Secret\n", []string{"--check", secret2}, 1, "the password does not match\n"},
		{"secret\n", []string{"--check", secret2, "--json"}, 0, "{\n  \"matches\": true\n}\n"},
		{"wrong\n", []string{"--check", secret2, "--json"}, 1, "{\n  \"matches\": false\n}\n"},
	}
	for _, tt := range tests {
		got := call(strings.NewReader(tt.stdin), nil, append([]string{"pw"}, tt.args...)...)
		if want := (result{tt.code, tt.stdout, ""}); got != want {
			t.Errorf("%q, %v: got %+v, want %+v", tt.stdin, tt.args, got, want)
		}
	}
}

func TestPwErrors(t *testing.T) {
	tests := []struct {
		name  string
		stdin io.Reader
		args  []string
		want  string
	}{
		{"argument", noStdin(t), []string{"secret"}, "unknown command"},
		{"-P", noStdin(t), []string{"-P", "secret"}, "-P would show it to other users"},
		{"nothing", strings.NewReader(""), nil, "the password is empty"},
		{"empty line", strings.NewReader("\nsecret\n"), nil, "the password is empty"},
		{"blank at the end", strings.NewReader("hidden-word \n"), nil, "begins or ends with a blank"},
		{"control character", strings.NewReader("hidden-word\x07\n"), nil, "control characters"},
		{"too long", strings.NewReader(strings.Repeat("x", maxPassword+1)), nil, "too long"},
		{"broken", iotest.ErrReader(errors.New("broken")), nil, "cannot read the password: broken"},
		{"check nothing", noStdin(t), []string{"--check", ""}, "not an encrypted password; expected $ID$SALT$KEY"},
		{"check what a shell has expanded", noStdin(t), []string{"--check", "$salt$key"}, "unknown kind"},
		{"check the unknown", noStdin(t), []string{"--check", "$3$salt$key"}, "unknown kind; expected one that begins with $1$ or $2$"},
		{"check with an empty password", strings.NewReader("\n"), []string{"--check", secret1}, "the password is empty"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := call(tt.stdin, nil, append([]string{"pw"}, tt.args...)...)
			if got.code != 64 || got.stdout != "" || !strings.Contains(got.stderr, tt.want) || strings.Contains(got.stderr, "hidden-word") {
				t.Errorf("got %+v, want 64 and %q", got, tt.want)
			}
		})
	}
}
