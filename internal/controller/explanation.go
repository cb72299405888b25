package controller

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"rmilter/internal/filter"
	"rmilter/internal/policy"
)

// MissingSender is what Explanation.Missing has when nobody told the sender.
const MissingSender = "the sender of the envelope"

// maxShown bounds the recipients that an explanation lists.
const maxShown = 100

// An Explanation tells how a reply came about.
type Explanation struct {
	ID          string        `json:"id"`
	Size        int64         `json:"size"`              // bytes
	Inspected   bool          `json:"inspected"`         // it was only asked for: nothing is counted or remembered
	Skipped     string        `json:"skipped,omitempty"` // why as mail it is not scanned: ours, client_whitelist, whitelist
	Flags       []string      `json:"flags,omitempty"`   // as in the log line
	DryRun      bool          `json:"dry_run"`           // of mail nothing is carried out
	Trust       string        `json:"trust"`             // what the client is to us, as in the log line
	IP          string        `json:"ip,omitempty"`
	Hostname    string        `json:"hostname,omitempty"`
	Helo        string        `json:"helo,omitempty"`
	User        string        `json:"user,omitempty"`
	TLS         string        `json:"tls,omitempty"`
	From        string        `json:"from"`
	Subject     string        `json:"subject"`         // decoded
	Rows        []Row         `json:"rows"`            // what the score is made of; never null
	Shares      []ShareOf     `json:"settings"`        // of the recipients; never null
	Passthrough *Demand       `json:"passthrough"`     // what forces the action; null when the score leads to it
	Softened    string        `json:"softened"`        // the action that the score or the demand leads to, when the client's trust makes it a milder one
	Reply       string        `json:"reply,omitempty"` // the refusal that the SMTP client gets
	Edits       []HeaderEdit  `json:"edits"`           // never null
	Missing     []string      `json:"missing"`         // what the client did not tell, in sentences; never null
	Checks      []CheckResult `json:"checks"`          // that ran, in order; never null
}

// A Row is a symbol with what it adds to the score, also where that is nothing.
type Row struct {
	Symbol      string   `json:"symbol"`
	Score       float64  `json:"score"`                // what it adds
	Full        float64  `json:"full"`                 // what it would add without RemovedBy
	Metric      float64  `json:"metric_score"`         // what it counts for once
	RemovedBy   string   `json:"removed_by,omitempty"` // the composite that stands for it
	Hidden      bool     `json:"hidden"`               // only explanations show it
	Group       string   `json:"group"`
	Check       string   `json:"check,omitempty"` // that reported it; a composite has none
	Description string   `json:"description"`
	Options     []string `json:"options,omitempty"` // the evidence
}

// A ShareOf is what some recipients' settings lead to.
type ShareOf struct {
	Name        string             `json:"name"`
	Recipients  []string           `json:"recipients"` // a hundred at most; never null
	Count       int                `json:"count"`      // of the recipients
	Skip        bool               `json:"skip"`       // they want no checks, which counts if all do
	NeverReject bool               `json:"never_reject"`
	Thresholds  map[string]float64 `json:"thresholds"`
	Score       float64            `json:"score"`
	Action      string             `json:"action"`
	Counts      bool               `json:"counts"` // the message gets this action
}

// A Demand is an action that a check wants whatever the score is.
type Demand struct {
	Action  string `json:"action"`
	Source  string `json:"source"`
	Message string `json:"message,omitempty"`
}

// A HeaderEdit is a change to the message, in the order of carrying out.
type HeaderEdit struct {
	Op    string `json:"op"` // delete, change, add, insert, add recipient, quarantine
	Index int    `json:"index,omitempty"`
	Name  string `json:"name,omitempty"`
	Value string `json:"value,omitempty"`
}

// A CheckResult is what became of a check.
type CheckResult struct {
	Name   string  `json:"name"`
	Time   float64 `json:"time"` // microseconds
	Failed string  `json:"failed,omitempty"`
}

// notKnown tells what could not be found out.
func notKnown(q *request, r *filter.Result) []string {
	all := slices.Clone(q.notes)
	if r.Report != nil {
		for _, name := range slices.Sorted(maps.Keys(r.Report.Failed)) {
			all = append(all, fmt.Sprintf("check %s: %s", name, r.Report.Failed[name]))
		}
	}
	return all
}

// explain makes the explanation of a result.
func explain(f *filter.Filter, q *request, r *filter.Result) *Explanation {
	e, v := &r.Envelope, &r.Verdict
	x := &Explanation{
		ID: e.ID, Size: r.Size, Inspected: e.Inspect, Skipped: r.Skipped, Flags: r.Flags, DryRun: f.DryRun(),
		Trust: e.Trust.String(), Hostname: e.Hostname, Helo: e.Helo, User: e.User, TLS: e.TLS, From: e.From.String(),
		Subject: r.Message.Subject(),
		Rows:    rows(f, v),
		Shares:  []ShareOf{}, Edits: []HeaderEdit{}, Missing: []string{}, Checks: []CheckResult{},
	}
	if e.ClientIP.IsValid() {
		x.IP = e.ClientIP.String()
	}
	for i := range r.Shares {
		x.Shares = append(x.Shares, share(&r.Shares[i], v, e.Inspect))
	}
	if p := v.Passthrough; p != nil {
		x.Passthrough = &Demand{p.Action.String(), p.Source, p.Message}
	}
	if v.Reached != v.Action {
		x.Softened = v.Reached.String()
	}
	if v.Reply.Code != 0 {
		x.Reply = fmt.Sprintf("%d %s %s", v.Reply.Code, v.Reply.Enhanced, v.Reply.Text)
	}
	ops := map[policy.EditKind]string{policy.DeleteHeader: "delete", policy.ChangeHeader: "change", policy.AddHeader: "add",
		policy.InsertHeader: "insert", policy.AddRcpt: "add recipient", policy.Quarantine: "quarantine"}
	for _, edit := range v.Edits {
		x.Edits = append(x.Edits, HeaderEdit{ops[edit.Kind], edit.Index, edit.Name, edit.Value})
	}
	x.missing(q, r)
	if r.Report != nil {
		for _, t := range r.Report.Times {
			c := CheckResult{Name: t.Check, Time: round(float64(t.Took.Nanoseconds()) / 1000)}
			if err := r.Report.Failed[t.Check]; err != nil {
				c.Failed = err.Error()
			}
			x.Checks = append(x.Checks, c)
		}
	}
	return x
}

// missing tells what checks could not look at, as nobody told it.
func (x *Explanation) missing(q *request, r *filter.Result) {
	e := &r.Envelope
	for _, m := range []struct {
		absent bool
		text   string
	}{
		{!e.ClientIP.IsValid(), "the client's address"},
		{e.ClientIP.IsValid() && e.Hostname == "", "the client's name"},
		{e.Helo == "", "the HELO"},
		{!q.sender, MissingSender},
		{r.NRcpt == 0, "the recipients"},
	} {
		if m.absent {
			x.Missing = append(x.Missing, m.text)
		}
	}
}

// rows renders the rows of a score.
func rows(f *filter.Filter, v *policy.Verdict) []Row {
	all := []Row{}
	if v.Counted == nil {
		return all
	}
	checks := map[string]string{}
	for _, l := range f.Symbols() {
		checks[l.Symbol.Name] = l.Check
	}
	for _, r := range v.Rows {
		all = append(all, Row{
			Symbol: r.Symbol.Name, Score: round(r.Weight), Full: round(r.Full), Metric: v.Counted.Weights.Weight(r.Symbol),
			RemovedBy: r.RemovedBy, Hidden: r.Hidden, Group: r.Symbol.Group, Check: checks[r.Symbol.Name], Description: r.Symbol.Doc, Options: r.Details,
		})
	}
	return all
}

// share renders what some recipients' settings lead to.
func share(s *filter.Share, v *policy.Verdict, inspected bool) ShareOf {
	settings := s.Settings
	if inspected {
		settings.Skip = false // it doesn't count then
	}
	out := ShareOf{
		Name: s.Settings.Name, Recipients: []string{}, Count: len(s.Rcpts), Skip: s.Settings.Skip, NeverReject: s.Settings.NeverReject,
		Thresholds: map[string]float64{}, Score: s.Verdict.Score, Action: s.Verdict.Action.String(),
		Counts: v.Counted != nil && settings.Same(v.Counted),
	}
	for action, score := range s.Settings.Thresholds {
		if !math.IsNaN(score) {
			out.Thresholds[action.String()] = score
		}
	}
	for _, rcpt := range s.Rcpts[:min(len(s.Rcpts), maxShown)] {
		out.Recipients = append(out.Recipients, rcpt.String())
	}
	return out
}
