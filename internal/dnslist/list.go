package dnslist

import (
	"net/netip"

	"rmilter/internal/ucl"
)

// Asks is a set of the kinds of things that a list is asked about.
type Asks uint16

// The kinds of things.
const (
	Client   Asks = 1 << iota // the address of the SMTP client
	Received                  // addresses of earlier hops
	Helo                      // the name in HELO or EHLO
	RDNS                      // the client's name, if it is forward-confirmed
	From                      // domains of the envelope's sender and of From
	ReplyTo                   // domains of Reply-To, or its addresses as hashes
	DKIM                      // domains whose signature is valid
	URLs                      // hosts of links
	Emails                    // e-mail addresses as hashes, or their domains
)

// A List is one DNS list as it is configured. It never changes once a Watch has it.
type List struct {
	Name     string     // in the configuration, such as "spamhaus"
	Section  string     // the section that it belongs to: RBL or SURBL
	Group    string     // the group of its symbols, such as "rbl"
	Operator string     // who runs it, for the documentation
	Zone     string     // the domain of the list, in lower case without the final dot
	Key      ucl.Secret // a label that goes before Zone, as with Spamhaus DQS; never shown

	Enabled   bool
	Asks      Asks
	IPv4      bool // it is asked about IPv4 addresses
	IPv6      bool // it is asked about IPv6 addresses
	Names     bool // it is asked about names; otherwise about addresses only
	Resolve   bool // a list of addresses that is asked about the addresses of names, too
	Hash      Hash // how an e-mail address is written for Emails and ReplyTo; NoHash: its domain is asked
	Canonical bool // before that, +TAG and what Gmail ignores are taken out of the address
	Whitelist bool // what is listed is good; its codes weigh nothing or less
	Dynamic   bool // it lists dynamic addresses, so earlier hops are never asked about

	// Registered tells that names are asked as the domain that was registered,
	// example.com for www.example.com. Otherwise the host is asked as it is.
	Registered bool

	Codes   []Code    // what its answers mean, in the order of the documentation
	Blocked []Pattern // answers by which it says that it doesn't answer us
	Exempt  Exempt    // what it is never asked about

	TestListed string // what is listed for sure: an address or a name; "" when the list has nothing
	TestClean  string // what is not listed for sure; a list that has it listed lists everything
	Untested   bool   // there is no self-test: rspamd's disable_monitoring

	PublicRefused bool   // it refuses to answer public resolvers
	Daily         int    // questions a day that its terms allow; 0: nothing is published
	PerSecond     int    // questions a second that its terms allow; 0: nothing is published
	Closed        string // when it closed: it is never asked; "" when it is alive
	Terms         string // its published terms in one line, for the documentation
}

// The sections of the configuration that have lists.
const (
	RBL   = "rbl"   // lists of those who send
	SURBL = "surbl" // lists of what a message names
)

// A Code says what an answer of a list means.
type Code struct {
	Answer  Pattern
	Symbol  string  // what is found; "" for an answer that is documented and means nothing to us
	Weight  float64 // the default weight of the symbol
	Doc     string  // one sentence, for the documentation of the symbol
	Asks    Asks    // for what it is so; 0: for all that the list is asked about
	Dynamic bool    // it is about dynamic addresses: never for earlier hops
}

// A Hash is how an e-mail address is written in a question.
type Hash string

// The hashes. All are of the address in lower case.
const (
	NoHash Hash = ""       // the domain is asked, not the address
	MD5    Hash = "md5"    // hexadecimal
	SHA1   Hash = "sha1"   // hexadecimal
	SHA256 Hash = "sha256" // base32 without padding where hexadecimal would be too long for a label
)

// An Exempt is what a list is never asked about. The zero value is nothing.
type Exempt struct {
	Networks []netip.Prefix
	Domains  []string // in lower case, A-labels; what is below them, too
}

// A Query is what a list is asked about. Of Addr, Name and Email one is set.
type Query struct {
	Ask   Asks       // one kind
	Addr  netip.Addr // an address
	Name  string     // a host or domain, in A-labels
	Email string     // an e-mail address, LOCAL@DOMAIN
}

// A Hit is an answer that has a symbol.
type Hit struct {
	Code   *Code
	Answer netip.Addr
}
