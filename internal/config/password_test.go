package config

import (
	"strings"
	"testing"
	"testing/fstest"
)

// TestPasswords has passwords in both forms, and some that claim to be encrypted.
func TestPasswords(t *testing.T) {
	const (
		one = "$1$cfkiarzypgd1meouo1cjw8xuetgoacyx$479g59ipjccci9f6ga499oxfgtbrzfougxywsx4npzwpj64oczhy"
		two = "$2$bhhgt1uyybysmca95n975id6puzfjj19$qhs585gbx8fftot5n4okthuffia4xa7toz78phoqge9g9i5gupry"
	)
	tests := []struct{ option, value, want string }{
		{"password", one, ""},
		{"enable_password", two, ""},
		{"password", `"` + two + `"`, ""},
		{"password", `"$100 and $200"`, ""},
		{"password", `""`, ""},
		{"password", "$1$salt$key", "the salt of the encrypted password has 4 characters; expected 32"},
		{"enable_password", `"` + two[:len(two)-1] + `"`, "the key of the encrypted password has 51 characters; expected 52"},
		{"enable_password", "'$2y$10$saltsaltsalt'", "an encrypted password of an unknown kind; expected one that begins with $1$ or $2$"},
	}
	for _, tt := range tests {
		text := "worker \"controller\" {\n" + tt.option + " = " + tt.value + ";\n}\n"
		fsys := fstest.MapFS{"etc/rmilter.conf": {Data: []byte(text), Mode: 0o644}}
		c, remarks, err := Load("/etc/rmilter.conf", Options{FS: fsys})
		bare := strings.Trim(tt.value, `"'`)
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s = %s: %v", tt.option, tt.value, err)
				continue
			}
			if got := c.Server.Controller.Password.Reveal() + c.Server.Controller.EnablePassword.Reveal(); got != bare {
				t.Errorf("%s = %s: got %q", tt.option, tt.value, got)
			}
			// Others may read this file.
			if warned := len(remarks) == 1 && strings.Contains(remarks[0].String(), "0644"); warned != (bare != "") {
				t.Errorf("%s = %s: remarks %v", tt.option, tt.value, remarks)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), "/etc/rmilter.conf:2:") || !strings.Contains(err.Error(), ": "+tt.option+": "+tt.want) {
			t.Errorf("%s = %s: got %v, want %q", tt.option, tt.value, err, tt.want)
		} else if strings.Contains(err.Error(), bare[3:10]) {
			t.Errorf("%s = %s: the error shows it: %v", tt.option, tt.value, err)
		}
	}
}
