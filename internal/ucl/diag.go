package ucl

import (
	"cmp"
	"errors"
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
	if ds.place(s, p, format, args...) && p.src != nil {
		ds.list[len(ds.list)-1].Line = p.src.show(p)
	}
}

// place is Add for a remark that shows no line. It is false when the remark is not
// kept.
func (ds *Diagnostics) place(s Severity, p Pos, format string, args ...any) bool {
	ds.count[s]++
	if ds.count[s] > maxDiagnostics {
		return false
	}
	ds.list = append(ds.list, Diagnostic{Severity: s, Pos: p, Text: fmt.Sprintf(format, args...)})
	return true
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
	return strings.Join(Texts(e.All(), Fault), "\n")
}

// All returns the faults; when there are more, the last one tells how many.
func (e *Error) All() []Diagnostic {
	if e.More == 0 {
		return e.Faults
	}
	return append(slices.Clip(e.Faults), Diagnostic{Text: fmt.Sprintf("and %d further faults", e.More)})
}

// Faults takes an error apart: all faults of an *Error, any other error as one fault
// without a place, and nil as none.
func Faults(err error) []Diagnostic {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.All()
	}
	if err == nil {
		return nil
	}
	return []Diagnostic{{Text: err.Error()}}
}

// Texts returns the remarks of a severity as they are printed, never nil.
func Texts(list []Diagnostic, s Severity) []string {
	texts := []string{}
	for _, d := range list {
		if d.Severity == s {
			texts = append(texts, d.String())
		}
	}
	return texts
}
