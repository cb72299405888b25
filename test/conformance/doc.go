// Package conformance asks a real daemon the cases of the conformance suites by HTTP, as
// Exim and rspamc ask for mail, with the suites' zones behind dns { nameserver }.
package conformance
