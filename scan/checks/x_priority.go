package checks

import (
	"strconv"
	"strings"

	"rmilter/scan"
)

var (
	xPrioZero  = symbol("HAS_X_PRIO_ZERO", 0, "headers", "X-Priority is 0.")
	xPrioOne   = symbol("HAS_X_PRIO_ONE", 0, "headers", "X-Priority is 1, the highest.")
	xPrioTwo   = symbol("HAS_X_PRIO_TWO", 0, "headers", "X-Priority is 2.")
	xPrioThree = symbol("HAS_X_PRIO_THREE", 0, "headers", "X-Priority is 3 or 4.")
	xPrioFive  = symbol("HAS_X_PRIO_FIVE", 0, "headers", "X-Priority is 5, the lowest, or more.")
)

// XPriority looks at the urgency that the sender claims.
var XPriority = &scan.Spec[struct{}, struct{}]{
	Name:    "x_priority",
	Doc:     "The urgency that the sender claims (X-Priority).",
	Symbols: []*scan.Symbol{xPrioZero, xPrioOne, xPrioTwo, xPrioThree, xPrioFive},
	New:     plain(runXPriority),
}

func runXPriority(p *scan.Pass) {
	value := p.Message.Header().Get("X-Priority")
	digits := len(value) - len(strings.TrimLeft(value, "0123456789"))
	n, err := strconv.Atoi(value[:digits])
	if err != nil {
		return
	}
	s := xPrioFive
	switch n {
	case 0:
		s = xPrioZero
	case 1:
		s = xPrioOne
	case 2:
		s = xPrioTwo
	case 3, 4:
		s = xPrioThree
	}
	p.Report(s, strconv.Itoa(n))
}
