package dns

import (
	"net/netip"
	"strconv"
	"time"
)

// A Type is the type of the records that are asked for (RFC 1035, section 3.2.2).
type Type uint16

// The types that can be asked for.
const (
	TypeA    Type = 1
	TypeNS   Type = 2
	TypePTR  Type = 12
	TypeMX   Type = 15
	TypeTXT  Type = 16
	TypeAAAA Type = 28
)

// String returns the type's mnemonic, or TYPE with its number (RFC 3597, section 5).
func (t Type) String() string {
	switch t {
	case TypeA:
		return "A"
	case TypeNS:
		return "NS"
	case TypePTR:
		return "PTR"
	case TypeMX:
		return "MX"
	case TypeTXT:
		return "TXT"
	case TypeAAAA:
		return "AAAA"
	}
	return "TYPE" + strconv.Itoa(int(t))
}

// MarshalText returns the mnemonic.
func (t Type) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// known tells whether answers of this type can be read.
func (t Type) known() bool {
	switch t {
	case TypeA, TypeNS, TypePTR, TypeMX, TypeTXT, TypeAAAA:
		return true
	}
	return false
}

// An RCode is the response code of an answer (RFC 1035, section 4.1.1, and RFC 6895).
type RCode uint16

// The codes that mean something here.
const (
	RCodeNoError  RCode = 0
	RCodeFormErr  RCode = 1
	RCodeServFail RCode = 2
	RCodeNXDomain RCode = 3
	RCodeNotImp   RCode = 4
	RCodeRefused  RCode = 5
	RCodeBadVers  RCode = 16
)

// String returns the code's mnemonic, or RCODE with its number.
func (c RCode) String() string {
	switch c {
	case RCodeNoError:
		return "NOERROR"
	case RCodeFormErr:
		return "FORMERR"
	case RCodeServFail:
		return "SERVFAIL"
	case RCodeNXDomain:
		return "NXDOMAIN"
	case RCodeNotImp:
		return "NOTIMP"
	case RCodeRefused:
		return "REFUSED"
	case RCodeBadVers:
		return "BADVERS"
	}
	return "RCODE" + strconv.Itoa(int(c))
}

// An MX is a mail exchanger of a domain.
type MX struct {
	Preference uint16 // the lowest is tried first
	Host       string // its name; "" for the null MX of RFC 7505
}

// An Answer is what a server said to a question. Its slices are shared with the cache
// and with other callers, and must not be changed. Of Addrs, Texts, Names and MXs the
// one that belongs to the type is set, in the order of the answer. With an error of
// lookup the other fields are still set as far as they are known.
//
// Names within an answer are in lower case without the final dot; bytes that no host
// name has stay escaped as \DDD.
type Answer struct {
	Name          string         // what was asked, in lower case without the final dot
	Type          Type           // of which type
	Canonical     string         // the name at the end of the aliases; Name when there are none
	RCode         RCode          // of the last answer that arrived; NOERROR when none did
	Addrs         []netip.Addr   // A and AAAA
	Texts         []string       // TXT: the strings of each record joined, any bytes
	Names         []string       // PTR and NS
	MXs           []MX           // MX
	TTL           time.Duration  // how much longer it is good; 0 for a stale one
	Authenticated bool           // the server says that DNSSEC proves it; worth as much as the way to the server
	Server        netip.AddrPort // who said it; zero when nobody did
	Cached        bool           // it came out of the cache
	Stale         bool           // it has expired, and no server could be asked (RFC 8767)
}

// Len returns the number of records.
func (a *Answer) Len() int {
	return len(a.Addrs) + len(a.Texts) + len(a.Names) + len(a.MXs)
}

// size returns about how many bytes the answer holds in memory.
func (a *Answer) size() int {
	n := len(a.Name) + len(a.Canonical) + 24*len(a.Addrs) + 16*(len(a.Texts)+len(a.Names)) + 24*len(a.MXs)
	for _, s := range a.Texts {
		n += len(s)
	}
	for _, s := range a.Names {
		n += len(s)
	}
	for _, m := range a.MXs {
		n += len(m.Host)
	}
	return n
}
