// Package mimesuite holds the project's parsers of mail, HTML, dates and addresses
// against what others expect of theirs: conformance suites and a corpus, which are not
// part of the repository, and other parsers as oracles.
//
// The suites and the corpus are looked for in the folder that RMILTER_SHARED names, else
// in ../shared beside the repository. Where there is none, the tests skip.
package mimesuite
