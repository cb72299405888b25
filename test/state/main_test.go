package state

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binaryEnv names the variable that leads the tests to the daemon's program.
const binaryEnv = "RMILTER_TEST_BINARY"

// drilling tells whether the full counts were asked for.
func drilling() bool { return os.Getenv("RMILTER_DRILL") == "1" }

// counted returns the short count, or with drilling the full one.
func counted(short, full int) int {
	if drilling() {
		return full
	}
	return short
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run builds the daemon once for all tests.
func run(m *testing.M) int {
	if os.Getenv(binaryEnv) != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "rmilter-state-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "rmilter")
	args, cgo := []string{"build", "-o", path}, "CGO_ENABLED=0"
	if drilling() {
		args, cgo = append(args, "-race"), "CGO_ENABLED=1"
	}
	cmd := exec.Command("go", append(args, "rmilter/cmd/rmilter")...)
	cmd.Env = append(os.Environ(), cgo)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "the daemon does not build:", err)
		return 1
	}
	os.Setenv(binaryEnv, path)
	return m.Run()
}
