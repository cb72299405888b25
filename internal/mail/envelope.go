package mail

import (
	"net/netip"
	"time"
)

// An Envelope is what the MTA tells about a message before the message itself. It
// is a plain value; fields of later stages are zero until then.
type Envelope struct {
	ID         string     // our id of the transaction, 10 hex digits
	QueueID    string     // the MTA's queue id; Postfix tells it at the end of the headers only
	Time       time.Time  // when MAIL FROM arrived
	MTAName    string     // the MTA's host name (macro j)
	DaemonName string     // the MTA's listener ({daemon_name})
	ClientIP   netip.Addr // the SMTP client, unmapped and without zone; invalid for local injection
	ClientPort uint16     // the client's port; 0 unknown
	Hostname   string     // the client's PTR name; "" when there is none
	Helo       string     // HELO or EHLO argument as sent
	User       string     // SASL login ({auth_authen}); "" means not authenticated
	TLS        string     // TLS version and cipher, "" in clear text
	From       Path       // MAIL FROM
	Rcpts      []Path     // accepted recipients in order
	RcptsCut   bool       // there were more recipients than are kept in Rcpts
	Trust      Trust      // what the client is to us
	Inspect    bool       // somebody only asks what would be found: no state is written
	Thread     Thread     // what is known of mail that this one belongs to; from the end of the message on
}

// A Path is an address of the envelope with its ESMTP parameters.
type Path struct {
	Address
	Args []string // as sent: "SIZE=1024", "NOTIFY=NEVER"
}

// Trust is what the client of a message is to us. Only Stranger is judged in full.
type Trust byte

// The kinds of client, from none to full trust.
const (
	Stranger      Trust = iota // anybody
	TrustedRelay               // a backup MX or forwarder of ours: marked, never refused; not ours
	OurNetwork                 // a client in our_networks: ours
	OurDaemon                  // {daemon_name} is one of originating_daemons: ours
	Authenticated              // a SASL user: ours
	Local                      // injected on the MTA's own machine: ours, and never refused
)

// Ours tells whether the message comes from our own users or machines.
func (t Trust) Ours() bool { return t >= OurNetwork }

// String returns the word of the log line: "-", "relay", "net", "daemon", "auth" or "local".
func (t Trust) String() string {
	switch t {
	case TrustedRelay:
		return "relay"
	case OurNetwork:
		return "net"
	case OurDaemon:
		return "daemon"
	case Authenticated:
		return "auth"
	case Local:
		return "local"
	}
	return "-"
}
