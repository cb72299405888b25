package scan

import "fmt"

// Mildest returns the mildest of several actions, NoAction if there are none. It is
// how one message gets one action when its recipients want different ones: nobody
// loses mail by a neighbour's settings.
func Mildest(actions ...Action) Action {
	best := NoAction
	for i, a := range actions {
		if i == 0 || a < best {
			best = a
		}
	}
	return best
}

// A PanicError is what a check that panicked leaves in Report.Failed.
type PanicError struct {
	Value any    // what it panicked with
	Stack []byte // its stack trace
}

// Error returns "panic: " and the value.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }
