package scan

import "fmt"

// A PanicError is what a check that panicked leaves in Report.Failed.
type PanicError struct {
	Value any    // what it panicked with
	Stack []byte // its stack trace
}

// Error returns "panic: " and the value.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }
