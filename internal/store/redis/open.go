// Package redis is the store that several machines share: Redis, alone, as several
// servers that share the keys, behind sentinels, or as a cluster.
//
// Each server has a breaker of its own. While it is down every operation that needs it
// fails at once, and only a probe in the background asks it. An operation that concerns
// several servers is not begun when one of them is down; when one fails meanwhile, what
// the others did remains done. A context's deadline ends an operation that waits; one
// that is cancelled without a deadline does so after 5 seconds at the latest.
//
// It needs Redis 6.2. A user of its own needs read and write commands, scripts, PUBLISH,
// INFO and DBSIZE, and with a cluster CLUSTER, for its keys and those that begin with
// "rmilter.probe".
package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9/logging"

	"rmilter/internal/store"
	"rmilter/internal/ucl"
)

// An Env is what the stores of a set have around them. The zero Env will do.
type Env struct {
	// Now is the clock of Health and of what is counted; nil is time.Now.
	Now func() time.Time
	// Buckets is the time of buckets in tests; nil is the servers' own, without which
	// machines whose clocks differ can't share buckets.
	Buckets func() time.Time
	// Log gets, at level debug, each probe that fails, and at level warn once an hour what
	// a server refuses though it is up, as where the user lacks a permission; nil is none.
	Log *slog.Logger
	// Down and Up are called once each when an outage of a store begins and when it ends,
	// in this order. They must not use the store but for its Health.
	Down, Up func(store.Health)
}

// An environment is an Env without gaps and a configuration, for all stores of a set.
type environment struct {
	Env
	config  Config
	tls     *tls.Config // nil is none
	secrets []string
	after   func(time.Duration) <-chan time.Time
	random  func() float64 // from 0 to 1
	connect func(ctx context.Context, network, address string) (net.Conn, error)
	warning sync.Mutex
	warned  map[string]time.Time // what a server refuses, when that was told
}

// An address is where a server is.
type address struct{ network, text string }

// Open returns the stores that a configuration names. It doesn't wait for the servers
// and doesn't fail when they can't be reached: they are asked when they are used, and by
// a probe in the background from now on.
func Open(config Config, env Env) (*store.Set, error) {
	return newEnvironment(config, env).open()
}

func newEnvironment(config Config, env Env) *environment {
	return &environment{Env: env, config: config, after: time.After, random: rand.Float64,
		connect: new(net.Dialer).DialContext, warned: map[string]time.Time{}}
}

func (e *environment) open() (*store.Set, error) {
	logging.Disable() // it writes to stderr otherwise
	if e.Now == nil {
		e.Now = time.Now
	}
	if e.Log == nil {
		e.Log = slog.New(slog.DiscardHandler)
	}
	c := &e.config
	if c.SentinelMaster != "" {
		c.Mode = Sentinel
	}
	if c.ConnectTimeout <= 0 {
		c.ConnectTimeout = DefaultConfig().ConnectTimeout
	}
	for _, secret := range []ucl.Secret{c.Password, c.SentinelPassword} {
		if text := secret.Reveal(); text != "" {
			e.secrets = append(e.secrets, text)
		}
	}
	var err error
	if e.tls, err = newTLS(c); err != nil {
		return nil, err
	}
	return e.set()
}

// set makes the stores: one for each list of servers, also when it stands twice.
func (e *environment) set() (*store.Set, error) {
	c := &e.config
	main := firstOf(c.Servers, c.ServersGrey, c.ServersWhite, c.ServersLimits, c.ServersID, c.ServersSpam, c.ServersCopy)
	if len(main) == 0 {
		return nil, errors.New("redis: no servers")
	}
	if c.Mode == Sentinel && c.SentinelMaster == "" {
		return nil, errors.New("redis: sentinels without sentinel_master")
	}
	made := map[string]*Store{}
	of := func(servers ...ucl.Servers) store.Store {
		addresses := addresses(firstOf(append(servers, main)...))
		var names []string
		for _, a := range addresses {
			names = append(names, a.text)
		}
		slices.Sort(names)
		key := strings.Join(names, " ")
		if made[key] == nil {
			made[key] = e.newStore(addresses)
		}
		return made[key]
	}
	return &store.Set{
		Main:   of(),
		Grey:   of(c.ServersGrey),
		White:  of(c.ServersWhite, c.ServersGrey),
		Limits: of(c.ServersLimits),
		IDs:    of(c.ServersID),
		Spam:   of(c.ServersSpam),
		Copy:   of(c.ServersCopy),
	}, nil
}

// firstOf returns the first list that isn't empty.
func firstOf(lists ...ucl.Servers) ucl.Servers {
	for _, l := range lists {
		if len(l) > 0 {
			return l
		}
	}
	return nil
}

// addresses returns where servers are, each once.
func addresses(servers ucl.Servers) []address {
	var all []address
	for _, s := range servers {
		network, text := s.Address(redisPort)
		if a := (address{network, text}); !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}
