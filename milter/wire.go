package milter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
)

// Commands of the MTA (SMFIC_*).
const (
	cmdAbort   = 'A'
	cmdBody    = 'B'
	cmdConnect = 'C'
	cmdMacro   = 'D'
	cmdEOM     = 'E'
	cmdHelo    = 'H'
	cmdQuitNC  = 'K'
	cmdHeader  = 'L'
	cmdMail    = 'M'
	cmdEOH     = 'N'
	cmdOptneg  = 'O'
	cmdQuit    = 'Q'
	cmdRcpt    = 'R'
	cmdData    = 'T'
	cmdUnknown = 'U'
)

// Answers that go-milter has no function for (SMFIR_*).
const (
	respContinue   = 'c'
	respProgress   = 'p'
	respReplyCode  = 'y'
	respAddRcptPar = '2'
)

// Edits that an MTA may allow (SMFIF_*).
const (
	actAddHeader    = 1 << 0 // SMFIF_ADDHDRS
	actChangeBody   = 1 << 1 // SMFIF_CHGBODY
	actAddRcpt      = 1 << 2 // SMFIF_ADDRCPT
	actDeleteRcpt   = 1 << 3 // SMFIF_DELRCPT
	actChangeHeader = 1 << 4 // SMFIF_CHGHDRS
	actQuarantine   = 1 << 5 // SMFIF_QUARANTINE
	actChangeFrom   = 1 << 6 // SMFIF_CHGFROM
	actAddRcptPar   = 1 << 7 // SMFIF_ADDRCPT_PAR

	wantActions = actAddHeader | actAddRcpt | actDeleteRcpt | actChangeHeader | actQuarantine | actChangeFrom | actAddRcptPar
)

// Steps that an MTA can leave out or need not wait for (SMFIP_*).
const (
	stepNoReplyHeader  = 1 << 7  // SMFIP_NR_HDR
	stepNoUnknown      = 1 << 8  // SMFIP_NOUNKNOWN
	stepNoReplyConnect = 1 << 12 // SMFIP_NR_CONN
	stepNoReplyHelo    = 1 << 13 // SMFIP_NR_HELO
	stepNoReplyUnknown = 1 << 17 // SMFIP_NR_UNKN
	stepNoReplyEOH     = 1 << 18 // SMFIP_NR_EOH
	stepNoReplyBody    = 1 << 19 // SMFIP_NR_BODY
	stepLeadingSpace   = 1 << 20 // SMFIP_HDR_LEADSPC

	// MAIL, RCPT, DATA and the end of the message are answered; SMFIP_SKIP isn't
	// used, as the whole body must be seen for signing.
	wantSteps = stepNoReplyHeader | stepNoUnknown | stepNoReplyConnect | stepNoReplyHelo |
		stepNoReplyUnknown | stepNoReplyEOH | stepNoReplyBody | stepLeadingSpace
)

const (
	minVersion = 2
	maxVersion = 6

	// maxPacket bounds one packet, command byte included. Postfix sends header
	// fields up to header_size_limit (100 KB) and bodies in pieces of 64 KB.
	maxPacket = 1 << 20
	// maxCommand bounds the packets of SMTP commands, whose lines are far shorter:
	// RFC 5321, section 4.5.3.1.4, and the extensions that lengthen them.
	maxCommand = 16 << 10
	// maxMacros bounds what is kept of one stage's macros.
	maxMacros = 64 << 10
	// maxArgs bounds the ESMTP parameters that are kept of one command.
	maxArgs = 64
)

var (
	errMalformed = errors.New("malformed packet")
	errOrder     = errors.New("command out of order")
)

// offer is the contents of SMFIC_OPTNEG.
type offer struct{ version, actions, steps uint32 }

func parseOffer(p []byte) (offer, error) {
	// Later fields (macro lists) are for filters that ask for them.
	if len(p) < 12 {
		return offer{}, errMalformed
	}
	return offer{
		version: binary.BigEndian.Uint32(p),
		actions: binary.BigEndian.Uint32(p[4:]),
		steps:   binary.BigEndian.Uint32(p[8:]),
	}, nil
}

// accept returns what both sides can do.
func (o offer) accept() offer {
	return offer{min(o.version, maxVersion), o.actions & wantActions, o.steps & wantSteps}
}

func (o offer) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, 13)
	b = append(b, cmdOptneg)
	b = binary.BigEndian.AppendUint32(b, o.version)
	b = binary.BigEndian.AppendUint32(b, o.actions)
	return binary.BigEndian.AppendUint32(b, o.steps)
}

// appendPacket appends a packet whose payload is the parts.
func appendPacket(b []byte, cmd byte, parts ...string) []byte {
	n := 1
	for _, p := range parts {
		n += len(p)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(n))
	b = append(b, cmd)
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// cstring cuts the first NUL-terminated string off p. A missing NUL ends it at the
// end of the packet, as some MTAs leave out the last one.
func cstring(p []byte) (s string, rest []byte) {
	i := bytes.IndexByte(p, 0)
	if i < 0 {
		return string(p), nil
	}
	return string(p[:i]), p[i+1:]
}

func parseConnect(p []byte) (Connect, error) {
	name, rest := cstring(p)
	if len(rest) == 0 {
		return Connect{}, errMalformed
	}
	c := Connect{Hostname: name, Family: Family(rest[0])}
	rest = rest[1:]
	switch c.Family {
	case Unknown:
		return c, nil
	case Unix, Inet, Inet6:
	default:
		return Connect{}, errMalformed
	}
	if len(rest) < 2 {
		return Connect{}, errMalformed
	}
	port := binary.BigEndian.Uint16(rest)
	addr, _ := cstring(rest[2:])
	if c.Family == Unix {
		c.Path = addr
		return c, nil
	}
	c.Port = port
	// sendmail writes "IPv6:2001:db8::1".
	if len(addr) > 5 && strings.EqualFold(addr[:5], "IPv6:") {
		addr = addr[5:]
	}
	a, err := netip.ParseAddr(addr)
	if err != nil {
		// Postfix < 3.2 sent "unknown" here for clients it had lost.
		c.Family, c.Port = Unknown, 0
		return c, nil
	}
	c.Addr = a.Unmap().WithZone("")
	return c, nil
}

// parsePath reads the argument of MAIL or RCPT. Postfix's cleanup sends an empty string
// for the null path of its own bounces.
func parsePath(p []byte) (Path, error) {
	if len(p) == 0 {
		return Path{}, errMalformed
	}
	addr, rest := cstring(p)
	if addr == "" {
		addr = "<>"
	}
	path := Path{Addr: addr}
	for len(rest) > 0 && len(path.Args) < maxArgs {
		var a string
		if a, rest = cstring(rest); a != "" {
			path.Args = append(path.Args, a)
		}
	}
	return path, nil
}

// parseHeader splits a header field. A NUL inside of the value stays in it.
func parseHeader(p []byte) (name, value string, err error) {
	i := bytes.IndexByte(p, 0)
	if i <= 0 {
		return "", "", errMalformed
	}
	return string(p[:i]), string(bytes.TrimSuffix(p[i+1:], []byte{0})), nil
}

// macroStages are the commands that macros can belong to, in the order of a session.
const macroStages = "CHMRTLNBEU"

// macros keeps the macro packets of each stage as they came and looks names up in
// them; a message needs only a few of the many that an MTA may send.
type macros [len(macroStages)][]byte

// set takes the payload of SMFIC_MACRO. Macros of later stages are of the past then.
func (m *macros) set(p []byte) error {
	if len(p) == 0 {
		return errMalformed
	}
	i := strings.IndexByte(macroStages, p[0])
	if i < 0 {
		return nil // a stage that this version doesn't know
	}
	m.forget(i)
	m[i] = append(m[i], p[1:min(len(p), maxMacros)]...)
	return nil
}

// reached drops the macros of stages after that of an SMTP command, as libmilter does:
// what they say is of the past.
func (m *macros) reached(cmd byte) {
	if i := strings.IndexByte(macroStages[:5], cmd); i >= 0 {
		m.forget(i + 1)
	}
}

// forget drops the macros of a stage and of those after it.
func (m *macros) forget(stage int) {
	for i := stage; i < len(m); i++ {
		m[i] = m[i][:0]
		if cap(m[i]) > 1024 {
			m[i] = nil // an idle connection keeps little
		}
	}
}

// forgetMessage drops what belongs to one message.
func (m *macros) forgetMessage() { m.forget(strings.IndexByte(macroStages, cmdMail)) }

func (m *macros) get(name string) (string, bool) {
	for i := len(m) - 1; i >= 0; i-- {
		for p := m[i]; len(p) > 0; {
			j := bytes.IndexByte(p, 0)
			if j < 0 {
				break
			}
			key := p[:j]
			p = p[j+1:]
			if j = bytes.IndexByte(p, 0); j < 0 {
				j = len(p)
			}
			if string(key) == name {
				return string(p[:j]), true
			}
			p = p[min(j+1, len(p)):]
		}
	}
	return "", false
}
