package controller

import (
	"encoding/json"
	"math"
	"net"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/idna"

	"rmilter/internal/filter"
	"rmilter/internal/mail"
	"rmilter/internal/policy"
	"rmilter/scan"
)

// A Reply is the answer to a scan request as rspamd's /checkv2 has it. NotKnown,
// DryRun and Explanation are our own. The names in its JSON form are a contract.
type Reply struct {
	Skipped     bool                   `json:"is_skipped"`           // it was not scanned
	Score       float64                `json:"score"`                // the sum of the symbols' scores, rounded to hundredths
	Required    float64                `json:"required_score"`       // the threshold of reject, or else the highest that there is; 0 for none
	Action      string                 `json:"action"`               // what is to be done
	Thresholds  map[string]float64     `json:"thresholds,omitempty"` // by action
	Symbols     map[string]SymbolScore `json:"symbols"`              // never null
	Groups      map[string]GroupScore  `json:"groups,omitempty"`     // with flag groups
	Subject     string                 `json:"subject,omitempty"`    // the new one, encoded, with action rewrite subject
	Reject      string                 `json:"reject,omitempty"`     // discard or quarantine
	Passthrough string                 `json:"passthrough_module,omitempty"`
	Messages    map[string]string      `json:"messages"` // smtp_message is for the SMTP client; never null
	*Links
	Profile     map[string]float64 `json:"profile,omitempty"`    // microseconds by check, with flag profile
	MessageID   string             `json:"message-id,omitempty"` // without angle brackets; undef when there is none
	QueueID     string             `json:"queue-id,omitempty"`
	Time        float64            `json:"time_real"` // seconds
	Milter      Milter             `json:"milter"`
	NotKnown    []string           `json:"not_known,omitempty"`   // what could not be found out, in sentences
	DryRun      string             `json:"dry_run,omitempty"`     // the action that is not carried out, as dry_run is on
	Explanation *Explanation       `json:"explanation,omitempty"` // with flag explain
}

// A SymbolScore is a symbol that was seen.
type SymbolScore struct {
	Name        string   `json:"name"`
	Score       float64  `json:"score"`        // what it adds to the score of the message
	Metric      float64  `json:"metric_score"` // what it counts for once
	Description string   `json:"description,omitempty"`
	Options     []string `json:"options,omitempty"` // the evidence
}

// A GroupScore is what the symbols of a group add to the score.
type GroupScore struct {
	Score       float64 `json:"score"`
	Description string  `json:"description,omitempty"`
}

// Links are what a message refers to. They are there when there is any.
type Links struct {
	URLs   []URL    `json:"urls"`
	Emails []string `json:"emails"`
}

// A URL is one that a message refers to. Its JSON form is the host alone if URL is
// empty.
type URL struct {
	URL   string   `json:"url"`
	TLD   string   `json:"tld"` // the part of the host that its owner has registered
	Host  string   `json:"host"`
	Flags []string `json:"flags"` // text, image
}

// MarshalJSON implements json.Marshaler.
func (u URL) MarshalJSON() ([]byte, error) {
	if u.URL == "" {
		return json.Marshal(u.Host)
	}
	type plain URL
	return json.Marshal(plain(u))
}

// UnmarshalJSON implements json.Unmarshaler.
func (u *URL) UnmarshalJSON(b []byte) error {
	*u = URL{}
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &u.Host)
	}
	type plain URL
	return json.Unmarshal(b, (*plain)(u))
}

// A Milter is what is to be changed in a message.
type Milter struct {
	Add     map[string]AddedFields `json:"add_headers,omitempty"`
	Remove  map[string]int         `json:"remove_headers,omitempty"` // 0 is all fields of the name, 1 the first
	AddRcpt []string               `json:"add_rcpt,omitempty"`
	Reject  string                 `json:"reject,omitempty"` // discard or quarantine
}

// An AddedField is a header field to be added.
type AddedField struct {
	Value string `json:"value"`
	Order int    `json:"order"` // position from the top, -1 for the end
}

// AddedFields are those of one name. Their JSON form is an object if there is one.
type AddedFields []AddedField

// MarshalJSON implements json.Marshaler.
func (a AddedFields) MarshalJSON() ([]byte, error) {
	if len(a) == 1 {
		return json.Marshal(a[0])
	}
	return json.Marshal([]AddedField(a))
}

// UnmarshalJSON implements json.Unmarshaler.
func (a *AddedFields) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		return json.Unmarshal(b, (*[]AddedField)(a))
	}
	*a = make(AddedFields, 1)
	return json.Unmarshal(b, &(*a)[0])
}

// newReply makes the reply to a request.
func newReply(f *filter.Filter, q *request, r *filter.Result) *Reply {
	v := &r.Verdict
	a := emptyReply(f)
	a.Skipped = r.Report == nil
	a.Score, a.Action = v.Score, v.Action.String()
	if v.DryRun {
		a.DryRun, a.Action = a.Action, scan.NoAction.String()
	}
	if v.Counted != nil {
		a.thresholds(v.Counted.Thresholds)
		a.symbols(v, q.flags["groups"])
	}
	if v.Action == scan.Discard || v.Action == scan.Quarantine {
		a.Reject = a.Action
		if v.DryRun {
			a.Reject = ""
		}
	}
	if v.Passthrough != nil {
		a.Passthrough = v.Passthrough.Source
	}
	if v.Reply.Code != 0 {
		a.Messages["smtp_message"] = v.Reply.Text
	}
	a.edits(v, lineEnd(q, r.Message))
	if v.Action == scan.RewriteSubject && !v.DryRun && a.Subject == "" {
		a.Subject = r.Message.Header().Get("Subject") // it bears the mark already
	}
	a.Links = links(r.Message, q.flags["ext_urls"])
	if q.flags["profile"] && r.Report != nil {
		a.Profile = map[string]float64{}
		for _, t := range r.Report.Times {
			a.Profile[t.Check] = round(float64(t.Took.Nanoseconds()) / 1000)
		}
	}
	if a.MessageID, _ = r.Message.MessageID(); a.MessageID == "" {
		a.MessageID = "undef"
	}
	a.QueueID, a.Time = r.Envelope.QueueID, round(r.Took.Seconds())
	a.NotKnown = notKnown(q, r)
	if q.flags["explain"] {
		a.Explanation = explain(f, q, r)
	}
	return a
}

// emptyReply is the reply to a message without a byte.
func emptyReply(f *filter.Filter) *Reply {
	a := &Reply{Action: scan.NoAction.String(), Symbols: map[string]SymbolScore{}, Messages: map[string]string{}}
	a.thresholds(f.Thresholds())
	return a
}

// thresholds tells the scores from which actions are taken.
func (a *Reply) thresholds(t scan.Thresholds) {
	a.Thresholds, a.Required = map[string]float64{}, 0
	severest := scan.NoAction
	for action, score := range t {
		if math.IsNaN(score) {
			continue
		}
		a.Thresholds[action.String()] = score
		switch {
		case severest == scan.Reject:
		case action == scan.Reject || action > severest:
			severest, a.Required = action, score
		}
	}
}

// symbols tells the rows of the score, but for those that a composite stands for.
func (a *Reply) symbols(v *policy.Verdict, groups bool) {
	if groups {
		a.Groups = map[string]GroupScore{}
	}
	for _, r := range v.Rows {
		if r.Hidden && r.Weight == 0 {
			continue
		}
		a.Symbols[r.Symbol.Name] = SymbolScore{
			Name:        r.Symbol.Name,
			Score:       round(r.Weight),
			Metric:      v.Counted.Weights.Weight(r.Symbol),
			Description: r.Symbol.Doc,
			Options:     r.Details,
		}
		if groups {
			g := a.Groups[r.Symbol.Group]
			g.Score = round(g.Score + r.Weight)
			a.Groups[r.Symbol.Group] = g
		}
	}
}

// round takes the noise off a number.
func round(v float64) float64 {
	if v = math.Round(v*1e6) / 1e6; v == 0 {
		return 0 // never -0
	}
	return v
}

// lineEnd returns what folded header fields are folded with.
func lineEnd(q *request, m *mail.Message) string {
	raw := m.Raw()
	if i := slices.Index(raw, '\n'); q.flags["milter"] || i == 0 || i > 0 && raw[i-1] != '\r' {
		return "\n"
	}
	return "\r\n"
}

// edits tells what is to be changed. The subject has a place of its own.
func (a *Reply) edits(v *policy.Verdict, eol string) {
	m := &a.Milter
	m.Reject = a.Reject
	for _, e := range v.Edits {
		value := strings.ReplaceAll(e.Value, "\n", eol)
		switch {
		case strings.EqualFold(e.Name, "Subject"):
			if a.Subject == "" {
				a.Subject = strings.ReplaceAll(e.Value, "\n", "")
			}
		case e.Kind == policy.DeleteHeader:
			m.remove(e.Name)
		case e.Kind == policy.AddHeader:
			m.add(e.Name, AddedField{value, -1})
		case e.Kind == policy.InsertHeader:
			m.add(e.Name, AddedField{value, e.Index})
		case e.Kind == policy.AddRcpt:
			m.AddRcpt = append(m.AddRcpt, e.Value)
		}
	}
}

// remove has all fields of a name removed: the policy deletes no single ones.
func (m *Milter) remove(name string) {
	for known := range m.Remove {
		if strings.EqualFold(known, name) {
			return
		}
	}
	if m.Remove == nil {
		m.Remove = map[string]int{}
	}
	m.Remove[name] = 0
}

func (m *Milter) add(name string, f AddedField) {
	if m.Add == nil {
		m.Add = map[string]AddedFields{}
	}
	m.Add[name] = append(m.Add[name], f)
}

// Bounds of links.
const (
	maxLinks = 1000
	maxURL   = 2048 // bytes
)

// links returns what a message refers to, each once and in order; nil for nothing.
func links(m *mail.Message, extended bool) *Links {
	l := &Links{URLs: []URL{}, Emails: []string{}}
	seen := map[string]bool{}
	for _, link := range m.Links() {
		if address, ok := strings.CutPrefix(link.URL, "mailto:"); ok {
			address, _, _ = strings.Cut(address, "?")
			if len(l.Emails) < maxLinks && address != "" && len(address) <= maxURL && !seen["@"+address] {
				seen["@"+address] = true
				l.Emails = append(l.Emails, address)
			}
			continue
		}
		u, ok := newURL(link)
		if !extended {
			u = URL{Host: u.Host}
		}
		if key := u.URL + " " + u.Host; ok && len(l.URLs) < maxLinks && !seen[key] {
			seen[key] = true
			l.URLs = append(l.URLs, u)
		}
	}
	if len(l.URLs)+len(l.Emails) == 0 {
		return nil
	}
	return l
}

// newURL takes a link apart; false when it leads to no host.
func newURL(link mail.Link) (URL, bool) {
	if len(link.URL) > maxURL {
		return URL{}, false
	}
	u, err := url.Parse(link.URL)
	if err != nil || u.Hostname() == "" {
		return URL{}, false
	}
	host := strings.ToLower(u.Hostname())
	if a, err := idna.Lookup.ToASCII(host); err == nil {
		host = a
	}
	out := URL{URL: link.URL, Host: host, TLD: host, Flags: []string{}}
	if net.ParseIP(host) == nil {
		out.TLD = mail.RegisteredDomain(host)
	}
	switch link.Kind {
	case mail.LinkText:
		out.Flags = append(out.Flags, "text")
	case mail.LinkImage:
		out.Flags = append(out.Flags, "image")
	}
	return out, true
}

// firstReply returns the reply in the form that rspamd's first version had.
func (a *Reply) firstReply() any {
	spam := map[string]bool{"reject": true, "soft reject": true, "rewrite subject": true, "add header": true, "quarantine": true, "discard": true}
	metric := map[string]any{"is_spam": spam[a.Action], "is_skipped": a.Skipped, "score": a.Score, "required_score": a.Required, "action": a.Action}
	if a.Subject != "" {
		metric["subject"] = a.Subject
	}
	for name, s := range a.Symbols {
		entry := map[string]any{"name": s.Name, "score": s.Score}
		if s.Description != "" {
			entry["description"] = s.Description
		}
		if s.Options != nil {
			entry["options"] = s.Options
		}
		metric[name] = entry
	}
	return struct {
		Default  map[string]any        `json:"default"`
		Groups   map[string]GroupScore `json:"groups,omitempty"`
		Messages map[string]string     `json:"messages"`
		*Links
		Profile   map[string]float64 `json:"profile,omitempty"`
		MessageID string             `json:"message-id,omitempty"`
		QueueID   string             `json:"queue-id,omitempty"`
		Time      float64            `json:"time_real"`
		Milter    Milter             `json:"rmilter"`
		NotKnown  []string           `json:"not_known,omitempty"`
	}{metric, a.Groups, a.Messages, a.Links, a.Profile, a.MessageID, a.QueueID, a.Time, a.Milter, a.NotKnown}
}
