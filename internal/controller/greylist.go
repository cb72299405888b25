package controller

import (
	"context"
	"fmt"

	"rmilter/greylist"
	"rmilter/internal/filter"
	"rmilter/internal/store"
)

// greylistOf returns the rule with its stores.
func greylistOf(f *filter.Filter) (*greylist.Greylist, *store.Set, error) {
	g, stores := f.Greylist(), f.Stores()
	if g == nil || stores == nil {
		return nil, nil, fmt.Errorf("greylisting is %w", errOff)
	}
	return g, stores, nil
}

func listGreylist(ctx context.Context, f *filter.Filter, p params) (any, error) {
	g, stores, err := greylistOf(f)
	if err != nil {
		return nil, err
	}
	n, err := p.number("n", pageMost)
	if err != nil {
		return nil, err
	}
	entries, next, err := g.List(ctx, stores, p["filter"], p["from"], n)
	if entries == nil {
		entries = []greylist.Entry{}
	}
	return GreylistPage{entries, next}, p.listError(err)
}

func showGreylist(ctx context.Context, f *filter.Filter, p params) (any, error) {
	return greylistEntry(ctx, f, p, (*greylist.Greylist).Show)
}

func passGreylist(ctx context.Context, f *filter.Filter, p params) (any, error) {
	return greylistEntry(ctx, f, p, (*greylist.Greylist).Pass)
}

// greylistEntry does something with one entry.
func greylistEntry(ctx context.Context, f *filter.Filter, p params, do func(*greylist.Greylist, context.Context, *store.Set, string) (greylist.Entry, error)) (any, error) {
	g, stores, err := greylistOf(f)
	if err != nil {
		return nil, err
	}
	key, err := p.key()
	if err != nil {
		return nil, err
	}
	return do(g, ctx, stores, key)
}

func clearGreylist(ctx context.Context, f *filter.Filter, p params) (any, error) {
	g, stores, err := greylistOf(f)
	if err != nil {
		return nil, err
	}
	if err := p.choice("filter"); err != nil {
		return nil, err
	}
	if key := p["key"]; key != "" {
		if err := g.Clear(ctx, stores, key); err != nil {
			return nil, err
		}
		return Changed{Changed: 1}, nil
	}
	n, err := g.ClearAll(ctx, stores, p["filter"])
	return Changed{Changed: n}, err
}
