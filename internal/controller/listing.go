package controller

import (
	"cmp"
	"maps"
	"net/http"
	"slices"

	"rmilter/scan"
)

// A symbolGroup is a group of symbols as rspamd's /symbols has it.
type symbolGroup struct {
	Group string       `json:"group"`
	Rules []symbolRule `json:"rules"`
}

// A symbolRule is a symbol with what it counts for.
type symbolRule struct {
	Symbol      string  `json:"symbol"`
	Weight      float64 `json:"weight"`
	Description string  `json:"description,omitempty"`
}

// listSymbols lists the symbols that a message may get, by group.
func (s *Server) listSymbols(w http.ResponseWriter, _ *http.Request) {
	groups := map[string][]symbolRule{}
	for _, l := range s.scans.filter().Symbols() {
		groups[l.Symbol.Group] = append(groups[l.Symbol.Group], symbolRule{l.Symbol.Name, l.Weight, l.Symbol.Doc})
	}
	all := []symbolGroup{}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		slices.SortFunc(groups[name], func(a, b symbolRule) int { return cmp.Compare(a.Symbol, b.Symbol) })
		all = append(all, symbolGroup{name, groups[name]})
	}
	writeJSON(w, http.StatusOK, all)
}

// An actionValue is an action with its threshold, null for none, as rspamd's /actions
// has it.
type actionValue struct {
	Action string   `json:"action"`
	Value  *float64 `json:"value"`
}

// listActions lists the actions and the scores from which they are taken.
func (s *Server) listActions(w http.ResponseWriter, _ *http.Request) {
	thresholds := s.scans.filter().Thresholds()
	all := []actionValue{}
	for _, a := range []scan.Action{scan.Greylist, scan.AddHeader, scan.Reject, scan.SoftReject, scan.RewriteSubject, scan.Quarantine, scan.Discard, scan.NoAction} {
		v := actionValue{Action: a.String()}
		if score, ok := thresholds[a]; ok && score == score { // not NaN
			v.Value = &score
		}
		all = append(all, v)
	}
	writeJSON(w, http.StatusOK, all)
}
