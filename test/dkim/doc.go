// Package dkim shows that signatures of rmilter are those of the other programs: what
// rmilter signs verifies with OpenDKIM, dkimpy and Mail::DKIM, and what they sign verifies
// with rmilter.
//
// The programs come from Debian's packages, see test/install.sh. OpenDKIM and dkimpy know
// Ed25519, Mail::DKIM of Debian 12 knows RSA only. OpenDKIM asks the DNS, so it runs with a
// resolv.conf of its own, for which root is needed.
package dkim
