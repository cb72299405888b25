package state

import (
	"os"
	"testing"

	"rmilter/test/e2e"
)

// counted returns the short count, or the full one where that was asked for.
func counted(short, full int) int {
	if e2e.Drilling() {
		return full
	}
	return short
}

func TestMain(m *testing.M) { os.Exit(e2e.Main(m)) }
