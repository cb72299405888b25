// Package test runs rmilter end to end, between real mail servers and a client of the
// tests' own, and compares what arrives in the mailboxes byte by byte.
//
// The tests need root and what install.sh installs, and are skipped without; with
// CI=true in the environment that is a failure. RMILTER_DRILL=1 makes the restart
// drill a long one, against a daemon with the race detector. RMILTER_TEST_BINARY names
// a daemon to test in place of the one that is built from the source.
package test
