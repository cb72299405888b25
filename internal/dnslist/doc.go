// Package dnslist asks DNS lists (RFC 5782) and knows what their answers mean and whether
// they can be trusted.
//
// [Catalog] has the lists that the package knows, [Config] the options of rbl { } and of
// surbl { }, from which the lists come that are asked. A [Watch] asks them: it takes out a
// list that answers everything, that refuses to answer us or that doesn't answer at all,
// counts what each was asked, and tells of each of these once. Only an answer that the list
// documents counts.
//
// The package knows nothing of checks and messages: which addresses and names are asked, and
// what a symbol weighs in the end, is the matter of its callers.
package dnslist
