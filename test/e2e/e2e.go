// Package e2e is what packages of end-to-end tests share: the daemon's program, built
// once for all their tests, and waiting for something that happens soon.
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// BinaryEnv names the variable that leads the tests to the daemon's program.
const BinaryEnv = "RMILTER_TEST_BINARY"

// Patience bounds every wait for something that happens at once.
const Patience = time.Minute

// Drilling tells whether the full counts were asked for.
func Drilling() bool { return os.Getenv("RMILTER_DRILL") == "1" }

// Main builds the daemon, with the race detector when Drilling, unless BinaryEnv names one
// already. It runs the tests and returns their exit code.
func Main(m *testing.M) int {
	if os.Getenv(BinaryEnv) != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "rmilter-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "rmilter")
	args, cgo := []string{"build", "-o", path}, "CGO_ENABLED=0"
	if Drilling() {
		args, cgo = append(args, "-race"), "CGO_ENABLED=1"
	}
	cmd := exec.Command("go", append(args, "rmilter/cmd/rmilter")...)
	cmd.Env = append(os.Environ(), cgo)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "the daemon does not build:", err)
		return 1
	}
	os.Setenv(BinaryEnv, path)
	return m.Run()
}

// Eventually asks until the answer is yes, for as long as Patience lasts.
func Eventually(done func() bool) bool {
	limit := time.NewTimer(Patience)
	defer limit.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-limit.C:
			return false
		}
	}
	return true
}
