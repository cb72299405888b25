package policy

import (
	"fmt"
	"strings"

	"rmilter/internal/ucl"
	"rmilter/scan"
)

// A warnFunc tells a contradiction; see ucl.Section.
type warnFunc = func(option, format string, args ...any)

// check warns of thresholds that contradict one another, those of s over those of base,
// as far as s sets one of them. Both sections declare the thresholds first, by action.
func (a *Actions) check(base *Actions, s, baseSection *ucl.Section, warn warnFunc) {
	scores := a.over(*base)
	place := func(action scan.Action) (own bool, text string) {
		for _, section := range []*ucl.Section{s, baseSection} {
			if o := section.Options[action-1].Origin(); len(o) > 0 {
				return section == s, o[len(o)-1].String()
			}
		}
		return false, "the default"
	}
	for action := scan.Greylist; action <= scan.Discard; action++ {
		score, ok := scores[action]
		own, at := place(action)
		if ok && own && score <= 0 && action >= scan.Quarantine {
			warn(s.Options[action-1].Name, "%s is the score of mail in which nothing was found; expected a score above 0, or off", ucl.Float(score))
		}
		severer, least, found := severer(scores, action)
		if !ok || !found || least <= 0 {
			continue // of one that every message reaches enough was said
		}
		name, other := s.Options[action-1].Name, s.Options[severer-1].Name
		switch ownOther, otherAt := place(severer); {
		case own:
			warn(name, "%s is never reached, as %s is taken from %s on (%s); expected less, or off", ucl.Float(score), other, ucl.Float(least), otherAt)
		case ownOther:
			warn(other, "%s is not above %s = %s (%s), which is never taken then; expected more, or %s = off", ucl.Float(least), name, ucl.Float(score), at, name)
		}
	}
}

// severer returns the lowest threshold of the actions that are more severe than one,
// when it is not above that one's.
func severer(scores scan.Thresholds, than scan.Action) (action scan.Action, score float64, found bool) {
	limit, ok := scores[than]
	for a := than + 1; ok && a <= scan.Discard; a++ {
		if s, set := scores[a]; set && s <= limit && (!found || s < score) {
			action, score, found = a, s, true
		}
	}
	return action, score, found
}

// checkSubject warns of a template that loses the old subject.
func (c *Config) checkSubject(warn warnFunc) {
	if t := parseTemplate(string(c.Subject), 0); len(t.texts) < 2 {
		warn("subject", "there is no %%s in it, so the old subject is lost; expected %%s in its place")
	}
}

// A listed tells for the recipients in the blocks of settings which block, by number,
// lists them first.
type listed map[string]int

// check warns of a block without effect. It is called for the blocks in their order,
// which are numbered from 0.
func (l listed) check(blocks []*Block, number int, warn warnFunc) {
	items := blocks[number].Rcpt.Items()
	if len(items) == 0 {
		warn("rcpt", "the block has no recipients and no effect; expected rcpt = alice@example.com, @example.org")
		return
	}
	var hidden, by []string
	told := map[int]bool{}
	for _, item := range items {
		earlier := l.before(item, number)
		if earlier < 0 {
			continue
		}
		hidden = append(hidden, item)
		if !told[earlier] {
			told[earlier] = true
			by = append(by, "settings "+ucl.Quote(blocks[earlier].Name))
		}
	}
	for _, item := range items {
		if _, known := l[item]; !known {
			l[item] = number
		}
	}
	switch {
	case hidden == nil:
	case len(hidden) == len(items):
		warn("rcpt", "the block has no effect, as all its recipients are in %s, which comes first; expected this block before that one", few(by))
	default:
		warn("rcpt", "here without effect, as %s comes first: %s; expected this block before that one", few(by), few(hidden))
	}
}

// before returns the number of the first block before one that lists an item or a user
// or domain which it is part of, -1 when there is none.
func (l listed) before(item string, number int) int {
	first := number
	words := []string{item}
	if at := strings.LastIndexByte(item, '@'); at > 0 {
		words = append(words, item[:at], item[at:])
	}
	for _, w := range words {
		if n, known := l[w]; known {
			first = min(first, n)
		}
	}
	if first == number {
		return -1
	}
	return first
}

// few returns the first items of a list and says how many more there are.
func few(list []string) string {
	const most = 3
	if n := len(list) - most; n > 0 {
		return strings.Join(list[:most], ", ") + fmt.Sprintf(" and %d more", n)
	}
	return strings.Join(list, ", ")
}
