// Package uclpeer compares package ucl with libucl, whose language it shares for the
// most part: both read the same texts, and the trees are compared.
//
// The other side is rspamadm of Debian's package rspamd, which test/install.sh unpacks;
// without it the tests are skipped, with CI=true in the environment they fail.
// RMILTER_DRILL=1 makes the random texts more.
package uclpeer
