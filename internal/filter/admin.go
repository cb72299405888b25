package filter

import (
	"rmilter/greylist"
	"rmilter/internal/dnslist"
	"rmilter/internal/signing"
	"rmilter/internal/store"
	"rmilter/ratelimit"
)

// Signing returns what signs our mail; nil for nothing.
func (f *Filter) Signing() *signing.Signing { return f.rules.Signing }

// Greylist returns the rule of greylisting in force, for people to see and change what it
// knows; nil when it is off.
func (f *Filter) Greylist() *greylist.Greylist { return f.rules.Greylist }

// Limits returns the limits in force; nil when there are none.
func (f *Filter) Limits() *ratelimit.Limiter { return f.rules.Limits }

// Stores returns what outlives a message, without the bounds of time that mail has; nil
// when there is nothing.
func (f *Filter) Stores() *store.Set { return f.env.Stores }

// Users returns who is over his limit; nil when that isn't watched.
func (f *Filter) Users() *ratelimit.Watch { return f.env.Users }

// Lists returns what asks DNS lists, nil when nothing does, and the lists in force, also
// those that aren't asked.
func (f *Filter) Lists() (*dnslist.Watch, []*dnslist.List) { return f.env.Lists, f.rules.Lists }
