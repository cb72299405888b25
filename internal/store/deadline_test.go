package store

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestDeadline wants a context to end at its time, whether somebody waits for it or not,
// and when the one that it is of ends.
func TestDeadline(t *testing.T) {
	past := &deadline{Context: t.Context(), at: time.Now().Add(-time.Second)}
	if err := past.Err(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("not waited for: %v", err)
	}
	<-past.Done()
	if err := past.Err(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waited for: %v", err)
	}
	soon := &deadline{Context: t.Context(), at: time.Now().Add(time.Millisecond)}
	<-soon.Done()

	parent, cancel := context.WithTimeout(t.Context(), time.Hour)
	for _, wait := range []bool{false, true} {
		d := &deadline{Context: parent, at: time.Now().Add(2 * time.Hour)}
		if at, ok := d.Deadline(); !ok || time.Until(at) > time.Hour {
			t.Errorf("it ends at %v, after its parent", at)
		}
		if wait {
			defer func(over <-chan struct{}) { <-over }(d.Done())
		}
		if err := d.Err(); err != nil {
			t.Errorf("before: %v", err)
		}
		defer func() {
			if err := d.Err(); !errors.Is(err, context.Canceled) {
				t.Errorf("afterwards, waited for: %t: %v", wait, err)
			}
		}()
	}
	defer cancel()

	d := &deadline{Context: t.Context(), at: time.Now().Add(time.Hour)}
	d.end() // without a timer
	if err := d.Err(); err != nil {
		t.Errorf("ended without a timer: %v", err)
	}
	over := d.Done()
	d.end()
	<-over
}

// TestDeadlineDerived wants what is derived from it to end with it.
func TestDeadlineDerived(t *testing.T) {
	d := &deadline{Context: t.Context(), at: time.Now().Add(10 * time.Millisecond)}
	derived, cancel := context.WithCancel(d)
	defer cancel()
	<-derived.Done()
	if err := derived.Err(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
