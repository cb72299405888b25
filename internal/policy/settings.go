package policy

import (
	"maps"
	"math"

	"rmilter/internal/ucl"
	"rmilter/scan"
)

// DefaultSettings is the name of the settings that recipients have whom no settings
// block lists.
const DefaultSettings = "default"

// Settings are what may differ between the recipients of one message.
type Settings struct {
	Name        string          // DefaultSettings, or the settings block's name
	Skip        bool            // this recipient wants no checks; holds only when every recipient does
	Thresholds  scan.Thresholds // scores from which an action is taken
	NeverReject bool            // a reject is turned into the spam header
	Weights     *scan.Weights   // what symbols count for
}

// Same tells whether two settings lead to the same verdicts, whatever their names.
func (s *Settings) Same(t *Settings) bool {
	return s == t || s.Skip == t.Skip && s.NeverReject == t.NeverReject && s.Weights == t.Weights &&
		maps.EqualFunc(s.Thresholds, t.Thresholds, func(a, b float64) bool {
			return a == b || math.IsNaN(a) && math.IsNaN(b)
		})
}

// A Book holds the settings of all recipients, worked out once for a configuration. It
// never changes and is safe for concurrent use.
type Book struct {
	blocks []bookBlock
	others Settings // of recipients whom no block lists
}

// A bookBlock is a settings block.
type bookBlock struct {
	rcpt ucl.Recipients
	Settings
}

// Book returns the settings of all recipients. The weights are those of the main
// sections, which a block may change.
func (c *Config) Book(w *scan.Weights) *Book {
	b := &Book{others: Settings{
		Name:        DefaultSettings,
		Thresholds:  c.Actions.over(Actions{}),
		NeverReject: bool(c.NeverReject),
		Weights:     w,
	}}
	for _, block := range c.Blocks {
		never := c.NeverReject
		if block.NeverReject != nil {
			never = *block.NeverReject
		}
		b.blocks = append(b.blocks, bookBlock{block.Rcpt, Settings{
			Name:        block.Name,
			Skip:        !bool(block.Enable),
			Thresholds:  block.Actions.over(c.Actions),
			NeverReject: bool(never),
			Weights:     block.weights(w),
		}})
	}
	return b
}

// For returns the settings of a recipient: those of the first block that lists it,
// else those of the main sections under the name DefaultSettings. Both parts of the
// address are lower-case, the domain as A-labels.
func (b *Book) For(local, domain string) *Settings {
	for i := range b.blocks {
		if b.blocks[i].rcpt.Match(local, domain) {
			return &b.blocks[i].Settings
		}
	}
	return &b.others
}

// Named returns the settings of a block, or those of the main sections under the name
// DefaultSettings; false when there is no block of that name.
func (b *Book) Named(name string) (*Settings, bool) {
	if name == DefaultSettings {
		return &b.others, true
	}
	for i := range b.blocks {
		if b.blocks[i].Name == name {
			return &b.blocks[i].Settings, true
		}
	}
	return nil, false
}

// symbols declares the block of weights within a settings block.
func (b *Block) symbols() *ucl.Section {
	sections := map[string]*ucl.Section{}
	return &ucl.Section{
		Name: "symbols",
		Key:  "NAME",
		Doc:  "What symbols weigh for these recipients, as far as that differs.",
		Repeat: func(key string) *ucl.Section {
			if key == "" {
				return nil
			}
			s := sections[key]
			if s == nil {
				score := new(ucl.Float)
				b.Scores[key] = score
				s = &ucl.Section{Name: "symbols", Key: "NAME", Options: []ucl.Option{
					{Name: "weight", Aliases: []string{"score"}, Value: score, Required: true, Example: "2.5", Doc: "What it adds to the score."},
				}}
				sections[key] = s
			}
			return s
		},
	}
}

// weights returns the weights of the main sections as the block changes them.
func (b *Block) weights(w *scan.Weights) *scan.Weights {
	scores := map[string]float64{}
	for name, score := range b.Scores {
		scores[name] = float64(*score)
	}
	for _, name := range b.SymbolsOff {
		scores[name] = math.NaN()
	}
	return w.With(scores, b.GroupsOff)
}
