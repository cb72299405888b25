package store

import "errors"

// A Set are the stores by what they are for. Several may be the same store; none is nil.
type Set struct {
	Main   Store // whatever has no store of its own
	Grey   Store // first records of greylisting
	White  Store // who passed greylisting
	Limits Store // buckets
	IDs    Store // Message-IDs of our mail
	Spam   Store // where rejected mail is published
	Copy   Store // where copies of mail are published
}

// Same returns a Set of one store for all.
func Same(s Store) *Set { return &Set{s, s, s, s, s, s, s} }

// All returns the stores of the set, each once, in the order of the fields.
func (s *Set) All() []Store {
	var all []Store
next:
	for _, one := range []Store{s.Main, s.Grey, s.White, s.Limits, s.IDs, s.Spam, s.Copy} {
		for _, other := range all {
			if one == other {
				continue next
			}
		}
		all = append(all, one)
	}
	return all
}

// Close closes the stores, each once.
func (s *Set) Close() error {
	var errs []error
	for _, one := range s.All() {
		errs = append(errs, one.Close())
	}
	return errors.Join(errs...)
}
