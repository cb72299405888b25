package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// free is how long an operation may take at no cost. A store that does well answers in a
// fraction of that; what takes longer is waiting, be it for the network, a disk or a
// server that is in trouble. Without it a message to a thousand recipients would spend
// its budget on answers of half a millisecond.
const free = 10 * time.Millisecond

// A Budget is the time that one message may wait for stores, all of them together: what
// its operations take beyond 10 ms each. A failure that was waited for ends the use of
// every store by this budget: a message waits once, not once for each question. One that
// came at once, as of a store that is known to be down, cost nothing and says nothing of
// other stores: it is that operation's alone. A Budget is safe for concurrent use;
// operations that wait at the same time spend their time once.
type Budget struct {
	total time.Duration
	now   func() time.Time

	mu      sync.Mutex
	spent   time.Duration // waiting, up to settled
	settled time.Time
	running []time.Time // when the operations under way began, the first one first
	first   error       // the first failure
	ended   error       // the failure that ended the use of stores
}

// NewBudget returns a budget of some time; Transaction is that of a message.
func NewBudget(total time.Duration, now func() time.Time) *Budget {
	return &Budget{total: total, now: now}
}

// Err returns the first failure of a store, also when others were used after it. It wraps
// ErrUnavailable, or is nil.
func (b *Budget) Err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.first
}

// On returns a view of a store whose operations are paid from the budget. Operations
// that aren't for messages pass through: List, Health and Close.
func (b *Budget) On(s Store) Store { return &view{s, b} }

// OnSet returns views of the stores of a set, one for each store.
func (b *Budget) OnSet(s *Set) *Set {
	views := map[Store]Store{}
	for _, one := range s.All() {
		views[one] = b.On(one)
	}
	return &Set{
		views[s.Main], views[s.Grey], views[s.White], views[s.Limits],
		views[s.IDs], views[s.Spam], views[s.Copy],
	}
}

// settle counts what was waited since it was called last, by the operation that runs
// longest. It is called before operations begin and end, so that this is the same one all
// the time. It returns the time.
func (b *Budget) settle() time.Time {
	now := b.now()
	if len(b.running) > 0 {
		from := b.running[0].Add(free)
		if from.Before(b.settled) {
			from = b.settled
		}
		b.spent += max(0, now.Sub(from))
	}
	b.settled = now
	return now
}

// begin gives an operation its time, unless the budget has ended, and tells when it began.
func (b *Budget) begin() (began time.Time, left time.Duration, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	began = b.settle()
	left = b.total - b.spent
	if left <= 0 && b.ended == nil {
		b.fail(fmt.Errorf("%w: the %s for this message are spent", ErrUnavailable, b.total), true)
	}
	if b.ended != nil {
		return began, 0, b.ended
	}
	b.running = append(b.running, began)
	return began, min(Operation, left+free), nil
}

// fail notes a failure, and with ends that it is the end.
func (b *Budget) fail(err error, ends bool) {
	if b.first == nil {
		b.first = err
	}
	if ends && b.ended == nil {
		b.ended = err
	}
}

// end notes what became of an operation.
func (b *Budget) end(began time.Time, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.settle()
	i := slices.Index(b.running, began)
	b.running = slices.Delete(b.running, i, i+1)
	if errors.Is(err, ErrUnavailable) {
		b.fail(err, now.Sub(began) >= free)
	}
}

// pay does an operation with the time that the budget gives it.
func pay[T any](ctx context.Context, b *Budget, do func(context.Context) (T, error)) (T, error) {
	var none T
	began, left, err := b.begin()
	if err != nil {
		return none, err
	}
	limited := &deadline{Context: ctx, at: time.Now().Add(left)}
	defer limited.end()
	value, err := do(limited)
	if err != nil && limited.Err() != nil {
		if ended := ctx.Err(); ended != nil {
			err = fmt.Errorf("%w: %w", ErrUnavailable, ended)
		} else {
			err = fmt.Errorf("%w: no answer in %s", ErrUnavailable, left.Round(time.Millisecond))
		}
	}
	b.end(began, err)
	if err != nil {
		return none, err
	}
	return value, nil
}

// A view is a store within a budget.
type view struct {
	Store
	budget *Budget
}

// Get implements Store.
func (v *view) Get(ctx context.Context, keys ...string) ([][]byte, error) {
	return pay(ctx, v.budget, func(ctx context.Context) ([][]byte, error) { return v.Store.Get(ctx, keys...) })
}

// Put implements Store.
func (v *view) Put(ctx context.Context, changes ...Change) ([]Outcome, error) {
	return pay(ctx, v.budget, func(ctx context.Context) ([]Outcome, error) { return v.Store.Put(ctx, changes...) })
}

// Add implements Store.
func (v *view) Add(ctx context.Context, increments ...Increment) ([]int64, error) {
	return pay(ctx, v.budget, func(ctx context.Context) ([]int64, error) { return v.Store.Add(ctx, increments...) })
}

// Take implements Store.
func (v *view) Take(ctx context.Context, buckets ...Bucket) ([]Grant, error) {
	return pay(ctx, v.budget, func(ctx context.Context) ([]Grant, error) { return v.Store.Take(ctx, buckets...) })
}

// Give implements Store.
func (v *view) Give(ctx context.Context, returns ...Return) error {
	_, err := pay(ctx, v.budget, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, v.Store.Give(ctx, returns...)
	})
	return err
}

// Append implements Store.
func (v *view) Append(ctx context.Context, log string, entries ...[]byte) (Position, error) {
	return pay(ctx, v.budget, func(ctx context.Context) (Position, error) { return v.Store.Append(ctx, log, entries...) })
}

// Read implements Store.
func (v *view) Read(ctx context.Context, log string, after Position, n int) ([]Entry, error) {
	return pay(ctx, v.budget, func(ctx context.Context) ([]Entry, error) { return v.Store.Read(ctx, log, after, n) })
}

// Trim implements Store.
func (v *view) Trim(ctx context.Context, log string, upTo Position) error {
	_, err := pay(ctx, v.budget, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, v.Store.Trim(ctx, log, upTo)
	})
	return err
}

// Lease implements Store.
func (v *view) Lease(ctx context.Context, name, holder string, time time.Duration) (string, error) {
	return pay(ctx, v.budget, func(ctx context.Context) (string, error) { return v.Store.Lease(ctx, name, holder, time) })
}

// Delete implements Store.
func (v *view) Delete(ctx context.Context, keys ...string) (int, error) {
	return pay(ctx, v.budget, func(ctx context.Context) (int, error) { return v.Store.Delete(ctx, keys...) })
}

// Lifetime implements Store.
func (v *view) Lifetime(ctx context.Context, keys ...string) ([]time.Duration, error) {
	return pay(ctx, v.budget, func(ctx context.Context) ([]time.Duration, error) { return v.Store.Lifetime(ctx, keys...) })
}

// Publish implements Store.
func (v *view) Publish(ctx context.Context, channel string, message []byte) (int, error) {
	return pay(ctx, v.budget, func(ctx context.Context) (int, error) { return v.Store.Publish(ctx, channel, message) })
}
