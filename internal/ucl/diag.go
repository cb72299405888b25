package ucl

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Severity tells what a Diagnostic means for the configuration.
type Severity byte

// The severities, the gravest first.
const (
	Fault   Severity = iota // the configuration cannot be used
	Warning                 // it can, but probably not as meant
	Notice                  // something has no effect
)

// String returns "fault", "warning" or "notice".
func (s Severity) String() string {
	switch s {
	case Warning:
		return "warning"
	case Notice:
		return "notice"
	}
	return "fault"
}

// A Diagnostic is one remark about a configuration.
type Diagnostic struct {
	Severity Severity
	Pos      Pos    // the zero Pos when it is about no line
	Text     string // what was found; expected what
	Line     string // the line, cut to some 160 characters, without secrets
}

// String returns FILE:LINE:COL: TEXT, with the severity before the text unless it
// is a fault, and the line below it.
func (d Diagnostic) String() string {
	var b strings.Builder
	if d.Pos.IsValid() {
		b.WriteString(d.Pos.String() + ": ")
	}
	if d.Severity != Fault {
		b.WriteString(d.Severity.String() + ": ")
	}
	b.WriteString(d.Text)
	if d.Line != "" {
		b.WriteString("\n    " + d.Line)
	}
	return b.String()
}

// maxDiagnostics is how many diagnostics of one severity are kept.
const maxDiagnostics = 1000

// Diagnostics collects the remarks about a set of files. The zero value is empty
// and ready. It is not safe for concurrent use.
type Diagnostics struct {
	list  []Diagnostic
	count [Notice + 1]int
}

// Add adds a remark. Of each severity the first thousand are kept.
func (ds *Diagnostics) Add(s Severity, p Pos, format string, args ...any) {
	ds.count[s]++
	if ds.count[s] > maxDiagnostics {
		return
	}
	d := Diagnostic{Severity: s, Pos: p, Text: fmt.Sprintf(format, args...)}
	if p.src != nil {
		d.Line = p.src.show(p)
	}
	ds.list = append(ds.list, d)
}

// Append adds the remarks of another collection of the severity given.
func (ds *Diagnostics) Append(other *Diagnostics, s Severity) {
	ds.count[s] += max(0, other.count[s]-maxDiagnostics)
	for _, d := range other.list {
		if d.Severity != s {
			continue
		}
		ds.count[s]++
		if ds.count[s] <= maxDiagnostics {
			ds.list = append(ds.list, d)
		}
	}
}

// full tells whether no further remark of that severity would be kept.
func (ds *Diagnostics) full(s Severity) bool { return ds.count[s] >= maxDiagnostics }

// All returns the remarks in the order of the files and lines; those about no line
// come last.
func (ds *Diagnostics) All() []Diagnostic {
	list := slices.Clone(ds.list)
	slices.SortStableFunc(list, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.Pos.rank(), b.Pos.rank()), cmp.Compare(a.Pos.off, b.Pos.off))
	})
	return list
}

// rank orders positions by file, in the order in which the files were read.
func (p Pos) rank() int {
	if p.src == nil {
		return int(^uint(0) >> 1)
	}
	return p.src.order
}

// Err returns an *Error with every fault, nil when there is none.
func (ds *Diagnostics) Err() error {
	if ds.count[Fault] == 0 {
		return nil
	}
	e := &Error{More: max(0, ds.count[Fault]-maxDiagnostics)}
	for _, d := range ds.All() {
		if d.Severity == Fault {
			e.Faults = append(e.Faults, d)
		}
	}
	return e
}

// An Error is all the faults of a configuration.
type Error struct {
	Faults []Diagnostic // in the order of the files, at most a thousand
	More   int          // how many there are beyond those
}

// Error returns the faults, one after the other on lines of their own.
func (e *Error) Error() string {
	var b strings.Builder
	for i, d := range e.Faults {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(d.String())
	}
	if e.More > 0 {
		fmt.Fprintf(&b, "\nand %d further faults", e.More)
	}
	return b.String()
}
