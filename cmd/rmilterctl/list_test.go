package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestList(t *testing.T) {
	data := t.TempDir()
	const today = "DATE"
	date := regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}`)
	for _, c := range []struct {
		args           string // split at |
		code           int
		stdout, stderr string
	}{
		{"show", 0, "", ""},
		{"add|block|sender|Joe@Example.COM", 0, "joe@example.com added to block sender\n", ""},
		{"add|block|sender|joe@example.com", 1, "joe@example.com is there already: block sender\n", ""},
		{"add|BLOCK|Sender|@example.net 4.5|--comment|two words", 0, "@example.net added to block sender\n", ""},
		{"add|allow|network|192.0.2.77/24|--json", 0, "{\n  \"list\": \"allow\",\n  \"kind\": \"network\",\n  \"entry\": \"192.0.2.0/24\",\n  \"changed\": true\n}\n", ""},
		{"add|allow|header|List-Id: <news.example.org>", 0, "list-id: <news.example.org> added to allow header\n", ""},
		{"show", 0, "allow network 192.0.2.0/24  # " + today + "\nallow header list-id: <news.example.org>  # " + today + "\n" +
			"block sender joe@example.com  # " + today + "\nblock sender @example.net 4.5  # " + today + " two words\n", ""},
		{"show|network", 0, "allow network 192.0.2.0/24  # " + today + "\n", ""},
		{"show|allow|sender", 0, "", ""},
		{"show|allow|--json", 0, "[\n  {\n    \"list\": \"allow\",\n    \"kind\": \"network\",\n    \"entry\": \"192.0.2.0/24\",\n    \"comment\": \"" + today + "\",\n    \"line\": 1\n  },\n" +
			"  {\n    \"list\": \"allow\",\n    \"kind\": \"header\",\n    \"entry\": \"list-id: \\u003cnews.example.org\\u003e\",\n    \"comment\": \"" + today + "\",\n    \"line\": 1\n  }\n]\n", ""},
		{"del|block|sender|JOE@example.com", 0, "joe@example.com taken out of block sender\n", ""},
		{"del|block|sender|joe@example.com", 1, "joe@example.com is not there: block sender\n", ""},
		{"del|block|domain|example.com|--json", 1, "{\n  \"list\": \"block\",\n  \"kind\": \"domain\",\n  \"entry\": \"example.com\",\n  \"changed\": false\n}\n", ""},
		{"show|block", 0, "block sender @example.net 4.5  # " + today + " two words\n", ""},
		{"add|block|sender|joe", 64, "", `rmilterctl: "joe" is no address; expected`},
		{"add|deny|sender|joe@example.com", 64, "", `"deny" is no list; expected allow or block`},
		{"add|block|subject|joe@example.com", 64, "", `"subject" is no kind of list; expected sender, domain, network, recipient, header`},
		{"add|block|sender", 64, "", "accepts 3 arg(s), received 2"},
		{"show|block|subject", 64, "", `"subject" is no kind of list`},
		{"", 64, "", "which command?"},
	} {
		args := []string{"list", "--data-dir", data}
		if c.args != "" {
			args = append(args, strings.Split(c.args, "|")...)
		}
		got := call(noStdin(t), nil, args...)
		got.stdout = date.ReplaceAllString(got.stdout, today)
		if got.code != c.code || got.stdout != c.stdout || !strings.Contains(got.stderr, c.stderr) || c.stderr == "" && got.stderr != "" {
			t.Errorf("list %s:\ngot  %d %q %q\nwant %d %q %q", c.args, got.code, got.stdout, got.stderr, c.code, c.stdout, c.stderr)
		}
	}
}

// TestListFaults has a list with a bad line and a folder that isn't there.
func TestListFaults(t *testing.T) {
	data := t.TempDir()
	if got := call(noStdin(t), nil, "list", "--data-dir", filepath.Join(data, "no"), "add", "block", "sender", "joe@example.com"); got.code != 3 || !strings.Contains(got.stderr, "no such file or directory") {
		t.Errorf("no folder: got %+v", got)
	}
	path := filepath.Join(data, "lists", "block_sender.list")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("joe@example.com\nb\x1bad\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := call(noStdin(t), nil, "list", "--data-dir", data, "show")
	if got.code != 1 || got.stdout != "block sender joe@example.com\n" || !strings.Contains(got.stderr, path+":2: ") || strings.Contains(got.stderr, "\x1b") {
		t.Errorf("show with a bad line: got %+v", got)
	}
	got = call(noStdin(t), nil, "list", "--data-dir", data, "add", "block", "sender", "jane@example.com")
	if got.code != 3 || !strings.Contains(got.stderr, "refused: "+path+":2: ") {
		t.Errorf("add to one with a bad line: got %+v", got)
	}
	for _, c := range []struct {
		entry  string
		code   int
		stdout string
	}{
		{"jane@example.com", 1, "jane@example.com is not there: block sender\n"},
		{"joe@example.com", 0, "joe@example.com taken out of block sender\n"},
	} {
		got = call(noStdin(t), nil, "list", "--data-dir", data, "del", "block", "sender", c.entry)
		if got.code != c.code || got.stdout != c.stdout || !strings.HasPrefix(got.stderr, "rmilterctl: "+path+":2: ") || !strings.Contains(got.stderr, "until that is mended") {
			t.Errorf("del %s beside a bad line: got %+v", c.entry, got)
		}
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "b\x1bad\n" {
		t.Errorf("after del: got %q, %v", b, err)
	}
}
