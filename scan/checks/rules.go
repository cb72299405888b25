package checks

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"rmilter/internal/mail"
	"rmilter/internal/match"
	"rmilter/internal/ucl"
	"rmilter/scan"
)

// RulesConfig are the options of Rules.
type RulesConfig struct {
	limit ucl.Size // bytes of the texts of one place that are looked at
	files pathList // patterns of files with rules
	rules *ruleBlocks
}

// Rules looks for the regular expressions of the administrator.
var Rules = &scan.Spec[RulesConfig, struct{}]{
	Name: "rules",
	Doc:  "Regular expressions of your own, each with a symbol and a score.",
	Defaults: func() RulesConfig {
		return RulesConfig{limit: 1 << 20, rules: newRuleBlocks()}
	},
	Options: func(c *RulesConfig) []ucl.Option {
		return []ucl.Option{
			{Name: "limit", Value: ucl.Within(&c.limit, 1<<10, 16<<20), Doc: "How much of the texts of one kind a rule looks at, 1k to 16M. A rule with a costly expression looks at less: no more than takes 0.1 s."},
		}
	},
	Top: func(c *RulesConfig) []ucl.Option {
		return []ucl.Option{
			{Name: "rule_files", Value: &c.files, Gather: true, Example: `"/etc/rmilter/rules.d/*.conf"`, Doc: `Files with further regexp "NAME" { } blocks, as paths or patterns. They are read again when they change; those with faults are not put in force.`},
		}
	},
	TopSections: func(c *RulesConfig) []*ucl.Section { return []*ucl.Section{c.rules.section()} },
	New: func(c RulesConfig, env scan.Env) (scan.Runner[struct{}], error) {
		return &rulesRunner{conf: c, now: env.Now}, nil
	},
}

// ruleBlocks are the blocks `regexp "NAME" { }` of the configuration or of files.
type ruleBlocks struct {
	byName map[string]*ruleConfig
	order  []string
}

func newRuleBlocks() *ruleBlocks { return &ruleBlocks{byName: map[string]*ruleConfig{}} }

// A ruleConfig is one block.
type ruleConfig struct {
	name    string
	section *ucl.Section
	re      expr
	where   place
	field   ucl.String
	score   ucl.Float
	group   ucl.String
	doc     ucl.String
	oneShot ucl.Flag
}

// section declares the blocks.
func (b *ruleBlocks) section() *ucl.Section {
	return &ucl.Section{
		Name: "regexp",
		Key:  "NAME",
		Doc:  "A rule of your own: a symbol for mail in which a regular expression is found. docs/rules.md tells more.",
		Repeat: func(name string) *ucl.Section {
			if name == "" {
				return nil
			}
			return b.rule(name).section
		},
	}
}

// rule returns the block of a name.
func (b *ruleBlocks) rule(name string) *ruleConfig {
	if c := b.byName[name]; c != nil {
		return c
	}
	c := &ruleConfig{name: name, group: "rules", oneShot: true}
	c.section = &ucl.Section{
		Name: "regexp",
		Doc:  "A rule of your own.",
		Options: []ucl.Option{
			{Name: "re", Value: &c.re, Example: `'/\bcheap\s+meds\b/i'`, Doc: "The regular expression, in single quotes: /PATTERN/FLAGS with the flags i (any case), m (^ and $ at lines) and s (a dot is a line break, too). rspamd's forms work: 'Subject=/x/i', '/x/i{mime}'."},
			{Name: "where", Value: placeValue{&c.where}, Example: "text", Doc: "What is looked at: subject, header (with the option header), text (what a reader sees), source (HTML with its tags), raw (the body as it was received), url, attachment (names), raw_header, mime_header or all_header."},
			{Name: "header", Value: &c.field, Doc: "The field that where = header, raw_header or mime_header is about."},
			{Name: "score", Aliases: []string{"weight"}, Value: ucl.Within(&c.score, -1000, 1000), Example: "2.5", Doc: "What it adds to the score; 0 is for symbols that composites use."},
			{Name: "group", Value: &c.group, Doc: "The group that the symbol belongs to."},
			{Name: "description", Value: &c.doc, Doc: "A sentence that says what was found."},
			{Name: "one_shot", Value: &c.oneShot, Doc: "Whether it counts once. With no it counts for each field, link, name or part in which it is found, at most 20 times."},
		},
		Ignored: []ucl.Ignored{
			{Name: "max_hits", Note: "use one_shot"},
			{Name: "condition", Note: "there are no rules in Lua"},
			{Name: "mime_only", Note: "parts without text aren't looked at"},
		},
	}
	b.byName[name] = c
	b.order = append(b.order, name)
	return c
}

// A rule is one that can be searched for.
type rule struct {
	symbol *scan.Symbol
	re     *match.Regexp
	place  place
	field  string // lower case; "" when the place has none
}

// rule makes the rule of a block.
func (c *ruleConfig) rule() (rule, error) {
	fault := func(format string, args ...any) (rule, error) {
		where := ""
		if c.re.pos.IsValid() {
			where = c.re.pos.String() + ": "
		}
		return rule{}, fmt.Errorf("%sregexp %.60q: %s", where, c.name, fmt.Sprintf(format, args...))
	}
	p, field := c.where, string(c.field)
	switch {
	case strings.Trim(c.name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") != "" || len(c.name) > 100:
		return fault("the name is not letters, digits and underscores, at most 100")
	case c.re.re == nil:
		return fault("there is no re")
	case p != "" && c.re.place != "" && p != c.re.place:
		return fault("where = %s and the type of the regular expression differ; expected one of them", p)
	case field != "" && c.re.field != "" && !strings.EqualFold(field, c.re.field):
		return fault("header = %s and the field before the regular expression differ; expected one of them", field)
	case field != "" && !isFieldName(field):
		return fault("%.60q is no name of a header field", field)
	}
	if p == "" {
		p = c.re.place
	}
	if field == "" {
		field = c.re.field
	}
	if p == "" && field != "" {
		p = inHeader
	}
	if p == inSubject && field == "" {
		p, field = inHeader, "Subject"
	}
	switch {
	case p == "":
		return fault(`what is to be looked at? Expected where, or a form such as 'Subject=/x/i' or '/x/i{mime}'`)
	case p.needsField() && field == "":
		return fault("which header field? Expected the option header, or 'Subject=/x/'")
	case !p.needsField() && field != "":
		return fault("where = %s has no header field", p)
	}
	doc := strings.TrimSpace(string(c.doc))
	if doc == "" {
		doc = "A rule of this site: " + shown(c.re.text)
	}
	if !strings.HasSuffix(doc, ".") {
		doc += "."
	}
	return rule{&scan.Symbol{Name: c.name, Score: float64(c.score), Group: string(c.group), OneShot: bool(c.oneShot) && !c.re.all, Doc: doc}, c.re.re, p, strings.ToLower(field)}, nil
}

// A ruleset is all rules in force. It never changes.
type ruleset struct {
	symbols []*scan.Symbol
	places  map[place]*rulesAt
}

// rulesAt are the rules for one place.
type rulesAt struct {
	rules  []rule
	fields map[string]bool // names of header fields that rules look at, lower case
	set    *match.Regexps
}

// newRuleset prepares rules.
func newRuleset(rules []rule) (*ruleset, error) {
	s := &ruleset{places: map[place]*rulesAt{}}
	for _, r := range rules {
		at := s.places[r.place]
		if at == nil {
			at = &rulesAt{fields: map[string]bool{}}
			s.places[r.place] = at
		}
		at.rules = append(at.rules, r)
		at.fields[r.field] = true
		s.symbols = append(s.symbols, r.symbol)
	}
	for _, at := range s.places {
		var list []*match.Regexp
		for _, r := range at.rules {
			list = append(list, r.re)
		}
		var err error
		if at.set, err = match.NewRegexps(list); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// A rulesRunner is Rules at work.
type rulesRunner struct {
	conf RulesConfig
	now  func() time.Time
	set  atomic.Pointer[ruleset]
	read rulesRead // guarded by the engine, which refreshes one at a time
}

// Symbols returns those of the rules in force.
func (r *rulesRunner) Symbols() []*scan.Symbol {
	if s := r.set.Load(); s != nil {
		return s.symbols
	}
	return nil
}

// rulesTime bounds what the rules altogether may take for one message, see
// match.Budget.
const rulesTime = time.Second

// Run implements scan.Runner.
func (r *rulesRunner) Run(ctx context.Context, p *scan.Pass) (struct{}, error) {
	s := r.set.Load()
	if s == nil {
		return struct{}{}, nil
	}
	budget := match.NewBudget(rulesTime)
	for _, where := range places {
		if at := s.places[where]; at != nil {
			if err := ctx.Err(); err != nil {
				return struct{}{}, err
			}
			at.search(p, where, int(r.conf.limit), budget)
		}
	}
	return struct{}{}, nil
}

// maxFindings bounds how often a rule counts that doesn't count once.
const maxFindings = 20

// search reports the rules that match at a place.
func (at *rulesAt) search(p *scan.Pass, where place, limit int, budget *match.Budget) {
	q := at.set.Search(budget)
	defer q.Close()
	found := make([]int, len(at.rules))
	eachText(p.Message, where, at.fields, limit, func(field, text string) {
		q.Text(text, func(i int) bool {
			r := &at.rules[i]
			return r.field == field && (found[i] == 0 || found[i] < maxFindings && !p.OneShot(r.symbol))
		}, func(i, begin, end int) {
			found[i]++
			if begin == end {
				p.Report(at.rules[i].symbol)
			} else {
				p.Report(at.rules[i].symbol, shown(text[begin:end]))
			}
		})
	})
}

// eachText calls fn with the texts of a place in order, up to a limit of bytes for all
// of them. field is the name of the header field, in lower case, where there is one.
func eachText(m *mail.Message, where place, fields map[string]bool, limit int, fn func(field, text string)) {
	// Each text counts a little beside its length, as there may be very many.
	take := func(field, text string) bool {
		fn(field, cutText(text, limit))
		limit -= len(text) + 16
		return limit > 0
	}
	header := func(h mail.Header, content func(mail.Field) string) bool {
		for _, f := range h {
			if name := strings.ToLower(f.Name); fields[name] && !take(name, content(f)) {
				return false
			}
		}
		return true
	}
	switch where {
	case inHeader:
		header(m.Header(), mail.Field.Text)
	case inRawHeader:
		header(m.Header(), mail.Field.Value)
	case inAllHeaders:
		take("", string(m.Raw()[:min(m.BodyOffset(), limit)]))
	case inRaw:
		take("", string(m.Body()[:min(len(m.Body()), limit)]))
	case inURL:
		for _, l := range m.Links() {
			if !take("", l.URL) {
				return
			}
		}
	case inAttachment:
		for _, a := range m.Attachments() {
			if name := a.Filename(); name != "" && !take("", name) {
				return
			}
		}
	case inMIMEHeader:
		for _, part := range m.Parts() {
			if !header(part.Header(), mail.Field.Text) {
				return
			}
		}
	case inText:
		eachTextPart(m, func(part *mail.Part) bool { return take("", part.Visible()) })
	case inSource:
		eachTextPart(m, func(part *mail.Part) bool { return take("", part.Text()) })
	}
}

// eachTextPart calls fn with the text parts that are no attachments, until it returns
// false.
func eachTextPart(m *mail.Message, fn func(*mail.Part) bool) {
	for _, part := range m.Parts() {
		if part.IsText() && (part.Parent() == nil || !part.IsAttachment()) && !fn(part) {
			return
		}
	}
}

// cutText returns the beginning of a text without splitting a character.
func cutText(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for back := n; back > 0 && back > n-utf8.UTFMax; back-- {
		if utf8.RuneStart(text[back]) {
			return text[:back]
		}
	}
	return text[:n]
}
