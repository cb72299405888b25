package policy

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"rmilter/internal/authres"
	"rmilter/internal/mail"
	"rmilter/scan"
)

// maxForeign bounds the fields that are deleted from one message. The MTA walks its
// whole header for each of them.
const maxForeign = 1000

// Bounds of X-Spamd-Result, in bytes.
const (
	maxResult  = 8000
	maxSymbol  = 100
	maxOptions = 500
	maxOption  = 100
)

// foreignFields returns the deletions of all fields that look like ours or like
// another filter's, whoever wrote them, and of each Authentication-Results that claims to
// be ours, which none can be that comes with a message (RFC 8601, section 5): of each name from the highest index down, so
// that a deletion doesn't shift the others. flood tells that there are more than
// maxForeign, and the rest is left.
func foreignFields(h mail.Header, spamHeader, authservID string) (edits []Edit, flood bool) {
	type spot struct {
		name  string
		index int
	}
	var spots []spot
	count, service := map[string]int{}, authres.ServiceOf(authservID)
	for _, f := range h {
		name := mail.LowerASCII(f.Name)
		count[name]++ // those of others that stay count, too
		if foreign(name, mail.LowerASCII(spamHeader)) || name == "authentication-results" && service.Claims(f.Raw) {
			spots = append(spots, spot{f.Name, count[name]})
		}
	}
	for _, s := range slices.Backward(spots) {
		if len(edits) == maxForeign {
			return edits, true
		}
		edits = append(edits, Edit{Kind: DeleteHeader, Index: s.index, Name: s.name})
	}
	return edits, false
}

// foreign tells whether a field of this lower-case name is deleted.
func foreign(name, spamHeader string) bool {
	return name == spamHeader ||
		strings.HasPrefix(name, "x-spam") ||
		strings.HasPrefix(name, "x-rspamd-") ||
		strings.HasPrefix(name, "x-rmilter-")
}

// authentication returns our Authentication-Results.
func (d *decision) authentication() []Edit {
	if len(d.f.Auth) == 0 || !bool(d.c.AuthResults) {
		return nil
	}
	h := authres.Header{ID: d.authservID(), Results: d.f.Auth}
	return []Edit{{Kind: InsertHeader, Index: OnTop, Name: authres.Name, Value: h.Format()}}
}

// authservID returns the name under which we say what we found. A machine whose name
// can't be one is localhost, as one without a name is.
func (d *decision) authservID() string {
	if id := string(d.c.AuthservID); id != "" {
		return id
	}
	if id, ok := authres.ServiceID(d.f.Hostname); ok {
		return id
	}
	return "localhost"
}

// extended returns the fields that tell about the scan.
func (d *decision) extended() []Edit {
	r := d.f.Report
	if r == nil {
		return nil
	}
	add := func(name, value string) Edit { return Edit{Kind: AddHeader, Name: name, Value: value} }
	edits := []Edit{add("X-Spamd-Result", result(d.score, d.required))}
	if host := printable(d.f.Hostname, 255); host != "" {
		edits = append(edits, add("X-Rspamd-Server", host))
	}
	edits = append(edits, add("X-Rspamd-Scan-Time", fmt.Sprintf("%.2f", r.Took.Seconds())))
	if id := printable(d.f.Envelope.QueueID, 100); id != "" {
		edits = append(edits, add("X-Rspamd-Queue-ID", id))
	}
	return edits
}

// result returns the value of X-Spamd-Result: score, required score and the symbols,
// those that weigh most first. What doesn't fit is left out.
func result(s scan.Score, required float64) string {
	var b strings.Builder
	verdict := "False"
	if required != 0 && s.Total > required {
		verdict = "True"
	}
	fmt.Fprintf(&b, "default: %s [%s / %s]", verdict, points(s.Total), points(required))
	rows := slices.Clone(s.Rows)
	slices.SortStableFunc(rows, func(x, y scan.Row) int {
		return cmp.Compare(math.Abs(y.Weight), math.Abs(x.Weight))
	})
	for _, r := range rows {
		if r.Hidden {
			continue
		}
		line := fmt.Sprintf("\n\t%s(%s)[%s]", printable(r.Symbol.Name, maxSymbol), points(r.Weight), options(r.Details))
		if b.Len()+len(line) > maxResult {
			break
		}
		b.WriteString(line)
	}
	return b.String()
}

// options joins the evidence of a finding.
func options(details []string) string {
	var b strings.Builder
	for i, o := range details {
		o = printable(o, maxOption)
		if b.Len()+len(o)+2 > maxOptions {
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(o)
	}
	return b.String()
}

// points writes a score with two decimals, never "-0.00".
func points(v float64) string {
	if v = math.Round(v*100) / 100; v == 0 {
		v = 0
	}
	return fmt.Sprintf("%.2f", v)
}
