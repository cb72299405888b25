package embedded

import (
	"context"

	"rmilter/internal/store"
)

// Take implements store.Store.
func (s *Store) Take(ctx context.Context, buckets ...store.Bucket) ([]store.Grant, error) {
	own, keys, err := bucketKeys(len(buckets), func(i int) store.Bucket { return buckets[i] })
	if err != nil {
		return nil, err
	}
	grants := make([]store.Grant, len(own))
	err = s.change(ctx, keys, true, noSize, func(p *piece, i int) error {
		b, _, err := p.bucket(i)
		if err != nil {
			return err
		}
		if grants[i] = b.Take(p.now, own[i].Limit); grants[i].Taken || b.Moved() {
			p.putBucket(i, b, own[i].Limit)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return grants, nil
}

// Give implements store.Store.
func (s *Store) Give(ctx context.Context, returns ...store.Return) error {
	own, keys, err := bucketKeys(len(returns), func(i int) store.Bucket { return returns[i].Bucket })
	if err != nil {
		return err
	}
	returns = append([]store.Return(nil), returns...)
	return s.change(ctx, keys, true, noSize, func(p *piece, i int) error {
		b, there, err := p.bucket(i)
		if err != nil || !there {
			return err
		}
		b.Give(p.now, returns[i].At, own[i].Limit)
		p.putBucket(i, b, own[i].Limit)
		return nil
	})
}

// bucket returns a bucket, and whether there is one: it has all its room otherwise.
func (p *piece) bucket(i int) (b *store.BucketState, there bool, err error) {
	en, err := p.entry(i)
	if err != nil || en == nil {
		return new(store.BucketState), false, err
	}
	if en.bucket == nil {
		state := store.ParseBucket(en.record.value)
		return &state, true, nil
	}
	return en.bucket, true, nil
}

// bucketKeys checks n buckets and returns a copy of them and their keys on disk.
func bucketKeys(n int, bucket func(int) store.Bucket) ([]store.Bucket, [][]byte, error) {
	if err := store.CheckBatch(n); err != nil {
		return nil, nil, err
	}
	own := make([]store.Bucket, n)
	for i := range own {
		own[i] = bucket(i)
		if err := store.CheckKeys(own[i].Key); err != nil {
			return nil, nil, err
		}
		if err := store.CheckLimit(own[i].Limit); err != nil {
			return nil, nil, err
		}
	}
	return own, diskKeys(n, func(i int) string { return own[i].Key }), nil
}
