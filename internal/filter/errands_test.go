package filter

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
)

func TestErrands(t *testing.T) {
	var done, dropped atomic.Int64
	e := NewErrands(ErrandsEnv{Dropped: func() { dropped.Add(1) }})
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 100 {
				e.Do(func(context.Context) { done.Add(1) })
			}
		})
	}
	all.Wait()
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if done.Load() != 1600 || dropped.Load() != 0 {
		t.Errorf("%d errands done and %d dropped; want 1600 and none", done.Load(), dropped.Load())
	}
	e.Do(func(context.Context) { t.Error("done after Close") })
	if dropped.Load() != 1 {
		t.Error("an errand after Close was not counted as dropped")
	}
}

// TestErrandsBounded blocks all goroutines of the errands: what comes beyond the queue
// is dropped, and Close gives up with its context.
func TestErrandsBounded(t *testing.T) {
	var dropped atomic.Int64
	e := NewErrands(ErrandsEnv{Dropped: func() { dropped.Add(1) }})
	release, began := make(chan struct{}), make(chan struct{}, errandsAt)
	for range errandsAt {
		e.Do(func(context.Context) { began <- struct{}{}; <-release })
	}
	for range errandsAt {
		<-began
	}
	for range maxErrands + 10 {
		e.Do(func(context.Context) {})
	}
	if dropped.Load() != 10 {
		t.Errorf("%d dropped, want 10", dropped.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Close(ctx); err == nil {
		t.Error("Close waited for nobody")
	}
	close(release)
	<-e.idle
}

// TestErrandPanics wants a panic to be told and the others to be done.
func TestErrandPanics(t *testing.T) {
	var done, panics atomic.Int64
	e := NewErrands(ErrandsEnv{Panicked: func(v any, stack []byte) {
		if v != "oops" || len(stack) == 0 {
			t.Errorf("told of %v with %d bytes of stack", v, len(stack))
		}
		panics.Add(1)
	}})
	for range 20 {
		e.DoHolding(maxErrandBytes/30, func(context.Context) { panic("oops") })
		e.Do(func(context.Context) { done.Add(1) })
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if done.Load() != 20 || panics.Load() != 20 || e.held != 0 {
		t.Errorf("%d done and %d panics with %d bytes held; want 20, 20 and none", done.Load(), panics.Load(), e.held)
	}
}
