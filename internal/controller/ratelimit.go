package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"rmilter/internal/filter"
	"rmilter/internal/store"
	"rmilter/ratelimit"
)

// errNoBucket is the error of a key that the store doesn't have.
var errNoBucket = errors.New("no such bucket, or nothing was taken from it lately")

// limitsOf returns the limits with their store.
func limitsOf(f *filter.Filter) (*ratelimit.Limiter, store.Store, error) {
	l, stores := f.Limits(), f.Stores()
	if l == nil || stores == nil {
		return nil, nil, fmt.Errorf("limits are %w", errOff)
	}
	return l, stores.Limits, nil
}

// limitEntry returns a bucket in the API's form.
func limitEntry(e *ratelimit.Entry) LimitEntry {
	return LimitEntry{Key: e.Key, Bucket: e.Bucket, Rcpt: e.Rcpt, Client: e.Client, From: e.From, User: e.User,
		Burst: e.Limit.Burst, Every: e.Limit.Every.Seconds(), Used: e.Used, Full: e.Full}
}

func listLimits(ctx context.Context, f *filter.Filter, p params) (any, error) {
	l, st, err := limitsOf(f)
	if err != nil {
		return nil, err
	}
	n, err := p.number("n", pageMost)
	if err != nil {
		return nil, err
	}
	n = cmp.Or(n, pageDefault)
	page := LimitPage{Entries: []LimitEntry{}, Next: p["from"]}
	for len(page.Entries) < n {
		var entries []ratelimit.Entry
		entries, page.Next, err = l.List(ctx, st, ratelimit.Filter{Bucket: p["bucket"], Who: p["who"]}, page.Next, n)
		if err != nil {
			return nil, p.listError(err)
		}
		for i := range entries {
			page.Entries = append(page.Entries, limitEntry(&entries[i]))
		}
		if page.Next == "" {
			break
		}
	}
	return page, nil
}

func showLimit(ctx context.Context, f *filter.Filter, p params) (any, error) {
	l, st, err := limitsOf(f)
	if err != nil {
		return nil, err
	}
	key, err := p.key()
	if err != nil {
		return nil, err
	}
	entries, err := l.Show(ctx, st, key)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, errNoBucket
	}
	return limitEntry(&entries[0]), nil
}

func resetLimits(ctx context.Context, f *filter.Filter, p params) (any, error) {
	l, st, err := limitsOf(f)
	if err != nil {
		return nil, err
	}
	if err := p.choice("bucket", "who"); err != nil {
		return nil, err
	}
	var keys []string
	done := Changed{}
	if key := p["key"]; key != "" {
		keys = []string{key}
		done.Changed, err = ratelimit.Reset(ctx, st, key)
		if err == nil && done.Changed == 0 {
			err = errNoBucket
		}
	} else {
		keys, err = l.ResetAll(ctx, st, ratelimit.Filter{Bucket: p["bucket"], Who: p["who"]})
		done.Changed = len(keys)
	}
	// What this process knows is forgotten also of what wasn't in the store.
	if users := f.Users(); users != nil {
		users.Forget(keys...)
	}
	return done, err
}
