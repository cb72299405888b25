package maps

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// An Own is one of the lists that the daemon knows by itself, in files of its own: what
// is allowed or blocked, by sender, domain, network, recipient or header.
type Own struct {
	Block bool   // of what is blocked; otherwise of what is allowed
	Of    string // one of OwnKinds
}

// OwnKinds are what the daemon's own lists are of, in the order of the documentation.
var OwnKinds = []string{"sender", "domain", "network", "recipient", "header"}

// ParseOwn returns the list of two words: "allow" or "block", and one of OwnKinds.
func ParseOwn(side, of string) (Own, error) {
	side, of = strings.ToLower(side), strings.ToLower(of)
	if side != "allow" && side != "block" {
		return Own{}, fmt.Errorf("%.60q is no list; expected allow or block", side)
	}
	if !slices.Contains(OwnKinds, of) {
		return Own{}, fmt.Errorf("%.60q is no kind of list; expected %s", of, strings.Join(OwnKinds, ", "))
	}
	return Own{side == "block", of}, nil
}

// Side returns "allow" or "block".
func (o Own) Side() string {
	if o.Block {
		return "block"
	}
	return "allow"
}

// String returns the words of the list: "allow sender".
func (o Own) String() string { return o.Side() + " " + o.Of }

// Kind returns what its entries are.
func (o Own) Kind() Kind {
	switch o.Of {
	case "domain":
		return Domains
	case "network":
		return Networks
	case "header":
		return Headers
	}
	return Addresses
}

// File returns the path of its file in the folder in which the daemon keeps its data.
func (o Own) File(dataDir string) string {
	return filepath.Join(dataDir, "lists", o.Side()+"_"+o.Of+".list")
}
