package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rmilter/greylist"
	"rmilter/internal/filter"
	"rmilter/internal/mail"
	"rmilter/internal/metrics"
	"rmilter/internal/policy"
	"rmilter/internal/spool"
	"rmilter/internal/store"
	"rmilter/internal/store/embedded"
	"rmilter/internal/ucl"
	"rmilter/ratelimit"
	"rmilter/scan"
)

// A kept is a controller with the real rules over a store in memory.
type kept struct {
	*Server
	t        testing.TB
	log      syncBuffer
	clock    time.Time
	store    *embedded.Store
	stores   *store.Set
	greylist *greylist.Greylist
	limits   *ratelimit.Limiter
	users    *ratelimit.Watch
}

// newKept makes a kept as prepare changes the rules and options.
func newKept(t testing.TB, prepare func(*filter.Rules, *Options)) *kept {
	t.Helper()
	k := &kept{t: t, clock: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	now := func() time.Time { return k.clock }
	var err error
	if k.store, err = embedded.Open(embedded.Options{Now: now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.store.Close() })
	k.stores, k.users = store.Same(k.store), ratelimit.NewWatch(now)
	grey := greylist.DefaultConfig()
	grey.Warmup = 0
	k.greylist = greylist.New(grey, greylist.Env{Now: now, Location: time.UTC, Delimiter: "+", GreyPrefix: "grey", WhitePrefix: "white"})
	limits := ratelimit.DefaultConfig()
	limits.User, limits.To = ucl.Bucket{Burst: 3, Rate: 3. / 3600}, ucl.Bucket{Burst: 20, Rate: 0.1}
	k.limits = ratelimit.New(limits, ratelimit.Env{Delimiter: "+", Now: now})

	engine, err := scan.NewEngine(scan.NewConfig(nil), scan.Env{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	rules := filter.Rules{Scanner: engine, Greylist: k.greylist, Limits: k.limits}
	o := Options{Status: fixedStatus, Spool: spool.New(t.TempDir(), 1<<20), Log: slog.New(slog.NewTextHandler(&k.log, nil))}
	if prepare != nil {
		prepare(&rules, &o)
	}
	f := filter.New(filter.DefaultConfig(), policy.DefaultConfig(), rules, &filter.Env{Figures: metrics.New(now), Now: now, Stores: k.stores, Users: k.users})
	o.Filter = func() *filter.Filter { return f }
	if k.Server, err = New(o); err != nil {
		t.Fatal(err)
	}
	return k
}

// ask asks over the control socket, with names and values of parameters in turn.
func (k *kept) ask(method, path string, params ...string) *httptest.ResponseRecorder {
	k.t.Helper()
	q := url.Values{}
	for i := 0; i < len(params); i += 2 {
		q.Add(params[i], params[i+1])
	}
	w := httptest.NewRecorder()
	(&handler{server: k.Server, trusted: true}).ServeHTTP(w, httptest.NewRequest(method, path+"?"+q.Encode(), nil))
	return w
}

// want asks and wants a code, and the answer into v.
func (k *kept) want(code int, v any, method, path string, params ...string) {
	k.t.Helper()
	w := k.ask(method, path, params...)
	if w.Code != code {
		k.t.Fatalf("%s %s %q: got %d %s, want %d", method, path, params, w.Code, w.Body, code)
	}
	if err := json.Unmarshal(w.Body.Bytes(), v); err != nil {
		k.t.Fatalf("%s %s: %v: %s", method, path, err, w.Body)
	}
}

// seen has greylisting asked about mail.
func (k *kept) seen(want greylist.State, client, from string, rcpts ...string) {
	k.t.Helper()
	q := greylist.Query{Client: netip.MustParseAddr(client), From: mail.ParseAddress(from)}
	for _, r := range rcpts {
		q.Rcpts = append(q.Rcpts, mail.ParseAddress(r))
	}
	if v := k.greylist.Check(context.Background(), k.stores, q); v.State != want || v.Err != nil {
		k.t.Fatalf("%s from %s to %v: got %s, %v, want %s", from, client, rcpts, v.State, v.Err, want)
	}
}

// sent has a user send to so many recipients.
func (k *kept) sent(user string, n int) (refused ratelimit.Verdict) {
	k.t.Helper()
	for i := range n {
		_, v := k.limits.Take(context.Background(), k.store, ratelimit.Query{Trust: mail.Authenticated, Client: netip.MustParseAddr("192.0.2.9"),
			User: user, From: mail.ParseAddress(user), Rcpt: mail.ParseAddress(fmt.Sprintf("r%d@example.org", i))})
		if v.Err != nil {
			k.t.Fatal(v.Err)
		}
		if v.Refused {
			refused = v
			k.users.Note(context.Background(), k.store, user, v)
		}
	}
	return refused
}

const joeKey = "envelope 192.0.0.0/19 <joe@sender.example> alice@example.com"

func TestGreylistEndpoints(t *testing.T) {
	k := newKept(t, nil)
	var page GreylistPage
	if w := k.ask("GET", "/greylist"); w.Body.String() != `{"entries":[],"next":""}`+"\n" {
		t.Errorf("an empty store: got %s", w.Body)
	}
	k.seen(greylist.First, "192.0.2.7", "joe@sender.example", "alice@example.com")
	for i := range 5 {
		k.seen(greylist.First, "203.0.113.5", fmt.Sprintf("%c@other.example", 'a'+i), "bob@example.com")
	}
	k.want(200, &page, "GET", "/greylist", "filter", "JOE 192.0.2.0/24")
	begin := k.clock.Truncate(time.Millisecond)
	waiting := greylist.Entry{Key: joeKey, Kind: greylist.Envelope, State: greylist.EntryWaiting, Client: "192.0.0.0/19", From: "joe@sender.example",
		Rcpts: []string{"alice@example.com"}, Since: begin, Until: begin.Add(5 * time.Minute), Expires: begin.Add(24 * time.Hour)}
	if diff := cmp.Diff(GreylistPage{Entries: []greylist.Entry{waiting}}, page); diff != "" {
		t.Errorf("list, -want +got:\n%s", diff)
	}
	found := map[string]bool{}
	for from, pages := "", 0; ; pages++ {
		k.want(200, &page, "GET", "/greylist", "n", "2", "from", from)
		for _, e := range page.Entries {
			found[e.Key] = true
		}
		if from = page.Next; from == "" {
			break
		}
		if pages > 10 {
			t.Fatal("the pages don't end")
		}
	}
	if len(found) != 6 {
		t.Errorf("in pages: got %d entries, want 6: %v", len(found), found)
	}

	var e greylist.Entry
	k.want(200, &e, "GET", "/greylist/show", "key", joeKey)
	if diff := cmp.Diff(waiting, e); diff != "" {
		t.Errorf("show, -want +got:\n%s", diff)
	}
	k.want(200, &e, "POST", "/greylist/pass", "key", joeKey)
	if e.State != greylist.EntryWhite || !e.Until.Equal(begin.Add(30*24*time.Hour)) {
		t.Errorf("pass: got %+v, want it white for 30 days", e)
	}
	k.seen(greylist.White, "192.0.2.7", "joe@sender.example", "alice@example.com")

	var c Changed
	k.want(200, &c, "POST", "/greylist/clear", "filter", "d@other.example")
	if c.Changed != 1 {
		t.Errorf("clear by a filter: got %d, want 1", c.Changed)
	}
	k.seen(greylist.First, "203.0.113.5", "d@other.example", "bob@example.com")
	k.seen(greylist.Early, "203.0.113.5", "e@other.example", "bob@example.com")
	k.want(200, &c, "POST", "/greylist/clear", "key", joeKey)
	k.seen(greylist.First, "192.0.2.7", "joe@sender.example", "alice@example.com")
	k.want(200, &c, "POST", "/greylist/clear", "all", "1")
	if c.Changed != 6 {
		t.Errorf("clear all: got %d, want 6", c.Changed)
	}
	k.want(404, &c, "POST", "/greylist/clear", "key", joeKey)
	k.want(200, &c, "POST", "/greylist/clear", "filter", "nobody")
	if c.Changed != 0 {
		t.Errorf("clear of what isn't there: got %d, want 0", c.Changed)
	}
	if log := k.log.String(); strings.Count(log, "state changed by hand") != 6 || !strings.Contains(log, "path=/greylist/clear") || !strings.Contains(log, "records=6") {
		t.Errorf("the log: %s", log)
	}
}

func TestRatelimitEndpoints(t *testing.T) {
	k := newKept(t, nil)
	refused := k.sent("joe@example.com", 5)
	k.sent("ann@example.com", 1)
	if refused.Key != "limit.user.joe@example.com" || len(k.users.Over()) != 1 {
		t.Fatalf("refused %+v, over %+v", refused, k.users.Over())
	}
	var page LimitPage
	k.want(200, &page, "GET", "/ratelimit", "bucket", "user", "who", "joe@example.com")
	joe := LimitEntry{Key: refused.Key, Bucket: "user", User: "joe@example.com", Burst: 3, Every: 1200, Used: 3, Full: k.clock.Add(time.Hour)}
	if diff := cmp.Diff(LimitPage{Entries: []LimitEntry{joe}}, page); diff != "" {
		t.Errorf("list, -want +got:\n%s", diff)
	}
	var e LimitEntry
	k.want(200, &e, "GET", "/ratelimit/show", "key", refused.Key)
	if diff := cmp.Diff(joe, e); diff != "" {
		t.Errorf("show, -want +got:\n%s", diff)
	}
	found := map[string]bool{}
	for from := ""; ; {
		k.want(200, &page, "GET", "/ratelimit", "n", "1", "from", from)
		for _, e := range page.Entries {
			found[e.Key] = true
		}
		if from = page.Next; from == "" {
			break
		}
	}
	if len(found) != 2 {
		t.Errorf("in pages: got %v, want the buckets of two users", found)
	}
	// The one who is looked for is the last of many.
	k.want(200, &page, "GET", "/ratelimit", "n", "1", "who", "joe@example.com")
	if len(page.Entries) != 1 {
		t.Errorf("behind others: got %+v, want joe's", page)
	}

	var c Changed
	k.want(200, &c, "POST", "/ratelimit/reset", "key", refused.Key)
	if c.Changed != 1 || len(k.users.Over()) != 0 {
		t.Errorf("reset: got %d and %+v over their limits, want 1 and nobody", c.Changed, k.users.Over())
	}
	k.want(404, &c, "GET", "/ratelimit/show", "key", refused.Key)
	k.want(404, &c, "POST", "/ratelimit/reset", "key", refused.Key)
	if v := k.sent("joe@example.com", 3); v.Refused {
		t.Errorf("after the reset: got %+v, want room for three", v)
	}
	k.want(200, &c, "POST", "/ratelimit/reset", "who", "@example.com", "bucket", "user")
	if c.Changed != 2 {
		t.Errorf("reset of a domain: got %d, want 2", c.Changed)
	}
	k.sent("joe@example.com", 1)
	k.want(200, &c, "POST", "/ratelimit/reset", "all", "1")
	if c.Changed != 1 {
		t.Errorf("reset of all: got %d, want 1", c.Changed)
	}
}

// TestStateParameters is what is refused, so that nothing is changed that wasn't meant.
func TestStateParameters(t *testing.T) {
	k := newKept(t, nil)
	k.seen(greylist.First, "192.0.2.7", "joe@sender.example", "alice@example.com")
	k.sent("joe@example.com", 1)
	long := strings.Repeat("x", maxParam+1)
	for _, tt := range []struct {
		method, path, query string
		code                int
		message             string
	}{
		{"GET", "/greylist", "fliter=joe", 400, `"fliter" is no parameter; expected one of [filter from n]`},
		{"GET", "/greylist", "n=0", 400, "n=0 is no number from 1 to 1000"},
		{"GET", "/greylist", "n=1001", 400, "n=1001 is no number from 1 to 1000"},
		{"GET", "/greylist", "n=x", 400, "n=x is no number"},
		{"GET", "/greylist", "filter=" + long, 400, "filter is longer than 600 bytes"},
		{"GET", "/greylist", "filter=a&filter=b", 400, "filter is given twice"},
		{"GET", "/greylist", "%zz", 400, "the query can't be read"},
		{"GET", "/greylist/show", "", 400, "key= is needed"},
		{"GET", "/greylist/show", "key=joe", 404, "no such record"},
		{"GET", "/greylist/show", "key=" + url.QueryEscape(strings.Repeat("envelope x ", 40)), 404, "no such record"},
		{"POST", "/greylist/pass", "key=", 400, "key= is needed"},
		{"POST", "/greylist/pass", "filter=joe", 400, `"filter" is no parameter`},
		{"POST", "/greylist/clear", "", 400, "one of key, [filter] and all=1 is needed"},
		{"POST", "/greylist/clear", "filter=", 400, "one of key, [filter] and all=1 is needed"},
		{"POST", "/greylist/clear", "all=yes", 400, "all=yes: expected all=1"},
		{"POST", "/greylist/clear", "all=1&filter=x", 400, "one of key, [filter] and all=1 is needed"},
		{"GET", "/greylist/clear", "all=1", 405, "Invalid method"},
		{"GET", "/ratelimit", "bucket=users", 400, `not a rate limit: "users"; expected one of user, `},
		{"GET", "/ratelimit", "n=-1", 400, "n=-1 is no number"},
		{"GET", "/ratelimit/show", "key=grey.x", 400, `not a rate limit: "grey.x"`},
		{"POST", "/ratelimit/reset", "", 400, "one of key, [bucket who] and all=1 is needed"},
		{"POST", "/ratelimit/reset", "bucket=&who=", 400, "one of key, [bucket who] and all=1 is needed"},
		{"POST", "/ratelimit/reset", "bucket=user&hwo=joe", 400, `"hwo" is no parameter`},
		{"POST", "/ratelimit/reset", "key=grey.x", 400, `not a rate limit: "grey.x"`},
		{"POST", "/ratelimit/reset", "key=limit.user.joe&all=1", 400, "one of key, "},
	} {
		w := httptest.NewRecorder()
		(&handler{server: k.Server, trusted: true}).ServeHTTP(w, httptest.NewRequest(tt.method, tt.path+"?"+tt.query, nil))
		var got struct{ Error string }
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != tt.code || !strings.Contains(got.Error, tt.message) {
			t.Errorf("%s %s?%.60s: got %d %s, want %d, %s", tt.method, tt.path, tt.query, w.Code, w.Body, tt.code, tt.message)
		}
	}
	var grey GreylistPage
	var limits LimitPage
	k.want(200, &grey, "GET", "/greylist")
	k.want(200, &limits, "GET", "/ratelimit")
	if len(grey.Entries) != 1 || len(limits.Entries) != 1 {
		t.Errorf("afterwards: got %d and %d entries, want one of each", len(grey.Entries), len(limits.Entries))
	}
}

// TestStateOff asks where the configuration has switched things off, and where the store
// fails.
func TestStateOff(t *testing.T) {
	off := newKept(t, func(r *filter.Rules, _ *Options) { r.Greylist, r.Limits = nil, nil })
	down := newKept(t, nil)
	down.seen(greylist.First, "192.0.2.7", "joe@sender.example", "alice@example.com")
	down.store.Close()
	for _, tt := range []struct{ method, path, key, value string }{
		{"GET", "/greylist", "", ""}, {"GET", "/greylist/show", "key", joeKey}, {"POST", "/greylist/pass", "key", joeKey},
		{"POST", "/greylist/clear", "all", "1"}, {"POST", "/greylist/clear", "key", joeKey},
		{"GET", "/ratelimit", "", ""}, {"GET", "/ratelimit/show", "key", "limit.user.joe"}, {"POST", "/ratelimit/reset", "key", "limit.user.joe"},
		{"POST", "/ratelimit/reset", "all", "1"},
	} {
		var params []string
		if tt.key != "" {
			params = []string{tt.key, tt.value}
		}
		var got struct{ Error string }
		if off.want(409, &got, tt.method, tt.path, params...); !strings.Contains(got.Error, "off in the configuration") {
			t.Errorf("%s, off: got %q", tt.path, got.Error)
		}
		if down.want(503, &got, tt.method, tt.path, params...); !strings.Contains(got.Error, "store unavailable") {
			t.Errorf("%s, store closed: got %q", tt.path, got.Error)
		}
	}
	never := newKept(t, func(r *filter.Rules, _ *Options) {
		c := greylist.DefaultConfig()
		c.Warmup, c.ExpireWhite = 0, 0
		r.Greylist = greylist.New(c, greylist.Env{Now: time.Now, Location: time.UTC, GreyPrefix: "grey", WhitePrefix: "white"})
	})
	never.seen(greylist.First, "192.0.2.7", "joe@sender.example", "alice@example.com")
	var got struct{ Error string }
	if never.want(409, &got, "POST", "/greylist/pass", "key", joeKey); !strings.Contains(got.Error, "expire_white") {
		t.Errorf("pass with expire_white = 0: got %q", got.Error)
	}
}

// A failing store takes so many deletions.
type failing struct {
	store.Store
	left int
}

func (f *failing) Delete(ctx context.Context, keys ...string) (int, error) {
	if f.left--; f.left < 0 {
		return 0, fmt.Errorf("%w: gone away", store.ErrUnavailable)
	}
	return f.Store.Delete(ctx, keys...)
}

// TestChangedBefore has the store fail in the middle: the answer says what was done.
func TestChangedBefore(t *testing.T) {
	k := newKept(t, nil)
	for i := range 1500 {
		if _, err := k.store.Put(t.Context(), store.Change{Key: fmt.Sprintf("limit.to.r%d@example.com", i), Value: []byte("1"), Volatile: true}); err != nil {
			t.Fatal(err)
		}
	}
	k.stores.Limits = &failing{k.store, 1}
	var c Changed
	k.want(503, &c, "POST", "/ratelimit/reset", "bucket", "to")
	if c.Changed != 1000 || !strings.Contains(c.Error, "gone away") {
		t.Errorf("got %+v, want 1000 and why it stopped", c)
	}
}

// TestBadPlace gives a place at which no list can go on, which only some stores notice.
func TestBadPlace(t *testing.T) {
	k := newKept(t, nil)
	k.stores.Limits, k.stores.Grey = &placeless{k.store}, &placeless{k.store}
	for _, path := range []string{"/greylist", "/ratelimit"} {
		var got struct{ Error string }
		if k.want(400, &got, "GET", path, "from", "grey:x"); !strings.Contains(got.Error, "from: no place") {
			t.Errorf("%s: got %q", path, got.Error)
		}
		k.want(500, &got, "GET", path)
	}
}

// A placeless store knows no place of a list.
type placeless struct{ store.Store }

func (*placeless) List(context.Context, string, string, int) ([]store.Item, string, error) {
	return nil, "", fmt.Errorf("no place: %w", store.ErrCorrupt)
}

// FuzzState asks with any query, on all paths: the answer is JSON and no fault of ours.
func FuzzState(f *testing.F) {
	for _, q := range []string{"", "key=" + url.QueryEscape(joeKey), "filter=joe+192.0.2.0/24&n=3", "all=1", "bucket=user&who=@example.com", "from=white:x", "key=limit.user.a", "%zz&;", "who=%00%ff&n=1000"} {
		f.Add(q)
	}
	k := newKept(f, nil)
	k.seen(greylist.First, "192.0.2.7", "joe@sender.example", "alice@example.com")
	k.sent("joe@example.com", 2)
	f.Fuzz(func(t *testing.T, query string) {
		for path, e := range k.table {
			if !strings.HasPrefix(path, "/greylist") && !strings.HasPrefix(path, "/ratelimit") {
				continue
			}
			r := httptest.NewRequest(e.method, path, nil)
			r.URL.RawQuery = query
			w := httptest.NewRecorder()
			(&handler{server: k.Server, trusted: true}).ServeHTTP(w, r)
			if !json.Valid(w.Body.Bytes()) || w.Code != 200 && w.Code != 400 && w.Code != 404 {
				t.Errorf("%s?%q: got %d %s", path, query, w.Code, w.Body)
			}
		}
	})
}

// TestSearchesTakeTurns has as many searches under way as there may be: another one waits
// for as long as its client does, and what knows its key doesn't.
func TestSearchesTakeTurns(t *testing.T) {
	k := newKept(t, nil)
	inside, leave := make(chan struct{}), make(chan struct{})
	k.stores.Limits = &blocked{k.store, inside, leave}
	ended := make(chan int)
	for range searches {
		go func() { ended <- k.ask("GET", "/ratelimit").Code }()
		<-inside
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	(&handler{server: k.Server, trusted: true}).ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/greylist", nil))
	if w.Code != 503 || !strings.Contains(w.Body.String(), errBusy.Error()) {
		t.Errorf("one too many: got %d %s, want 503", w.Code, w.Body)
	}
	var got struct{ Error string }
	k.want(404, &got, "GET", "/greylist/show", "key", joeKey)
	close(leave)
	for range searches {
		if code := <-ended; code != 200 {
			t.Errorf("a search: got %d, want 200", code)
		}
	}
}

// A blocked store tells when it is to list something, and waits.
type blocked struct {
	store.Store
	inside, leave chan struct{}
}

func (b *blocked) List(ctx context.Context, prefix, from string, n int) ([]store.Item, string, error) {
	b.inside <- struct{}{}
	<-b.leave
	return b.Store.List(ctx, prefix, from, n)
}

// TestStateErrors gives each error its code.
func TestStateErrors(t *testing.T) {
	for err, want := range map[error]int{
		fmt.Errorf("x: %w", store.ErrTooLarge):      400,
		fmt.Errorf("x: %w", store.ErrCorrupt):       500,
		fmt.Errorf("x: %w", context.Canceled):       503,
		fmt.Errorf("x: %w", store.ErrUnavailable):   503,
		fmt.Errorf("x: %w", greylist.ErrNotFound):   404,
		fmt.Errorf("x: %w", ratelimit.ErrNotBucket): 400,
		errors.New("strange"):                       500,
	} {
		w := httptest.NewRecorder()
		if writeStateError(w, nil, err); w.Code != want {
			t.Errorf("%v: got %d, want %d", err, w.Code, want)
		}
	}
}

// TestStateRights is who may ask for what of all that there is: everything that changes
// something needs the right to.
func TestStateRights(t *testing.T) {
	k := newKept(t, func(_ *filter.Rules, o *Options) {
		o.Policy = Policy{Password: "p", EnablePassword: "e"}
		o.Reload = func() (Reload, error) { return Reload{Success: true}, nil }
	})
	needs := map[string]access{
		"/ping": open, "/status": read, "/metrics": read, "/reload": write, "/checkv2": read, "/check": read, "/scan": read,
		"/symbols": read, "/actions": read, "/greylist": read, "/greylist/show": read, "/greylist/pass": write, "/greylist/clear": write,
		"/ratelimit": read, "/ratelimit/show": read, "/ratelimit/reset": write, "/rbl": read, "/backup": write, "/restore": write,
	}
	for path := range k.table {
		if _, known := needs[path]; !known {
			t.Errorf("%s is new: who may ask for it?", path)
		}
	}
	client := netip.MustParseAddr("192.0.2.1")
	for path, need := range needs {
		client = client.Next() // so that nobody is wrong too often
		e, there := k.table[path]
		if !there || e.needs != need || need == write && e.method == http.MethodGet && path != "/backup" {
			t.Errorf("%s: got %+v, want the right %d", path, e, need)
		}
		for _, given := range []struct {
			password string
			has      access
			refused  int
		}{{"", open, 401}, {"wrong", open, 401}, {"p", read, 403}, {"e", write, 0}} {
			r := httptest.NewRequest(e.method, path, nil)
			r.Host, r.RemoteAddr = "127.0.0.1:11334", netip.AddrPortFrom(client, 1234).String()
			r.Header.Set("Password", given.password)
			code, _ := k.refuse(k.policy.Load(), r, need)
			want := 0
			if given.has < need {
				want = given.refused
			}
			if code != want {
				t.Errorf("%s with %q: got %d, want %d", path, given.password, code, want)
			}
		}
	}
}
