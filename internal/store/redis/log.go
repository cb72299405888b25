package redis

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"rmilter/internal/store"
)

// Append implements store.Store.
func (s *Store) Append(ctx context.Context, log string, entries ...[]byte) (store.Position, error) {
	if err := store.CheckKeys(log); err != nil {
		return "", err
	}
	if err := store.CheckBatch(len(entries)); err != nil {
		return "", err
	}
	requests := make([]*request, len(entries))
	for i, e := range entries {
		if err := store.CheckValue(e); err != nil {
			return "", err
		}
		requests[i] = &request{key: log, args: []any{"XADD", log, "*", "d", e}}
	}
	if err := s.do(ctx, forBulk, requests); err != nil || len(requests) == 0 {
		return "", err
	}
	at, _ := requests[len(requests)-1].cmd.Val().(string)
	return store.Position(at), nil
}

// Read implements store.Store.
func (s *Store) Read(ctx context.Context, log string, after store.Position, n int) ([]store.Entry, error) {
	if err := store.CheckKeys(log); err != nil {
		return nil, err
	}
	from := "-"
	if after != "" {
		if _, _, err := split(after); err != nil {
			return nil, err
		}
		from = "(" + string(after)
	}
	if n <= 0 {
		return nil, s.ready(ctx)
	}
	r := &request{key: log, args: []any{"XRANGE", log, from, "+", "COUNT", min(n, store.MaxBatch)}}
	if err := s.do(ctx, forBulk, []*request{r}); err != nil {
		return nil, err
	}
	answer, _ := r.cmd.Val().([]any)
	entries := make([]store.Entry, 0, len(answer))
	for _, one := range answer {
		pair, _ := one.([]any)
		if len(pair) != 2 {
			return nil, fmt.Errorf("%s: log %q: %w", s.address, log, store.ErrCorrupt)
		}
		at, _ := pair[0].(string)
		fields, _ := pair[1].([]any)
		if len(fields) != 2 {
			return nil, fmt.Errorf("%s: log %q: %w", s.address, log, store.ErrCorrupt)
		}
		data, _ := fields[1].(string)
		entries = append(entries, store.Entry{At: store.Position(at), Data: []byte(data)})
	}
	return entries, nil
}

// Trim implements store.Store.
func (s *Store) Trim(ctx context.Context, log string, upTo store.Position) error {
	if err := store.CheckKeys(log); err != nil {
		return err
	}
	if upTo == "" {
		return s.ready(ctx)
	}
	ms, n, err := split(upTo)
	if err != nil {
		return err
	}
	if n++; n == 0 { // the first position of the next millisecond
		ms++
	}
	least := strconv.FormatUint(ms, 10) + "-" + strconv.FormatUint(n, 10)
	return s.do(ctx, forBulk, []*request{{key: log, args: []any{"XTRIM", log, "MINID", "=", least}}})
}

// split reads a position: milliseconds since 1970, and a number within them.
func split(p store.Position) (ms, n uint64, err error) {
	left, right, _ := strings.Cut(string(p), "-")
	ms, err1 := strconv.ParseUint(left, 10, 64)
	n, err2 := strconv.ParseUint(right, 10, 64)
	if err1 != nil || err2 != nil || ms == math.MaxUint64 {
		return 0, 0, fmt.Errorf("%.50q is no position of a log: %w", string(p), store.ErrCorrupt)
	}
	return ms, n, nil
}
