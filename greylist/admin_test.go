package greylist_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rmilter/greylist"
	"rmilter/internal/store"
)

// list returns all that a filter matches, in pages of n.
func (w *world) list(filter string, n int) []greylist.Entry {
	w.t.Helper()
	var all []greylist.Entry
	seen := map[string]bool{}
	for from := ""; ; {
		entries, next, err := w.List(context.Background(), w.stores, filter, from, n)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, e := range entries {
			if !seen[e.Key+string(e.State)] {
				seen[e.Key+string(e.State)] = true
				all = append(all, e)
			}
		}
		if from = next; from == "" {
			slices.SortFunc(all, func(a, b greylist.Entry) int { return strings.Compare(a.Key, b.Key) })
			return all
		}
	}
}

// brief returns what entries are in short.
func brief(entries []greylist.Entry) string {
	var lines []string
	for _, e := range entries {
		key := e.Key
		if e.Kind == greylist.Data {
			key = key[:strings.LastIndexByte(key, ' ')] // without the hash
		}
		lines = append(lines, fmt.Sprintf("%s: %s", e.State, key))
	}
	return strings.Join(lines, "\n")
}

func TestList(t *testing.T) {
	both(t, func(t *testing.T, two bool) {
		w := newWorld(t, two, nil)
		w.forget(t, w.grey, "grey.")
		w.check(query(to("zoe@example.net"))) // begins a warmup: its records are ready
		w.clock.add(11 * time.Minute)
		w.want("joe", query(), greylist.First)
		w.want("domain", query(domain("auth.example"), to("carol@example.org", "dave@example.com")), greylist.First)
		w.clock.add(6 * time.Minute)
		w.want("joe passes", query(), greylist.Passed)
		w.want("bounce", query(from("<>"), client("2001:db8::1"), noContent, to("Alice+x@Example.com", "bob@example.com")), greylist.First)
		const (
			joeData  = "white: data <joe@sender.example> alice@example.com"
			joe      = "white: envelope 192.0.0.0/19 <joe@sender.example> alice@example.com"
			zoeData  = "ready: data <joe@sender.example> zoe@example.net"
			zoe      = "ready: envelope 192.0.0.0/19 <joe@sender.example> zoe@example.net"
			auth     = "ready: domain auth.example example.com,example.org"
			bounce   = "waiting: envelope 2001:db8::/64 <> alice@example.com,bob@example.com"
			nextLine = "\n"
		)
		for _, c := range []struct{ filter, want string }{
			{"", joeData + nextLine + zoeData + nextLine + auth + nextLine + joe + nextLine + zoe + nextLine + bounce},
			{"alice@example.com", joeData + nextLine + joe + nextLine + bounce},
			{"ALICE", joeData + nextLine + joe + nextLine + bounce},
			{"carol@example.org", auth},
			{"192.0.2.7", joeData + nextLine + zoeData + nextLine + auth + nextLine + joe + nextLine + zoe},
			{"192.0.31.9", joe + nextLine + zoe},
			{"::ffff:192.0.31.9", joe + nextLine + zoe},
			{"192.0.64.9", ""},
			{"192.0.0.0/8", joeData + nextLine + zoeData + nextLine + auth + nextLine + joe + nextLine + zoe},
			{"[2001:db8::99]", bounce},
			{"<> envelope", bounce},
			{"<>", bounce},
			{"auth.example", auth},
			{"joe@sender.example zoe", zoeData + nextLine + zoe},
			{"joe nobody", ""},
			{"since", ""},
		} {
			for _, n := range []int{0, 1, 3, 100000} {
				if got := brief(w.list(c.filter, n)); got != c.want {
					t.Errorf("filter %q in pages of %d:\n%s\nwant\n%s", c.filter, n, got, c.want)
				}
			}
		}
	})
}

func TestEntry(t *testing.T) {
	w := newWorld(t, false, nil)
	at := w.clock.now()
	many := []string{"Alice+x@example.com"}
	for i := range 30 {
		many = append(many, fmt.Sprintf("user%02d@example.com", i))
	}
	w.want("new", query(noContent, to(many...), from("<bounce-17-Alice=example.com@sender.example>")), greylist.First)
	e := w.list("alice", 0)[0]
	if e.From != "bounce-17-alice=example.com@sender.example" || len(e.Rcpts) != 20 || e.Rcpts[0] != "alice@example.com" || e.More != 11 || e.Client != "192.0.0.0/19" ||
		!e.Since.Equal(at) || !e.Until.Equal(at.Add(5*time.Minute)) || !e.Expires.Equal(at.Add(24*time.Hour)) {
		t.Errorf("got %+v", e)
	}
	if !strings.Contains(e.Key, "~") {
		t.Errorf("the key %q isn't cut", e.Key)
	}
	same, err := w.Show(context.Background(), w.stores, e.Key)
	if err != nil || same.Key != e.Key || same.From != e.From {
		t.Errorf("got %+v, %v", same, err)
	}
	text, err := json.Marshal(e)
	if err != nil || !strings.Contains(string(text), `"kind":"envelope","state":"waiting","client":"192.0.0.0/19","from":"bounce-17`) {
		t.Errorf("as JSON: %s, %v", text, err)
	}
}

// TestShow has each kind of key shown by what Check calls it.
func TestShow(t *testing.T) {
	both(t, func(t *testing.T, two bool) {
		ctx := context.Background()
		w := newWorld(t, two, nil)
		for _, q := range []greylist.Query{query(), query(domain("auth.example"))} {
			v := w.want("new", q, greylist.First)
			if e, err := w.Show(ctx, w.stores, v.Key); err != nil || e.State != greylist.EntryWaiting || e.Key != v.Key || !e.Until.Equal(v.Until) || !e.Expires.Equal(v.Expires) {
				t.Errorf("%s: got %+v, %v", v.Key, e, err)
			}
			w.clock.add(5 * time.Minute)
			if e, err := w.Show(ctx, w.stores, "  "+strings.ReplaceAll(v.Key, " ", "  ")); err != nil || e.State != greylist.EntryReady {
				t.Errorf("%s: got %+v, %v", v.Key, e, err)
			}
			v = w.want("passed", q, greylist.Passed)
			if e, err := w.Show(ctx, w.stores, v.Key); err != nil || e.State != greylist.EntryWhite || !e.Until.Equal(v.Until) {
				t.Errorf("%s: got %+v, %v", v.Key, e, err)
			}
			v = w.want("white", q, greylist.White)
			if e, err := w.Show(ctx, w.stores, v.Key); err != nil || e.State != greylist.EntryWhite || !e.Until.Equal(v.Until) {
				t.Errorf("%s: got %+v, %v", v.Key, e, err)
			}
		}
		for _, text := range []string{"", "since", "envelope", "envelope x", "nothing here", "domain sender.example", strings.Repeat("envelope x", 1000), "envelope\x00 {}|"} {
			if e, err := w.Show(ctx, w.stores, text); !errors.Is(err, greylist.ErrNotFound) {
				t.Errorf("%.20q: got %+v, %v", text, e, err)
			}
		}
	})
}

func TestPassAndClear(t *testing.T) {
	both(t, func(t *testing.T, two bool) {
		ctx := context.Background()
		w := newWorld(t, two, nil)
		for _, q := range []greylist.Query{query(noContent), query(), query(domain("auth.example"))} {
			v := w.want("new", q, greylist.First)
			e, err := w.Pass(ctx, w.stores, v.Key)
			if err != nil || e.State != greylist.EntryWhite || !e.Until.Equal(w.clock.now().Add(30*24*time.Hour)) {
				t.Errorf("%s: got %+v, %v", v.Key, e, err)
			}
			v = w.want("passed by hand", q, greylist.White)
			if v.Key != e.Key {
				t.Errorf("got key %q, want %q", v.Key, e.Key)
			}
			if err := w.Clear(ctx, w.stores, v.Key); err != nil {
				t.Error(err)
			}
			if got := w.check(q); got.State != greylist.First && q.Content == nil || !got.Defer {
				t.Errorf("after clear: got %+v", got)
			}
			if err := w.Clear(ctx, w.stores, "envelope 192.0.0.0/19 <x@y.example> z"); !errors.Is(err, greylist.ErrNotFound) {
				t.Errorf("clear of nothing: got %v", err)
			}
			if _, err := w.Pass(ctx, w.stores, "envelope 192.0.0.0/19 <x@y.example> z"); !errors.Is(err, greylist.ErrNotFound) {
				t.Errorf("pass of nothing: got %v", err)
			}
			if n, err := w.ClearAll(ctx, w.stores, ""); err != nil || n == 0 {
				t.Errorf("clear all: %d, %v", n, err)
			}
			if got := brief(w.list("", 0)); got != "" {
				t.Errorf("after clear all there is\n%s", got)
			}
		}
	})
}

// TestClearDomain has a domain that has passed cleared: its grey records of all
// recipients go, too, and those of others don't.
func TestClearDomain(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, false, nil)
	d := domain("auth.example")
	for _, r := range []string{"a@example.com", "a@example.org"} {
		w.want(r, query(d, to(r)), greylist.First)
	}
	w.want("other", query(domain("auth.example.com")), greylist.First)
	w.clock.add(6 * time.Minute)
	w.want("passes", query(d), greylist.Passed)
	if err := w.Clear(ctx, w.stores, "domain auth.example"); err != nil {
		t.Fatal(err)
	}
	w.want("cleared", query(d, to("a@example.org")), greylist.First)
	w.want("not cleared", query(domain("auth.example.com")), greylist.Passed)
}

func TestClearAllByFilter(t *testing.T) {
	w := newWorld(t, false, nil)
	w.want("alice", query(), greylist.First)
	w.want("bob", query(to("bob@example.com")), greylist.First)
	w.clock.add(6 * time.Minute)
	w.want("alice passes", query(), greylist.Passed)
	if n, err := w.ClearAll(context.Background(), w.stores, "alice@example.com"); err != nil || n != 4 {
		t.Errorf("got %d, %v, want 4 records", n, err)
	}
	w.want("alice again", query(), greylist.First)
	w.want("bob", query(to("bob@example.com")), greylist.Passed)
}

func TestAdministrationFails(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	w := newWorld(t, true, nil)
	v := w.want("new", query(), greylist.First)
	cancel()
	_, _, listed := w.List(ctx, w.stores, "", "", 0)
	_, shown := w.Show(ctx, w.stores, v.Key)
	_, passed := w.Pass(ctx, w.stores, v.Key)
	_, all := w.ClearAll(ctx, w.stores, "")
	for what, err := range map[string]error{"list": listed, "show": shown, "pass": passed, "clear": w.Clear(ctx, w.stores, v.Key), "clear all": all} {
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: got %v, want %v", what, err, store.ErrUnavailable)
		}
	}
}
