package store

import "time"

// A Limit is what a bucket allows: Burst at once, and one again after each Every
// (GCRA). Burst is 1 to 1e9, Every a microsecond to 1000 days.
type Limit struct {
	Burst int64
	Every time.Duration
}

// A Bucket is one that is taken from: one piece each time.
type Bucket struct {
	Key   string
	Limit Limit
}

// A Grant is what a bucket answers.
type Grant struct {
	Taken bool
	At    time.Time     // when it was, by the store's clock; see Return
	Used  int64         // pieces of the burst that are in use now, rounded up
	Wait  time.Duration // when nothing was taken: until there is room for one
}

// A Return gives a piece back to its bucket.
type Return struct {
	Bucket Bucket
	At     time.Time // the Grant's
}
