package checks

import (
	"strings"
	"testing"
)

func TestXPriority(t *testing.T) {
	prio := func(s string) string { return "X-Priority: " + s + "\n\n" }
	runFixtures(t, XPriority, []fixture{
		{"none", nil, "Subject: Hi\n\n", ""},
		{"0", nil, prio("0"), "HAS_X_PRIO_ZERO{0}"},
		{"1", nil, prio("1 (Highest)"), "HAS_X_PRIO_ONE{1}"},
		{"2", nil, prio("2"), "HAS_X_PRIO_TWO{2}"},
		{"3", nil, prio("3 (Normal)"), "HAS_X_PRIO_THREE{3}"},
		{"4", nil, prio("4"), "HAS_X_PRIO_THREE{4}"},
		{"5", nil, prio("5"), "HAS_X_PRIO_FIVE{5}"},
		{"99", nil, prio("99"), "HAS_X_PRIO_FIVE{99}"},
		{"a word", nil, prio("Normal"), ""},
		{"negative", nil, prio("-1"), ""},
		{"empty", nil, prio(""), ""},
		{"too large", nil, prio(strings.Repeat("9", 1000)), ""},
	})
}
