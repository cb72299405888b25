package redis

import (
	"context"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// maxRounds is how often a request is sent at most: besides the first time, a script may
// be unknown and a key may have moved, each once more at its new place.
const maxRounds = 6

// A request is a command with one key, or a script.
type request struct {
	key    string
	args   []any // the command; with a script what it is given besides the key
	script *script

	full   bool  // send the script's text
	asking bool  // the node has the key for now only
	at     *node // who is to be asked; nil is who has the key
	cmd    *goredis.Cmd
}

// command returns the command, without an answer.
func (r *request) command(ctx context.Context) *goredis.Cmd {
	args := r.args
	if r.script != nil {
		name, script := "EVALSHA", r.script.sum
		if r.full {
			name, script = "EVAL", r.script.text
		}
		args = append([]any{name, script, "1", r.key}, r.args...)
	}
	r.cmd = goredis.NewCmd(ctx, args...)
	return r.cmd
}

// do sends requests to who has their keys, all at once, and again what has to go
// somewhere else. Without an error each has its answer.
func (s *Store) do(ctx context.Context, p purpose, requests []*request) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	var done error
	for range maxRounds {
		groups, err := s.group(ctx, requests)
		if err != nil {
			return err
		}
		groups.send(ctx, p)
		if requests, err = s.again(ctx, groups); err != nil && done == nil {
			done = err
		}
		if len(requests) == 0 || done != nil {
			return done
		}
	}
	return unavailable(s.address, "the servers send us round in circles", nil)
}

// ready returns an error when nothing can be asked.
func (s *Store) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return unavailable(s.address, "no time to ask", err)
	}
	if s.ctx.Err() != nil {
		return unavailable(s.address, "the store is closed", nil)
	}
	return nil
}

// A group are requests for one node.
type group struct {
	node     *node
	requests []*request
}

type groups []group

// group sorts requests by their nodes, all of which are up.
func (s *Store) group(ctx context.Context, requests []*request) (groups, error) {
	var all groups
	index := map[*node]int{}
	for _, r := range requests {
		n := r.at
		if n == nil {
			var err error
			if n, err = s.router.pick(ctx, r.key); err != nil {
				return nil, err
			}
		}
		i, ok := index[n]
		if !ok {
			if err := n.check(); err != nil {
				return nil, err
			}
			i = len(all)
			index[n] = i
			all = append(all, group{node: n})
		}
		all[i].requests = append(all[i].requests, r)
	}
	return all, nil
}

// send sends all requests and waits for all answers.
func (g groups) send(ctx context.Context, p purpose) {
	if len(g) == 1 {
		g[0].node.send(ctx, p, g[0].requests)
		return
	}
	done := make(chan struct{})
	for _, one := range g {
		go func() {
			one.node.send(ctx, p, one.requests)
			done <- struct{}{}
		}()
	}
	for range g {
		<-done
	}
}

// again returns the requests that have to be sent once more, with where to, and the first
// error.
func (s *Store) again(ctx context.Context, sent groups) (todo []*request, first error) {
	for _, g := range sent {
		taught := map[*script]bool{}
		for _, r := range g.requests {
			err := r.cmd.Err()
			switch k := judge(ctx, err); k {
			case fine:
				continue
			case noScript:
				// The first one teaches the server the script for those after it.
				r.at, r.full = g.node, !taught[r.script]
				taught[r.script] = true
			case moved, asked:
				r.at, r.asking, r.full = s.redirect(g.node, r.key, err, k == moved), k == asked, false
				if r.at == nil {
					return nil, unavailable(g.node.name, "the server is one of a cluster; expected mode = cluster", nil)
				}
			default:
				if first == nil {
					first = s.env.failure(ctx, g.node.name, k, err)
				}
				continue
			}
			todo = append(todo, r)
		}
	}
	return todo, first
}

// redirect returns the node that an answer MOVED or ASK of another names.
func (s *Store) redirect(from *node, key string, answer error, forGood bool) *node {
	words := strings.Fields(answer.Error())
	if len(words) < 3 {
		return nil
	}
	address := words[2]
	if strings.HasPrefix(address, ":") { // who doesn't know the host
		address = hostOf(from.name) + address
	}
	return s.router.redirect(key, address, forGood)
}
