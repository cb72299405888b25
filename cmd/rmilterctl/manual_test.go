package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"rmilter/internal/config"
	"rmilter/internal/metrics"
)

// TestManual wants every command and flag in the manual page.
func TestManual(t *testing.T) {
	b, err := os.ReadFile("../../docs/man/rmilterctl.8")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	root := (&app{}).commands()
	for _, c := range root.Commands() {
		if !strings.Contains(page, "\n.B "+c.Name()+"\n") {
			t.Errorf("docs/man/rmilterctl.8 doesn't name the command %s", c.Name())
		}
	}
	flags := regexp.MustCompile(`--([a-z-]+)`).FindAllStringSubmatch(root.PersistentFlags().FlagUsages(), -1)
	for _, f := range flags {
		if !strings.Contains(page, `\-\-`+f[1]) {
			t.Errorf("docs/man/rmilterctl.8 doesn't name --%s", f[1])
		}
	}
	if len(flags) < 4 {
		t.Errorf("%d flags seen, want 4 at least", len(flags))
	}
	if !strings.Contains(page, "rmilter "+metrics.Version) {
		t.Errorf("docs/man/rmilterctl.8 is of another version than %s", metrics.Version)
	}
}

// TestDefaultSocket wants the tool to look where the daemon listens.
func TestDefaultSocket(t *testing.T) {
	if got := string(config.DefaultServer().ControlSocket); got != defaultSocket {
		t.Errorf("the daemon's is %s, the tool's %s", got, defaultSocket)
	}
}
