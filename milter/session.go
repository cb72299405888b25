package milter

import (
	"context"
	"net/netip"
)

// A Session receives the events of one milter connection, in the order in which
// the MTA sends them and always from one goroutine. The events of one connection
// may describe several SMTP sessions (XCLIENT, QUIT_NC) and any number of messages.
//
// Header, EndHeaders and Chunk are not answered: what they find is told at End.
// Strings and slices are valid only during the call unless said otherwise;
// strings may be kept.
type Session interface {
	// Connect begins an SMTP session. It comes again on the same connection
	// after XCLIENT and after QUIT_NC; all that was known before is then void.
	Connect(c Connect)
	// Helo is the HELO or EHLO argument; it may come more than once.
	Helo(name string)
	// Mail begins a transaction. An answer other than the zero Reply refuses it.
	Mail(ctx context.Context, p Path) Reply
	// Rcpt names one recipient. An answer other than the zero Reply refuses that
	// recipient alone; the transaction goes on without it.
	Rcpt(ctx context.Context, p Path) Reply
	// Data is the DATA command. It doesn't come from MTAs that speak version 2 or
	// 3; Header, EndHeaders or Chunk may then follow Rcpt at once.
	Data(ctx context.Context) Reply
	// Header is one header field. The value is as it stood in the message: with
	// its leading space, folded lines separated by a bare LF.
	Header(name, value string)
	// EndHeaders comes after the last header field.
	EndHeaders()
	// Chunk is the next piece of the body. It belongs to the caller: copy it.
	Chunk(b []byte)
	// End is the end of the message. Edits are sent before the reply, in order.
	End(ctx context.Context) Answer
	// Answered comes after the answer of End, or a refusing answer of Mail or Data, has
	// been written to the MTA and before the next event: the place for what must
	// not keep the MTA waiting. Where the answer could not be written, Close comes
	// without it.
	Answered()
	// Abort ends the transaction without a verdict (RSET, a lost client, another
	// MAIL). It may come with no transaction open.
	Abort()
	// Close is the last event of a connection, however it ends.
	Close()
}

// Connect is what the MTA tells about the SMTP client (SMFIC_CONNECT).
type Connect struct {
	Hostname string     // the client's name from PTR, or "[address]", or "localhost"; as sent
	Family   Family     // kind of address
	Addr     netip.Addr // the client; invalid unless Family is Inet or Inet6
	Port     uint16     // the client's port; 0 when unknown
	Path     string     // the socket's path when Family is Unix
}

// Family is the kind of address an SMTP client has (SMFIA_*).
type Family byte

// The families of the protocol.
const (
	Unknown Family = 'U' // SMFIA_UNKNOWN: no address, as for mail injected locally
	Unix    Family = 'L' // SMFIA_UNIX
	Inet    Family = '4' // SMFIA_INET
	Inet6   Family = '6' // SMFIA_INET6
)

// Path is the argument of MAIL FROM or RCPT TO with its ESMTP parameters.
type Path struct {
	Addr string   // as the MTA sent it, usually with angle brackets; "<>" is the null path
	Args []string // ESMTP parameters as sent, for example "SIZE=1024"
}

// Conn is what a Session may ask of its connection.
type Conn interface {
	// Macro returns the value of a macro, by the name the MTA uses: "i", "j",
	// "{auth_authen}". The latest stage that set it wins, as with smfi_getsymval;
	// macros of a message are forgotten when it ends. False when it isn't set.
	Macro(name string) (string, bool)
	// Draining tells whether the server is shutting down; see Server.Shutdown.
	Draining() bool
	// Crowded tells whether this connection came when max_connections were open.
	Crowded() bool
	// SetParting says what Server.Shutdown answers on this connection when it must
	// end while the SMTP session lives: a temporary refusal of whatever comes next.
	// The zero Reply, which it is at first, closes the connection without a word: for
	// mail that a refusal would leave stuck in the MTA.
	SetParting(Reply)
	// Parted tells whether that answer has been given; no other is heard then.
	Parted() bool
}

// A Reply is the answer to one event. The zero Reply lets things go on.
type Reply struct {
	Action   ReplyAction
	Code     int    // SMTP code, 400 to 599, with Respond
	Enhanced string // enhanced status code of the same class, for example "5.7.1"; may be empty
	Text     string // one or more lines separated by "\n"; made safe on the way (printable ASCII, bounded, "%" doubled)
}

// ReplyAction is what a Reply does.
type ReplyAction byte

// The answers of the protocol.
const (
	Continue ReplyAction = iota // SMFIR_CONTINUE: go on
	Accept                      // SMFIR_ACCEPT: deliver, no further events for this message
	Discard                     // SMFIR_DISCARD: say 250 to the client and drop the message
	TempFail                    // SMFIR_TEMPFAIL: the MTA's own 4xx
	Reject                      // SMFIR_REJECT: the MTA's own 5xx
	Respond                     // SMFIR_REPLYCODE: Code, Enhanced and Text
)

// An Answer is the answer to the end of a message. Edits are sent only when the
// message goes on (Continue or Accept).
type Answer struct {
	Reply Reply
	Edits []Edit
}

// An Edit is one change to a message that goes on.
type Edit struct {
	Op    Op
	Index int    // InsertHeader: position, 0 is the top; ChangeHeader, DeleteHeader: 1 is the first of that name
	Name  string // header field name
	Value string // header value without its leading space, folded with "\n"; address; reason
	Args  string // ESMTP parameters for AddRcpt and ChangeFrom
}

// Op says what an Edit does.
type Op byte

// The edits of the protocol.
const (
	AddHeader    Op = iota + 1 // SMFIR_ADDHEADER: at the end of the header
	InsertHeader               // SMFIR_INSHEADER
	ChangeHeader               // SMFIR_CHGHEADER; Postfix and sendmail add the field when there is none
	DeleteHeader               // SMFIR_CHGHEADER with an empty value; several of one name from the highest index down
	ChangeFrom                 // SMFIR_CHGFROM
	AddRcpt                    // SMFIR_ADDRCPT, SMFIR_ADDRCPT_PAR
	DeleteRcpt                 // SMFIR_DELRCPT
	Quarantine                 // SMFIR_QUARANTINE: the MTA holds the message
)

// String returns libmilter's word for the edit.
func (o Op) String() string {
	names := [...]string{"no edit", "addheader", "insheader", "chgheader", "delheader", "chgfrom", "addrcpt", "delrcpt", "quarantine"}
	if int(o) < len(names) {
		return names[o]
	}
	return "unknown edit"
}
