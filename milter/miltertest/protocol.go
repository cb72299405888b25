package miltertest

import "fmt"

// Command is the kind of a packet from the MTA to the filter (SMFIC_*).
type Command byte

// The commands of the protocol.
const (
	CmdAbort   Command = 'A' // SMFIC_ABORT: the transaction ends without a verdict
	CmdBody    Command = 'B' // SMFIC_BODY: a piece of the body
	CmdConnect Command = 'C' // SMFIC_CONNECT: an SMTP client
	CmdMacro   Command = 'D' // SMFIC_MACRO: macros for the next command
	CmdEOM     Command = 'E' // SMFIC_BODYEOB: the end of the message
	CmdHelo    Command = 'H' // SMFIC_HELO
	CmdQuitNC  Command = 'K' // SMFIC_QUIT_NC: the SMTP session ends, the connection stays
	CmdHeader  Command = 'L' // SMFIC_HEADER: one header field
	CmdMail    Command = 'M' // SMFIC_MAIL
	CmdEOH     Command = 'N' // SMFIC_EOH: the end of the header
	CmdOptneg  Command = 'O' // SMFIC_OPTNEG: what both sides can do
	CmdQuit    Command = 'Q' // SMFIC_QUIT: the connection ends
	CmdRcpt    Command = 'R' // SMFIC_RCPT
	CmdData    Command = 'T' // SMFIC_DATA, from version 4 on
	CmdUnknown Command = 'U' // SMFIC_UNKNOWN, from version 3 on
)

// String names the command in capitals, as SMTP would.
func (c Command) String() string {
	switch c {
	case CmdAbort:
		return "ABORT"
	case CmdBody:
		return "BODY"
	case CmdConnect:
		return "CONNECT"
	case CmdMacro:
		return "MACRO"
	case CmdEOM:
		return "EOM"
	case CmdHelo:
		return "HELO"
	case CmdQuitNC:
		return "QUIT_NC"
	case CmdHeader:
		return "HEADER"
	case CmdMail:
		return "MAIL"
	case CmdEOH:
		return "EOH"
	case CmdOptneg:
		return "OPTNEG"
	case CmdQuit:
		return "QUIT"
	case CmdRcpt:
		return "RCPT"
	case CmdData:
		return "DATA"
	case CmdUnknown:
		return "UNKNOWN"
	}
	return fmt.Sprintf("command %q", byte(c))
}

// rules tells how the negotiation governs a command: the flag by which a filter
// declines it, the flag by which it promises not to answer it, and the first
// protocol version that has it.
func (c Command) rules() (no, nr, since uint32) {
	switch c {
	case CmdConnect:
		return NoConnect, NRConnect, 2
	case CmdHelo:
		return NoHelo, NRHelo, 2
	case CmdMail:
		return NoMail, NRMail, 2
	case CmdRcpt:
		return NoRcpt, NRRcpt, 2
	case CmdData:
		return NoData, NRData, 4
	case CmdUnknown:
		return NoUnknown, NRUnknown, 3
	case CmdHeader:
		return NoHeaders, NRHeader, 2
	case CmdEOH:
		return NoEOH, NREOH, 2
	case CmdBody:
		return NoBody, NRBody, 2
	}
	return 0, 0, 2
}

// What a filter may do to a message (SMFIF_*), for [Conn.Negotiate].
const (
	ActAddHeaders    = 1 << 0 // SMFIF_ADDHDRS: add and insert header fields
	ActChangeBody    = 1 << 1 // SMFIF_CHGBODY
	ActAddRcpt       = 1 << 2 // SMFIF_ADDRCPT
	ActDelRcpt       = 1 << 3 // SMFIF_DELRCPT
	ActChangeHeaders = 1 << 4 // SMFIF_CHGHDRS: change and delete header fields
	ActQuarantine    = 1 << 5 // SMFIF_QUARANTINE
	ActChangeFrom    = 1 << 6 // SMFIF_CHGFROM
	ActAddRcptPar    = 1 << 7 // SMFIF_ADDRCPT_PAR: add recipients with ESMTP parameters
	ActSetSymList    = 1 << 8 // SMFIF_SETSYMLIST: choose macros in the negotiation

	AllActions = 1<<9 - 1 // what Postfix 3 and sendmail 8.14 and later offer
)

// What a filter may ask of the MTA (SMFIP_*), for [Conn.Negotiate].
const (
	NoConnect  = 1 << 0  // SMFIP_NOCONNECT: don't send CONNECT
	NoHelo     = 1 << 1  // SMFIP_NOHELO
	NoMail     = 1 << 2  // SMFIP_NOMAIL
	NoRcpt     = 1 << 3  // SMFIP_NORCPT
	NoBody     = 1 << 4  // SMFIP_NOBODY
	NoHeaders  = 1 << 5  // SMFIP_NOHDRS
	NoEOH      = 1 << 6  // SMFIP_NOEOH
	NRHeader   = 1 << 7  // SMFIP_NR_HDR: no reply to HEADER
	NoUnknown  = 1 << 8  // SMFIP_NOUNKNOWN
	NoData     = 1 << 9  // SMFIP_NODATA
	Skip       = 1 << 10 // SMFIP_SKIP: the MTA understands the reply [ReplySkip]
	RcptReject = 1 << 11 // SMFIP_RCPT_REJ: send refused recipients too
	NRConnect  = 1 << 12 // SMFIP_NR_CONN
	NRHelo     = 1 << 13 // SMFIP_NR_HELO
	NRMail     = 1 << 14 // SMFIP_NR_MAIL
	NRRcpt     = 1 << 15 // SMFIP_NR_RCPT
	NRData     = 1 << 16 // SMFIP_NR_DATA
	NRUnknown  = 1 << 17 // SMFIP_NR_UNKN
	NREOH      = 1 << 18 // SMFIP_NR_EOH
	NRBody     = 1 << 19 // SMFIP_NR_BODY
	LeadSpace  = 1 << 20 // SMFIP_HDR_LEADSPC: header values keep their leading space

	MaxData256K = 1 << 28 // SMFIP_MDS_256K: packets of up to 256 KB
	MaxData1M   = 1 << 29 // SMFIP_MDS_1M: packets of up to 1 MB

	AllProtocol = 1<<21 - 1 // what Postfix 3 and sendmail 8.14 and later offer
)

// Offer gives the masks that an MTA of a protocol version offers. Versions above
// 6 get those of 6, versions below 2 get nothing.
func Offer(version uint32) (actions, protocol uint32) {
	switch {
	case version < 2:
		return 0, 0
	case version == 2:
		return 0x3f, 0x7f
	case version == 3:
		return 0x3f, 0x7f | NoUnknown
	case version < 6:
		return 0x3f, 0x7f | NoUnknown | NoData
	}
	return AllActions, AllProtocol
}

// Code is the kind of a packet from the filter to the MTA (SMFIR_*).
type Code byte

// The answers of the protocol.
const (
	ReplyContinue Code = 'c' // SMFIR_CONTINUE
	ReplyAccept   Code = 'a' // SMFIR_ACCEPT
	ReplyDiscard  Code = 'd' // SMFIR_DISCARD
	ReplyReject   Code = 'r' // SMFIR_REJECT
	ReplyTempFail Code = 't' // SMFIR_TEMPFAIL
	ReplyCode     Code = 'y' // SMFIR_REPLYCODE: an SMTP reply of the filter's own
	ReplySkip     Code = 's' // SMFIR_SKIP: no more pieces of the body
	ReplyShutdown Code = '4' // SMFIR_SHUTDOWN: known to Postfix alone
	ReplyConnFail Code = 'f' // SMFIR_CONN_FAIL: known to neither
	ReplyProgress Code = 'p' // SMFIR_PROGRESS: wait on

	EditAddHeader    Code = 'h' // SMFIR_ADDHEADER
	EditInsertHeader Code = 'i' // SMFIR_INSHEADER
	EditChangeHeader Code = 'm' // SMFIR_CHGHEADER
	EditChangeFrom   Code = 'e' // SMFIR_CHGFROM
	EditAddRcpt      Code = '+' // SMFIR_ADDRCPT
	EditAddRcptPar   Code = '2' // SMFIR_ADDRCPT_PAR
	EditDelRcpt      Code = '-' // SMFIR_DELRCPT
	EditReplaceBody  Code = 'b' // SMFIR_REPLBODY
	EditQuarantine   Code = 'q' // SMFIR_QUARANTINE
)

// String names the answer in lower case.
func (c Code) String() string {
	switch c {
	case ReplyContinue:
		return "continue"
	case ReplyAccept:
		return "accept"
	case ReplyDiscard:
		return "discard"
	case ReplyReject:
		return "reject"
	case ReplyTempFail:
		return "tempfail"
	case ReplyCode:
		return "reply code"
	case ReplySkip:
		return "skip"
	case ReplyShutdown:
		return "shutdown"
	case ReplyConnFail:
		return "connection failure"
	case ReplyProgress:
		return "progress"
	}
	return c.editName()
}

func (c Code) editName() string {
	switch c {
	case EditAddHeader:
		return "add header"
	case EditInsertHeader:
		return "insert header"
	case EditChangeHeader:
		return "change header"
	case EditChangeFrom:
		return "change sender"
	case EditAddRcpt:
		return "add recipient"
	case EditAddRcptPar:
		return "add recipient with parameters"
	case EditDelRcpt:
		return "delete recipient"
	case EditReplaceBody:
		return "replace body"
	case EditQuarantine:
		return "quarantine"
	}
	return fmt.Sprintf("answer %q", byte(c))
}

// needs gives the action that must have been negotiated for an edit, and false
// for anything that isn't one.
func (c Code) needs() (action uint32, edit bool) {
	switch c {
	case EditAddHeader, EditInsertHeader:
		return ActAddHeaders, true
	case EditChangeHeader:
		return ActChangeHeaders, true
	case EditChangeFrom:
		return ActChangeFrom, true
	case EditAddRcpt:
		return ActAddRcpt, true
	case EditAddRcptPar:
		return ActAddRcptPar, true
	case EditDelRcpt:
		return ActDelRcpt, true
	case EditReplaceBody:
		return ActChangeBody, true
	case EditQuarantine:
		return ActQuarantine, true
	}
	return 0, false
}

// Family is the kind of an SMTP client's address (SMFIA_*).
type Family byte

// The families of the protocol.
const (
	Unspecified Family = 'U' // SMFIA_UNKNOWN: no address follows
	Unix        Family = 'L' // SMFIA_UNIX
	Inet        Family = '4' // SMFIA_INET
	Inet6       Family = '6' // SMFIA_INET6
)
