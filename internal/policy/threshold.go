package policy

import (
	"strings"

	"rmilter/internal/ucl"
)

// A Threshold is the score from which an action is taken. The zero Threshold is
// never.
type Threshold struct {
	kind  thresholdKind
	score float64
}

type thresholdKind byte

const (
	never   thresholdKind = iota
	at                    // from score on
	inherit               // as the main section has it
)

// At returns the threshold at a score.
func At(score float64) Threshold { return Threshold{kind: at, score: score} }

// Score returns the score, false when there is none.
func (t Threshold) Score() (float64, bool) { return t.score, t.kind == at }

// A thresholdValue reads a Threshold.
type thresholdValue struct {
	t       *Threshold
	inherit bool // "default" may stand for the main section's
}

// Set implements ucl.Value.
func (v *thresholdValue) Set(n *ucl.Node, add bool) error {
	text, err := n.Word()
	if err != nil {
		return err
	}
	switch strings.ToLower(text) {
	case "off", "no", "null", "none", "never":
		*v.t = Threshold{}
		return nil
	case "default":
		if v.inherit {
			*v.t = Threshold{kind: inherit}
			return nil
		}
	}
	var f ucl.Float
	if f.Set(n, add) != nil {
		expected := "a score as in 6.5, or off"
		if v.inherit {
			expected = "a score as in 6.5, off or default"
		}
		return n.Errorf("%.80q is not a threshold; expected %s", text, expected)
	}
	*v.t = At(float64(f))
	return nil
}

// String returns the threshold as the file has it.
func (v *thresholdValue) String() string {
	switch v.t.kind {
	case at:
		return ucl.Float(v.t.score).String()
	case inherit:
		return "default"
	}
	return "off"
}
