package test

import (
	"os"
	"testing"

	"rmilter/test/e2e"
)

func TestMain(m *testing.M) { os.Exit(e2e.Main(m)) }
