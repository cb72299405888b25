package redis

import (
	"context"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"rmilter/internal/store"
)

// Bounds of one call of List.
const (
	scanMost   = 1000 // keys that a server looks at in one step
	scanLeast  = 100
	scanRounds = 64 // steps, of which a rare prefix needs many
)

// A place is how far a listing has got: which of how many nodes, and where in it. A node
// that is another process than before, or other nodes, begin again: what a cursor means
// is theirs alone.
type place struct {
	nodes  uint32 // hash of their names
	node   int
	run    string // the process
	cursor string // SCAN's
}

func (p place) String() string {
	return fmt.Sprintf("%08x.%d.%s.%s", p.nodes, p.node, p.run, p.cursor)
}

// parsePlace reads what String writes; "" is the beginning.
func parsePlace(text string) (p place, err error) {
	if text == "" {
		return place{cursor: "0"}, nil
	}
	f := strings.Split(text, ".")
	if len(f) == 4 {
		nodes, err1 := strconv.ParseUint(f[0], 16, 32)
		node, err2 := strconv.ParseUint(f[1], 10, 16)
		_, err3 := strconv.ParseUint(f[3], 10, 64)
		if err1 == nil && err2 == nil && err3 == nil {
			return place{uint32(nodes), int(node), f[2], f[3]}, nil
		}
	}
	return p, fmt.Errorf("%.80q is no place of a listing: %w", text, store.ErrCorrupt)
}

// List implements store.Store. While slots of a cluster move, it may miss their keys.
func (s *Store) List(ctx context.Context, prefix, from string, n int) ([]store.Item, string, error) {
	if len(prefix) > store.MaxKey {
		return nil, "", fmt.Errorf("prefix of %d bytes: %w", len(prefix), store.ErrTooLarge)
	}
	p, err := parsePlace(from)
	if err != nil {
		return nil, "", err
	}
	if err := s.ready(ctx); err != nil {
		return nil, "", err
	}
	nodes, err := s.router.nodes(ctx)
	if err != nil {
		return nil, "", err
	}
	if h := hashOf(nodes); p.nodes != h || p.node >= len(nodes) {
		p = place{nodes: h, cursor: "0"}
	}
	n = max(1, min(n, store.MaxBatch))
	var items []store.Item
	for range scanRounds {
		more, err := s.scan(ctx, nodes[p.node], prefix, n-len(items), &p)
		if err != nil {
			return nil, "", err
		}
		items = append(items, more...)
		if p.cursor == "0" {
			if p.node++; p.node == len(nodes) {
				return items, "", nil
			}
		}
		if len(items) >= n {
			break
		}
	}
	return items, p.String(), nil
}

func hashOf(nodes []*node) uint32 {
	h := fnv.New32a()
	for _, n := range nodes {
		h.Write([]byte(n.name))
		h.Write([]byte{0})
	}
	return h.Sum32()
}

// scan does one step on a node, and moves the place on.
func (s *Store) scan(ctx context.Context, n *node, prefix string, count int, p *place) ([]store.Item, error) {
	info := &request{args: []any{"INFO", "server"}, at: n}
	scan := &request{at: n, args: []any{"SCAN", p.cursor, "MATCH", pattern(prefix), "COUNT", max(scanLeast, min(count, scanMost)), "TYPE", "string"}}
	if err := s.do(ctx, forBulk, []*request{info, scan}); err != nil {
		return nil, err
	}
	text, _ := info.cmd.Val().(string)
	run := runID(text)
	again := p.cursor != "0" && p.run != run
	if p.run = run; again {
		p.cursor = "0"
		return s.scan(ctx, n, prefix, count, p)
	}
	answer, _ := scan.cmd.Val().([]any)
	if len(answer) != 2 {
		return nil, fmt.Errorf("%s: SCAN: %w", n.name, store.ErrCorrupt)
	}
	p.cursor, _ = answer[0].(string)
	found, _ := answer[1].([]any)
	return s.items(ctx, found)
}

// runID returns the identity of a server's process in what INFO tells.
func runID(info string) string {
	for line := range strings.Lines(info) {
		if id, ok := strings.CutPrefix(line, "run_id:"); ok {
			return strings.TrimSpace(id)
		}
	}
	return ""
}

// pattern returns the glob for what begins with a prefix.
func pattern(prefix string) string {
	var b strings.Builder
	for i := range len(prefix) {
		if strings.IndexByte(`*?[]\`, prefix[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(prefix[i])
	}
	return b.String() + "*"
}

// items returns what there is of keys.
func (s *Store) items(ctx context.Context, keys []any) ([]store.Item, error) {
	var requests []*request
	for _, k := range keys {
		if key, _ := k.(string); !strings.HasPrefix(key, probePrefix) {
			requests = append(requests, &request{key: key, args: []any{"GET", key}}, &request{key: key, args: []any{"PTTL", key}})
		}
	}
	if len(requests) == 0 {
		return nil, nil
	}
	if err := s.do(ctx, forBulk, requests); err != nil {
		return nil, err
	}
	var items []store.Item
	for i := 0; i < len(requests); i += 2 {
		value, ok := requests[i].cmd.Val().(string)
		ms, _ := requests[i+1].cmd.Val().(int64)
		if life := lifetime(ms); ok && life != store.Absent {
			items = append(items, store.Item{Key: requests[i].key, Value: []byte(value), Lifetime: life})
		}
	}
	return items, nil
}
