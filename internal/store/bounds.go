package store

import (
	"fmt"
	"time"
)

// CheckKeys returns an error that wraps ErrTooLarge when keys, or names of logs and
// leases, are empty, too long or too many for one call.
func CheckKeys(keys ...string) error {
	if err := CheckBatch(len(keys)); err != nil {
		return err
	}
	for _, k := range keys {
		if k == "" {
			return fmt.Errorf("empty key: %w", ErrTooLarge)
		}
		if len(k) > MaxKey {
			return fmt.Errorf("key of %d bytes, at most %d: %w", len(k), MaxKey, ErrTooLarge)
		}
	}
	return nil
}

// CheckValue returns an error that wraps ErrTooLarge when a value is too long.
func CheckValue(value []byte) error {
	if len(value) > MaxValue {
		return fmt.Errorf("value of %d bytes, at most %d: %w", len(value), MaxValue, ErrTooLarge)
	}
	return nil
}

// CheckBatch returns an error that wraps ErrTooLarge when one call has more operations
// than are taken.
func CheckBatch(n int) error {
	if n > MaxBatch {
		return fmt.Errorf("%d operations at once, at most %d: %w", n, MaxBatch, ErrTooLarge)
	}
	return nil
}

// CheckLifetime returns an error that wraps ErrTooLarge when a lifetime is neither
// Forever nor at least a millisecond.
func CheckLifetime(d time.Duration) error {
	if d != Forever && d < time.Millisecond {
		return fmt.Errorf("lifetime of %s, at least 1ms: %w", d, ErrTooLarge)
	}
	return nil
}

// maxEvery is the longest time for one piece that a limit may have.
const maxEvery = 1000 * 24 * time.Hour

// CheckLimit returns an error that wraps ErrTooLarge when a limit is beyond what its
// type says.
func CheckLimit(l Limit) error {
	if l.Burst < 1 || l.Burst > 1e9 || l.Every < time.Microsecond || l.Every > maxEvery {
		return fmt.Errorf("limit of %d, one each %s: %w", l.Burst, l.Every, ErrTooLarge)
	}
	return nil
}
