// Package rspamc has rspamd's own client, rspamc, ask rmilter's worker and controller,
// and rmilterctl beside it.
//
// The tests need the rspamc that test/install.sh unpacks, and are skipped without; with
// CI=true in the environment that is a failure. RMILTER_TEST_BINARY names a daemon to
// test in place of the one that is built from the source.
package rspamc
