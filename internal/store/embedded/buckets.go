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
	return run(ctx, s, func(e *engine) ([]store.Grant, error) {
		if err := s.writable(false); err != nil {
			return nil, err
		}
		grants := make([]store.Grant, len(own))
		err := s.change(e, keys, noSize, func(p *piece, i int) error {
			r, _, err := p.record(keys[i])
			if err != nil {
				return err
			}
			b := store.ParseBucket(r.value)
			if grants[i] = b.Take(p.now, own[i].Limit); grants[i].Taken || b.Moved() {
				p.putBucket(keys[i], b, own[i].Limit)
			}
			return nil
		})
		return grants, err
	})
}

// Give implements store.Store.
func (s *Store) Give(ctx context.Context, returns ...store.Return) error {
	own, keys, err := bucketKeys(len(returns), func(i int) store.Bucket { return returns[i].Bucket })
	if err != nil {
		return err
	}
	returns = append([]store.Return(nil), returns...)
	_, err = run(ctx, s, func(e *engine) (struct{}, error) {
		if err := s.writable(false); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, s.change(e, keys, noSize, func(p *piece, i int) error {
			r, there, err := p.record(keys[i])
			if err != nil || !there {
				return err
			}
			b := store.ParseBucket(r.value)
			b.Give(p.now, returns[i].At, own[i].Limit)
			p.putBucket(keys[i], b, own[i].Limit)
			return nil
		})
	})
	return err
}

// bucketKeys checks n buckets and returns a copy of them and their keys on disk.
func bucketKeys(n int, bucket func(int) store.Bucket) ([]store.Bucket, [][]byte, error) {
	if err := store.CheckBatch(n); err != nil {
		return nil, nil, err
	}
	own, keys := make([]store.Bucket, n), make([][]byte, n)
	for i := range own {
		own[i] = bucket(i)
		if err := store.CheckKeys(own[i].Key); err != nil {
			return nil, nil, err
		}
		if err := store.CheckLimit(own[i].Limit); err != nil {
			return nil, nil, err
		}
		keys[i] = diskKey(kindKey, own[i].Key)
	}
	return own, keys, nil
}

// putBucket keeps a bucket as long as it says anything.
func (p *piece) putBucket(key []byte, b store.BucketState, l store.Limit) {
	lifetime := b.Lifetime(p.now, l)
	if lifetime == 0 {
		p.remove(key)
		return
	}
	p.put(key, record{ends(p.now, lifetime), b.Append(nil)})
}
