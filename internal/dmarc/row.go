package dmarc

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"rmilter/internal/mail"
)

// Bounds of a row: signatures, and bytes of one value.
const (
	maxRowDKIM  = 10
	maxRowValue = 255
	maxKey      = 16 << 10
)

// An Override is why something else was done than the policy asks (RFC 7489, appendix C).
type Override string

// The overrides. The zero value is none.
const (
	Forwarded        Override = "forwarded"
	SampledOut       Override = "sampled_out"
	TrustedForwarder Override = "trusted_forwarder"
	MailingList      Override = "mailing_list"
	LocalPolicy      Override = "local_policy"
	Other            Override = "other"
)

// A Row is what an aggregate report says of messages that are alike (RFC 7489, section
// 7.2 and appendix C). Messages are alike when their rows have the same Key; the report
// has their number.
type Row struct {
	// What the domain owner publishes.
	At        string // the domain with the record
	Policy    Policy // p=
	Subdomain Policy // sp=; Policy when the record has none
	SPFMode   Mode   // aspf=
	DKIMMode  Mode   // adkim=
	Percent   int    // pct=
	Failure   string // fo=

	// What was found.
	Source       netip.Addr // the client
	From         string     // the domain of the From field
	EnvelopeFrom string     // the domain of MAIL FROM; "" for the null path
	EnvelopeTo   string     // the domain of the recipient; may be ""
	SPF          Identifier // zero when SPF wasn't checked
	DKIM         []Identifier

	// What it came to.
	SPFAligned  bool
	DKIMAligned bool
	Disposition Policy   // what was done in the end
	Override    Override // why it isn't what the policy asks
}

// NewRow returns the row of a message whose policy was found. The caller adds the
// envelope's domains, and another Disposition with its Override if he doesn't do as the
// policy asks.
func NewRow(source netip.Addr, q Query, r Result) Row {
	row := Row{
		At: r.At, Policy: r.Record.Policy, Subdomain: cmp.Or(r.Record.Subdomain, r.Record.Policy),
		SPFMode: r.Record.SPF, DKIMMode: r.Record.DKIM, Percent: r.Record.Percent, Failure: r.Record.Failure,
		Source: source.Unmap().WithZone(""), From: r.Domain, SPF: q.SPF,
		SPFAligned: r.SPF != "", DKIMAligned: len(r.DKIM) > 0, Disposition: r.Disposition,
	}
	row.DKIM = append(row.DKIM, q.DKIM[:min(len(q.DKIM), maxRowDKIM)]...)
	if r.SampledOut {
		row.Override = SampledOut
	}
	return row
}

// Key returns the row as one line of printable ASCII without spaces at its ends, the
// same for rows that are alike. ParseRow reads it.
func (r Row) Key() string {
	var b strings.Builder
	put := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, " %s=%s", name, escape(value))
		}
	}
	put("at", r.At)
	put("p", string(r.Policy))
	put("sp", string(r.Subdomain))
	put("aspf", string(r.SPFMode))
	put("adkim", string(r.DKIMMode))
	put("pct", strconv.Itoa(r.Percent))
	put("fo", r.Failure)
	if r.Source.IsValid() {
		put("ip", r.Source.String())
	}
	put("from", r.From)
	put("mfrom", r.EnvelopeFrom)
	put("rcpt", r.EnvelopeTo)
	if r.SPF != (Identifier{}) {
		fmt.Fprintf(&b, " spf=%s", r.SPF.key())
	}
	list := slices.Clone(r.DKIM)
	slices.SortFunc(list, func(a, b Identifier) int { return strings.Compare(a.key(), b.key()) })
	for _, d := range slices.Compact(list) {
		fmt.Fprintf(&b, " dkim=%s", d.key())
	}
	put("aligned", alignment(r.SPFAligned, r.DKIMAligned))
	put("dis", string(r.Disposition))
	put("why", string(r.Override))
	return strings.TrimPrefix(b.String(), " ")
}

// alignment is the value of aligned=.
func alignment(spf, dkim bool) string {
	switch {
	case spf && dkim:
		return "spf,dkim"
	case spf:
		return "spf"
	case dkim:
		return "dkim"
	}
	return ""
}

// escape keeps spaces, commas, slashes, and what isn't printable ASCII out of a value.
func escape(s string) string { return url.QueryEscape(s[:min(len(s), maxRowValue)]) }

// key returns DOMAIN/SELECTOR/SCOPE/RESULT.
func (i Identifier) key() string {
	return strings.Join([]string{escape(i.Domain), escape(i.Selector), escape(i.Scope), escape(i.Result)}, "/")
}

// ParseRow reads what Key returned.
func ParseRow(key string) (Row, error) {
	var r Row
	if len(key) > maxKey {
		return r, fmt.Errorf("row of %d bytes is too long", len(key))
	}
	for field := range strings.SplitSeq(key, " ") {
		name, value, ok := strings.Cut(field, "=")
		if !ok {
			return Row{}, fmt.Errorf("%q is no field of a row", mail.PrintableASCII(field, 40))
		}
		if err := r.set(name, value); err != nil {
			return Row{}, fmt.Errorf("%s: %w", mail.PrintableASCII(field, 80), err)
		}
	}
	if r.At == "" {
		return Row{}, fmt.Errorf("row without a domain")
	}
	return r, nil
}

// set reads one field.
func (r *Row) set(name, raw string) error {
	var err error
	switch name {
	case "spf":
		r.SPF, err = parseIdentifier(raw)
		return err
	case "dkim":
		if len(r.DKIM) == maxRowDKIM {
			return fmt.Errorf("too many signatures")
		}
		id, err := parseIdentifier(raw)
		r.DKIM = append(r.DKIM, id)
		return err
	}
	v, err := unescape(raw)
	if err != nil {
		return err
	}
	switch name {
	case "at":
		r.At = v
	case "p":
		r.Policy = Policy(v)
	case "sp":
		r.Subdomain = Policy(v)
	case "aspf":
		r.SPFMode = Mode(v)
	case "adkim":
		r.DKIMMode = Mode(v)
	case "pct":
		if !setNumber(&r.Percent, v, 100) {
			err = fmt.Errorf("no percentage")
		}
	case "fo":
		r.Failure = v
	case "ip":
		r.Source, err = netip.ParseAddr(v)
	case "from":
		r.From = v
	case "mfrom":
		r.EnvelopeFrom = v
	case "rcpt":
		r.EnvelopeTo = v
	case "aligned":
		r.SPFAligned, r.DKIMAligned = strings.Contains(v, "spf"), strings.Contains(v, "dkim")
	case "dis":
		r.Disposition = Policy(v)
	case "why":
		r.Override = Override(v)
	default:
		err = fmt.Errorf("unknown field")
	}
	return err
}

func parseIdentifier(s string) (Identifier, error) {
	parts := strings.Split(s, "/")
	if len(parts) != 4 {
		return Identifier{}, fmt.Errorf("got %d parts, want 4", len(parts))
	}
	for i, p := range parts {
		v, err := unescape(p)
		if err != nil {
			return Identifier{}, err
		}
		parts[i] = v
	}
	return Identifier{parts[0], parts[1], parts[2], parts[3]}, nil
}

func unescape(s string) (string, error) {
	v, err := url.QueryUnescape(s)
	if err == nil && len(v) > maxRowValue {
		err = fmt.Errorf("value of %d bytes is too long", len(v))
	}
	return v, err
}
