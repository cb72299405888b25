package uclpeer

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// A sample is one text, or a file with those that it includes.
type sample struct {
	name string
	text string
	file string // the path of a file in place of text
}

// An answer is what libucl makes of a sample.
type answer struct {
	fault string // why it was refused
	value any    // maps, slices, strings, bool, json.Number and nil
}

// batchTime is far more than libucl takes for all texts of a test.
const batchTime = time.Minute

//go:embed peer.lua
var script string

// ask has libucl read the samples, all in one process.
func ask(t *testing.T, samples []sample) []answer {
	t.Helper()
	root := filepath.Join(cache(), "rspamd")
	program := filepath.Join(root, "usr/bin/rspamadm")
	if _, err := os.Stat(program); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v; run test/install.sh", err)
		}
		t.Skipf("%v; run test/install.sh", err)
	}
	dir := t.TempDir()
	in, lua := filepath.Join(dir, "in.json"), filepath.Join(dir, "peer.lua")
	for path, data := range map[string][]byte{in: records(samples), lua: []byte(script)} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), batchTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "lua", lua)
	cmd.Dir = dir
	cmd.Env = []string{
		"HOME=" + dir, "TMPDIR=" + dir, "UCLPEER_IN=" + in,
		"LD_LIBRARY_PATH=" + filepath.Join(root, "usr/lib/rspamd"), "LUALIBDIR=" + filepath.Join(root, "usr/share/rspamd/lualib"),
	}
	var out, remarks bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &remarks
	if err := cmd.Run(); err != nil {
		t.Fatalf("rspamadm: %v after %d bytes of answers\n%.2000s", err, out.Len(), remarks.String())
	}
	return answers(t, out.Bytes(), len(samples))
}

// cache is where test/install.sh unpacks.
func cache() string {
	if dir := os.Getenv("RMILTER_TEST_CACHE"); dir != "" {
		return dir
	}
	return "/var/cache/rmilter-test"
}

// records writes the samples for the script: a line with the kind and the length, and
// as many bytes.
func records(samples []sample) []byte {
	var b bytes.Buffer
	for _, s := range samples {
		kind, data := "text", s.text
		if s.file != "" {
			kind, data = "file", s.file
		}
		fmt.Fprintf(&b, "%s %d\n%s\n", kind, len(data), data)
	}
	return b.Bytes()
}

// answers reads what the script wrote, in the same form.
func answers(t *testing.T, data []byte, n int) []answer {
	t.Helper()
	var list []answer
	for len(data) > 0 {
		var kind string
		var size int
		if _, err := fmt.Sscanf(string(data[:min(len(data), 40)]), "%s %d\n", &kind, &size); err != nil {
			t.Fatalf("answer %d: %v in %.200q", len(list), err, data)
		}
		start := bytes.IndexByte(data, '\n') + 1
		body := data[start : start+size]
		data = data[start+size+1:]
		if kind == "error" {
			list = append(list, answer{fault: string(body)})
			continue
		}
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.UseNumber()
		var a answer
		if err := dec.Decode(&a.value); err != nil {
			t.Fatalf("answer %d: %v in %.200q", len(list), err, body)
		}
		list = append(list, a)
	}
	if len(list) != n {
		t.Fatalf("got %d answers, want %d", len(list), n)
	}
	return list
}
