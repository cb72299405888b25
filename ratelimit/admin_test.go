package ratelimit

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/mail"
	"rmilter/internal/store"
)

// filled returns a store with buckets of some mail in use, beside keys of others.
func filled(t *testing.T, l *Limiter, c *clock) *counting {
	t.Helper()
	st := &counting{Store: open(t, c.now)}
	for _, q := range []Query{
		ask(mail.Stranger, "192.0.2.1", "", "<al@example.org>", "<bob@example.com>"),
		ask(mail.Stranger, "192.0.2.1", "", "<al@example.org>", "<bob+x@example.com>"),
		ask(mail.Stranger, "2001:db8:1:2::3", "", "<>", "<eve@example.net>"),
		ask(mail.Authenticated, "198.51.100.1", "alice", "<alice@example.com>", "<zoe@example.org>"),
	} {
		if _, v := l.Take(t.Context(), st, q); v != (Verdict{}) {
			t.Fatalf("%+v: %+v", q, v)
		}
	}
	if _, err := st.Put(t.Context(),
		store.Change{Key: "limit.alert.alice", Value: []byte("{}")},
		store.Change{Key: "limits.are.others", Value: []byte("1")},
		store.Change{Key: "grey.bob", Value: []byte("1")},
	); err != nil {
		t.Fatal(err)
	}
	st.made()
	return st
}

func TestList(t *testing.T) {
	c := newClock()
	l := New(everything(), Env{Delimiter: "+", Now: c.now})
	st := filled(t, l, c)
	c.step(30 * time.Second)
	bob := []string{"to.bob@example.com", "to_ip.bob@example.com:192.0.2.1", "to_ip_from.bob@example.com:192.0.2.1:al@example.org"}
	eve := []string{"bounce_to.eve@example.net", "bounce_to_ip.eve@example.net:2001:db8:1:2::/64", "to.eve@example.net",
		"to_ip.eve@example.net:2001:db8:1:2::/64", "to_ip_from.eve@example.net:2001:db8:1:2::/64:<>"}
	zoe := "to_ip_from.zoe@example.org:198.51.100.1:alice@example.com"
	for _, f := range []struct {
		Filter
		want []string
	}{
		{Filter{}, slices.Concat(bob, eve, []string{zoe, "user.alice"})},
		{Filter{Bucket: "to"}, []string{"to.bob@example.com", "to.eve@example.net"}},
		{Filter{Bucket: "to_ip"}, []string{bob[1], eve[3]}},
		{Filter{Who: "BOB@example.com"}, bob},
		{Filter{Who: "bob+any@Example.com"}, bob},
		{Filter{Who: "<bob@example.com>"}, bob},
		{Filter{Who: "ob@example.com"}, nil},
		{Filter{Who: "@example.com"}, slices.Concat(bob, []string{zoe})},
		{Filter{Who: "@example.org"}, []string{bob[2], zoe}},
		{Filter{Who: "alice"}, []string{"user.alice"}},
		{Filter{Who: "alice@example.com"}, []string{zoe}},
		{Filter{Who: "alice+x@example.com"}, nil},
		{Filter{Who: "192.0.2.1"}, bob[1:]},
		{Filter{Who: "::ffff:192.0.2.1"}, bob[1:]},
		{Filter{Who: "[2001:db8:1:2:ffff::]"}, []string{eve[1], eve[3], eve[4]}},
		{Filter{Who: "2001:db8:1:2::/64"}, []string{eve[1], eve[3], eve[4]}},
		{Filter{Who: "2001:db8:1:3::"}, nil},
		{Filter{Who: "<>"}, []string{eve[4]}},
		{Filter{Bucket: "user", Who: "bob@example.com"}, nil},
	} {
		var got []string
		for from, pages := "", 0; ; pages++ {
			entries, next, err := l.List(t.Context(), st, f.Filter, from, 3)
			if err != nil || pages > 20 {
				t.Fatal(err, pages)
			}
			for _, e := range entries {
				got = append(got, strings.TrimPrefix(e.Key, prefix))
			}
			if from = next; from == "" {
				break
			}
		}
		slices.Sort(got)
		slices.Sort(f.want)
		if d := cmp.Diff(f.want, got); d != "" {
			t.Errorf("%+v (-want +got):\n%s", f.Filter, d)
		}
	}
	if _, _, err := l.List(t.Context(), st, Filter{Bucket: "alert"}, "", 10); !errors.Is(err, ErrNotBucket) {
		t.Errorf("bucket alert: %v", err)
	}
}

func TestShow(t *testing.T) {
	c := newClock()
	l := New(everything(), Env{Delimiter: "+", Now: c.now})
	st := filled(t, l, c)
	c.step(30 * time.Second)
	got, err := l.Show(t.Context(), st, "limit.to_ip_from.eve@example.net:2001:db8:1:2::/64:<>", "limit.to.bob@example.com", "limit.to.nobody", "limit.user.alice")
	if err != nil {
		t.Fatal(err)
	}
	limit := func(name string) store.Limit { return l.limits[kindOf(name)] }
	want := []Entry{
		// A piece each 30 s: all of them are back.
		{Key: "limit.to_ip_from.eve@example.net:2001:db8:1:2::/64:<>", Bucket: "to_ip_from", Rcpt: "eve@example.net", Client: "2001:db8:1:2::/64", From: "<>", Limit: limit("to_ip_from")},
		{Key: "limit.to.bob@example.com", Bucket: "to", Rcpt: "bob@example.com", Limit: limit("to"), Used: 2, Full: c.now().Add(90 * time.Second)},
		{Key: "limit.user.alice", Bucket: "user", User: "alice", Limit: limit("user")},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := st.made(); got != "get 4" {
		t.Errorf("round trips %q", got)
	}
	off, err := New(DefaultConfig(), Env{Now: c.now}).Show(t.Context(), st, "limit.to.bob@example.com")
	if d := cmp.Diff([]Entry{{Key: "limit.to.bob@example.com", Bucket: "to", Rcpt: "bob@example.com"}}, off); d != "" || err != nil {
		t.Errorf("a bucket that is off: %v (-want +got):\n%s", err, d)
	}
	if _, err := l.Show(t.Context(), st, "grey.bob"); !errors.Is(err, ErrNotBucket) {
		t.Errorf("key of others: %v", err)
	}
}

func TestReset(t *testing.T) {
	c := newClock()
	l := New(everything(), Env{Delimiter: "+", Now: c.now})
	st := filled(t, l, c)
	n, err := Reset(t.Context(), st, "limit.to.bob@example.com", "limit.to.nobody", "limit.user.alice")
	if n != 2 || err != nil {
		t.Errorf("%d reset, %v, want 2", n, err)
	}
	values, err := st.Get(t.Context(), "limit.alert.alice", "limits.are.others", "grey.bob", "limit.to.bob@example.com", "limit.user.alice", "limit.to.eve@example.net")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{false, true, true, false, false, true} {
		if (values[i] != nil) != want {
			t.Errorf("value %d: %q", i, values[i])
		}
	}
	if _, err := Reset(t.Context(), st, "limit.to.eve@example.net", "grey.bob"); !errors.Is(err, ErrNotBucket) {
		t.Errorf("key of others: %v", err)
	}
	keys, err := l.ResetAll(t.Context(), st, Filter{Who: "bob@example.com"})
	if slices.Sort(keys); err != nil || !slices.Equal(keys, []string{"limit.to_ip.bob@example.com:192.0.2.1", "limit.to_ip_from.bob@example.com:192.0.2.1:al@example.org"}) {
		t.Errorf("reset %q, %v", keys, err)
	}
	if keys, err = l.ResetAll(t.Context(), st, Filter{}); len(keys) != 6 || err != nil {
		t.Errorf("reset %q, %v, want 6", keys, err)
	}
	if got := stored(t, l, st); got != nil {
		t.Errorf("in use %q", got)
	}
	if values, err = st.Get(t.Context(), "limits.are.others", "grey.bob"); err != nil || values[0] == nil || values[1] == nil {
		t.Errorf("records of others: %q, %v", values, err)
	}
}

func TestAdminStoreFails(t *testing.T) {
	c := newClock()
	l := New(everything(), Env{Now: c.now})
	st := filled(t, l, c)
	for _, op := range []string{"list", "get", "delete"} {
		st.fail = map[string]error{op: errDown}
		var err error
		switch op {
		case "list":
			if _, _, err = l.List(t.Context(), st, Filter{}, "", 1); unavailable(err) {
				_, err = l.ResetAll(t.Context(), st, Filter{})
			}
		case "get":
			_, err = l.Show(t.Context(), st, "limit.to.bob@example.com")
		case "delete":
			if _, err = Reset(t.Context(), st, "limit.to.bob@example.com"); unavailable(err) {
				if _, err = Reset(t.Context(), st, "limit.user.alice"); unavailable(err) {
					_, err = l.ResetAll(t.Context(), st, Filter{})
				}
			}
		}
		if !unavailable(err) {
			t.Errorf("%s: %v", op, err)
		}
	}
}
