// Package options changes every documented option of rmilter.conf once and watches what
// the daemon then does otherwise.
//
// The list of options is that of the reference (docs/configuration.md); the tables in
// process_test.go, controller_test.go, mail_test.go, policy_test.go, checks_test.go,
// auth_test.go, sign_test.go, state_test.go and redis_test.go have an entry for each. The daemon is a process of its own,
// with the race detector.
//
// Some defaults are places of the machine, such as port 9900 and /run/rmilter. The tests
// run in namespaces of their own, where these are free: see room_test.go.
package options

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	// The daemon is built from it: without this import go test would take an old result
	// for that of a changed daemon.
	_ "rmilter/internal/server"
)

// binaryEnv names the variable that leads the tests to the daemon's program.
const binaryEnv = "RMILTER_TEST_BINARY"

func TestMain(m *testing.M) {
	if inRoom() {
		furnish()
		os.Exit(m.Run())
	}
	os.Exit(outside(m))
}

// outside builds the daemon once for all tests and runs them in a room.
func outside(m *testing.M) int {
	dir, err := os.MkdirTemp("", "rmilter-options-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if os.Getenv(binaryEnv) == "" {
		path := filepath.Join(dir, "rmilter")
		build := exec.Command("go", "build", "-race", "-o", path, "rmilter/cmd/rmilter")
		build.Env = append(os.Environ(), "CGO_ENABLED=1")
		build.Stdout, build.Stderr = os.Stderr, os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "the daemon does not build:", err)
			return 1
		}
		os.Setenv(binaryEnv, path)
	}
	if code, ok := enterRoom(dir); ok {
		return code
	}
	return m.Run()
}
