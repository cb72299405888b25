package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rmilter/greylist"
	"rmilter/internal/controller"
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

// A kept is a daemon's state with the real rules, behind a controller.
type kept struct {
	t        *testing.T
	passed   atomic.Int64 // since noon, in nanoseconds
	store    *embedded.Store
	greylist *greylist.Greylist
	limits   *ratelimit.Limiter
	socket   string
	host     string
}

// newKept serves state in memory as prepare changes the options.
func newKept(t *testing.T, prepare func(*kept, *controller.Options)) *kept {
	t.Helper()
	k := &kept{t: t}
	now := k.now
	var err error
	if k.store, err = embedded.Open(embedded.Options{Now: now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.store.Close() })
	grey := greylist.DefaultConfig()
	grey.Warmup = 0
	k.greylist = greylist.New(grey, greylist.Env{Now: now, Location: time.UTC, Delimiter: "+", GreyPrefix: "grey", WhitePrefix: "white"})
	limits := ratelimit.DefaultConfig()
	limits.User, limits.ToIP = ucl.Bucket{Burst: 3, Rate: 3. / 3600}, ucl.Bucket{Burst: 2000, Rate: 0.1}
	k.limits = ratelimit.New(limits, ratelimit.Env{Delimiter: "+", Now: now})
	engine, err := scan.NewEngine(scan.NewConfig(nil), scan.Env{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	f := filter.New(filter.DefaultConfig(), policy.DefaultConfig(), filter.Rules{Scanner: engine, Greylist: k.greylist, Limits: k.limits},
		&filter.Env{Figures: metrics.New(now), Now: now, Stores: store.Same(k.store), Users: ratelimit.NewWatch(now)})
	o := controller.Options{
		Status: exampleStatus, Filter: func() *filter.Filter { return f }, Spool: spool.New(t.TempDir(), 1<<20),
		Policy: controller.Policy{Password: "read", EnablePassword: "write"},
	}
	if prepare != nil {
		prepare(k, &o)
	}
	k.socket, k.host = serve(t, o)
	return k
}

func (k *kept) now() time.Time { return day(12, 0).Add(time.Duration(k.passed.Load())) }

// seen has greylisting asked about mail from a client.
func (k *kept) seen(want greylist.State, client, from string, rcpts ...string) {
	k.t.Helper()
	q := greylist.Query{Client: netip.MustParseAddr(client), From: mail.ParseAddress(from)}
	for _, r := range rcpts {
		q.Rcpts = append(q.Rcpts, mail.ParseAddress(r))
	}
	if v := k.greylist.Check(k.t.Context(), store.Same(k.store), q); v.State != want || v.Err != nil {
		k.t.Fatalf("%s from %s to %v: got %s, %v, want %s", from, client, rcpts, v.State, v.Err, want)
	}
}

// taken has limits asked about mail to a recipient; with a user it is his.
func (k *kept) taken(user, from, rcpt string, times int) {
	k.t.Helper()
	q := ratelimit.Query{Client: netip.MustParseAddr("192.0.2.9"), From: mail.ParseAddress(from), Rcpt: mail.ParseAddress(rcpt)}
	if user != "" {
		q.Trust, q.User = mail.Authenticated, user
	}
	for range times {
		if _, v := k.limits.Take(k.t.Context(), k.store, q); v.Err != nil {
			k.t.Fatal(v.Err)
		}
	}
}

// call runs the program over the control socket.
func (k *kept) call(args ...string) result {
	return call(noStdin(k.t), nil, append([]string{"--socket", k.socket}, args...)...)
}

// at is a time of the state's as the program shows it.
func (k *kept) at(after time.Duration) string { return local(k.now().Add(after), time.Now()) }

// want runs the program and wants its exit code and output.
func (k *kept) want(code int, stdout, stderr string, args ...string) {
	k.t.Helper()
	got := k.call(args...)
	if got.code != code {
		k.t.Errorf("%v: got exit code %d, want %d", args, got.code, code)
	}
	if diff := cmp.Diff(stdout, got.stdout); diff != "" {
		k.t.Errorf("%v, -want +got:\n%s", args, diff)
	}
	if diff := cmp.Diff(stderr, got.stderr); diff != "" {
		k.t.Errorf("%v, stderr, -want +got:\n%s", args, diff)
	}
}

const nothing = "rmilterctl: nothing matches\n"

func TestGreylistCommands(t *testing.T) {
	k := newKept(t, nil)
	k.want(1, "", nothing, "greylist", "list")
	k.want(1, "[]\n", "", "greylist", "list", "--json")
	k.seen(greylist.First, "192.0.2.7", "joe@sender.example", "alice@example.com", "o'brien@example.com")
	k.seen(greylist.First, "2001:db8::7", "<>", "bob@example.org")
	joe := `envelope 192.0.0.0/19 <joe@sender.example> alice@example.com,o'brien@example.com`
	shown := `'envelope 192.0.0.0/19 <joe@sender.example> alice@example.com,o'\''brien@example.com'`
	since, until := k.at(0), k.at(5*time.Minute)
	k.want(0, "STATE    CLIENT        FROM                RECIPIENTS                             SINCE             UNTIL             KEY\n"+
		"waiting  192.0.0.0/19  joe@sender.example  alice@example.com,o'brien@example.com  "+since+"  "+until+"  "+shown+"\n", "",
		"greylist", "list", "joe", "192.0.2.1")
	k.want(0, "key       "+shown+"\nstate     waiting\nclient    192.0.0.0/19\nfrom      joe@sender.example\nrcpts     alice@example.com,o'brien@example.com\n"+
		"since     "+since+"\npasses    "+until+"\nforgotten "+k.at(24*time.Hour)+"\n", "", "greylist", "show", joe)
	// Without quotes it is several words.
	k.want(0, k.call("greylist", "show", joe).stdout, "", append([]string{"greylist", "show"}, strings.Fields(joe)...)...)

	var list []greylist.Entry
	if err := json.Unmarshal([]byte(k.call("greylist", "list", "--json").stdout), &list); err != nil || len(list) != 2 {
		t.Errorf("list --json: got %+v, %v, want two", list, err)
	}
	if err := json.Unmarshal([]byte(k.call("greylist", "list", "--json", "-n", "1").stdout), &list); err != nil || len(list) != 1 {
		t.Errorf("list --json -n 1: got %+v, %v, want one", list, err)
	}
	var e greylist.Entry
	if err := json.Unmarshal([]byte(k.call("greylist", "show", "--json", joe).stdout), &e); err != nil || e.Key != joe {
		t.Errorf("show --json: got %+v, %v", e, err)
	}

	k.want(0, "passes until "+k.at(30*24*time.Hour)+": "+shown+"\n", "", "greylist", "pass", joe)
	k.seen(greylist.White, "192.0.2.7", "joe@sender.example", "alice@example.com", "o'brien@example.com")
	k.want(1, "", nothing, "greylist", "pass", "joe@sender.example") // it is no longer waiting
	k.want(0, "passes until "+k.at(30*24*time.Hour)+": 'envelope 2001:db8::/64 <> bob@example.org'\n", "", "greylist", "pass", "bob@example.org")
	k.seen(greylist.White, "2001:db8::7", "<>", "bob@example.org")
	k.passed.Add(int64(6 * time.Minute))
	k.seen(greylist.First, "192.0.2.7", "ann@sender.example", "alice@example.com")
	k.passed.Add(int64(6 * time.Minute))
	if got := k.call("greylist", "list", "ann").stdout; !strings.Contains(got, "\nready  192.0.0.0/19  ann@sender.example  alice@example.com  "+k.at(-6*time.Minute)+"  "+k.at(24*time.Hour-6*time.Minute)+"  ") {
		t.Errorf("one that may come again: got\n%s", got)
	}
	if err := json.Unmarshal([]byte(k.call("greylist", "pass", "--json", "ann").stdout), &list); err != nil || len(list) != 1 || list[0].State != greylist.EntryWhite {
		t.Errorf("pass --json: got %+v, %v, want one", list, err)
	}

	k.want(0, "1 forgotten\n", "", "greylist", "clear", joe)
	k.seen(greylist.First, "192.0.2.7", "joe@sender.example", "alice@example.com", "o'brien@example.com")
	k.want(1, "", nothing, "greylist", "clear", "envelope", "192.0.2.0/19", "x")
	k.want(1, "{\n  \"changed\": 0\n}\n", "", "greylist", "clear", "--json", "nobody@example.com")
	k.want(1, "null\n", "", "greylist", "show", "--json", "envelope x y")
	k.want(1, "", nothing, "greylist", "show", "envelope x y")
	k.want(64, "", "rmilterctl: clear needs a key, a filter or --all\n", "greylist", "clear")
	k.want(64, "", "rmilterctl: clear needs a key, a filter or --all\n", "greylist", "clear", "--all", "joe")
	if got := k.call("greylist", "clear", "--all"); got.code != 0 || !strings.HasSuffix(got.stdout, " forgotten\n") {
		t.Errorf("clear --all: got %+v", got)
	}
	k.want(1, "", nothing, "greylist", "list")
}

func TestRatelimitCommands(t *testing.T) {
	k := newKept(t, nil)
	k.want(1, "", nothing, "ratelimit", "list")
	k.taken("joe@example.com", "joe@example.com", "zoe@example.org", 4)
	k.taken("", "al@example.net", "bob@example.com", 1234)
	k.want(0, "BUCKET  WHO              CLIENT     FROM  USED            FULL AGAIN        KEY\n"+
		"to_ip   bob@example.com  192.0.2.9  -     1,234 of 2,000  "+k.at(12340*time.Second)+"  limit.to_ip.bob@example.com:192.0.2.9\n"+
		"user    joe@example.com  -          -     3 of 3          "+k.at(time.Hour)+"  limit.user.joe@example.com\n", "", "ratelimit", "list")
	k.want(0, "key       limit.user.joe@example.com\nbucket    user\nuser      joe@example.com\nused      3 of 3\nback      one each 20m0s\nfull      "+k.at(time.Hour)+"\n", "",
		"ratelimit", "show", "limit.user.joe@example.com")
	var e controller.LimitEntry
	if err := json.Unmarshal([]byte(k.call("ratelimit", "show", "--json", "limit.user.joe@example.com").stdout), &e); err != nil || e.Used != 3 || e.Every != 1200 {
		t.Errorf("show --json: got %+v, %v", e, err)
	}
	var list []controller.LimitEntry
	if err := json.Unmarshal([]byte(k.call("ratelimit", "list", "--json", "--bucket", "to_ip", "bob@example.com").stdout), &list); err != nil || len(list) != 1 || list[0].Client != "192.0.2.9" {
		t.Errorf("list --json: got %+v, %v", list, err)
	}
	k.want(1, "", nothing, "ratelimit", "list", "--bucket", "to_ip", "joe@example.com")
	k.want(3, "", "rmilterctl: refused: "+k.socket+`: HTTP 400: not a rate limit: "users"; expected one of user, bounce_to, bounce_to_ip, to_ip_from, to_ip, to`+"\n", "ratelimit", "list", "--bucket", "users")

	k.want(0, "1 full again\n", "", "ratelimit", "reset", "limit.user.joe@example.com")
	k.want(1, "", nothing, "ratelimit", "reset", "limit.user.joe@example.com")
	k.want(1, "", nothing, "ratelimit", "show", "limit.user.joe@example.com")
	k.want(0, "{\n  \"changed\": 1\n}\n", "", "ratelimit", "reset", "--json", "192.0.2.9")
	k.taken("joe@example.com", "joe@example.com", "zoe@example.org", 1)
	k.want(1, "", nothing, "ratelimit", "reset", "--bucket", "to_ip")
	k.want(0, "1 full again\n", "", "ratelimit", "reset", "--bucket", "user")
	const needs = "rmilterctl: reset needs a key, whom it concerns, --bucket or --all\n"
	k.want(64, "", needs, "ratelimit", "reset")
	k.want(64, "", needs, "ratelimit", "reset", "--all", "joe@example.com")
	k.want(64, "", "rmilterctl: a key says its bucket: --bucket doesn't go with it\n", "ratelimit", "reset", "--bucket", "user", "limit.user.joe")
	k.taken("joe@example.com", "joe@example.com", "zoe@example.org", 1)
	k.want(0, "1 full again\n", "", "ratelimit", "reset", "--all")
}

// TestListPages lists more than is asked for at once.
func TestListPages(t *testing.T) {
	k := newKept(t, nil)
	const n = 2*pageSize + 7
	for i := range n {
		k.taken("", "al@example.net", fmt.Sprintf("r%04d@example.com", i), 1)
	}
	lines := strings.Split(strings.TrimSuffix(k.call("ratelimit", "list").stdout, "\n"), "\n")
	if len(lines) != n+1 {
		t.Errorf("got %d lines, want %d", len(lines), n+1)
	}
	if lines = strings.Split(strings.TrimSuffix(k.call("ratelimit", "list", "-n", fmt.Sprint(pageSize+1)).stdout, "\n"), "\n"); len(lines) != pageSize+2 {
		t.Errorf("-n: got %d lines, want %d", len(lines), pageSize+2)
	}
	var list []controller.LimitEntry
	if err := json.Unmarshal([]byte(k.call("ratelimit", "list", "--json").stdout), &list); err != nil || len(list) != n {
		t.Errorf("--json: got %d, %v, want %d", len(list), err, n)
	}
}

// TestStateCommandRights asks over HTTP with a password that only reads.
func TestStateCommandRights(t *testing.T) {
	k := newKept(t, nil)
	k.seen(greylist.First, "192.0.2.7", "joe@sender.example", "alice@example.com")
	ask := func(password string, args ...string) result {
		return call(noStdin(t), nil, append([]string{"-h", k.host, "-P", password}, args...)...)
	}
	if got := ask("read", "greylist", "list"); got.code != 0 || !strings.Contains(got.stdout, "joe@sender.example") {
		t.Errorf("list with the password that reads: got %+v", got)
	}
	for _, args := range [][]string{{"greylist", "clear", "joe"}, {"greylist", "pass", "joe"}, {"ratelimit", "reset", "--all"}, {"backup", t.TempDir() + "/x"}} {
		if got := ask("read", args...); got.code != 3 || !strings.Contains(got.stderr, "HTTP 403: Forbidden: this password only reads") {
			t.Errorf("%v with the password that reads: got %+v, want 3", args, got)
		}
		if got := ask("wrong", args...); got.code != 3 || !strings.Contains(got.stderr, "password missing or wrong") {
			t.Errorf("%v with a wrong password: got %+v, want 3", args, got)
		}
	}
	if got := ask("write", "greylist", "clear", "joe"); got.code != 0 || got.stdout != "1 forgotten\n" {
		t.Errorf("with the right one: got %+v", got)
	}
}

// TestStateStrangeAnswers asks what isn't rmilter, or is an older one, or whose store is
// down.
func TestStateStrangeAnswers(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		code       int
		want       string
	}{
		{"no page", "Not found", 404, "HTTP 404, is this rmilter?"},
		{"no JSON", "hello", 200, "the answer makes no sense, is this rmilter?"},
		{"no list", "{}", 200, "the answer makes no sense, is this rmilter?"},
		{"a list without end", `{"entries":[],"next":"x"}`, 200, "the answer makes no sense, is this rmilter?"},
		{"store down", `{"error":"store unavailable: redis 192.0.2.1:6379: connection refused"}`, 503, "HTTP 503: store unavailable: redis 192.0.2.1:6379: connection refused"},
		{"some changed", `{"error":"store unavailable","changed":1234}`, 503, "HTTP 503: store unavailable; 1,234 records were changed before that"},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(tt.code)
			io.WriteString(w, tt.body)
		}))
		got := call(noStdin(t), nil, "-h", s.Listener.Addr().String(), "greylist", "list")
		if got.code != 3 || !strings.Contains(got.stderr, tt.want) || got.stdout != "" {
			t.Errorf("%s: got %+v, want 3 and %q", tt.name, got, tt.want)
		}
		s.Close()
	}
}

// TestHostileEntries has texts in a list that a terminal or a shell would obey.
func TestHostileEntries(t *testing.T) {
	e := controller.LimitEntry{Key: "limit.user.$(reboot)'; \x1b[2J", Bucket: "us\ter", User: "a\nb", Burst: 1, Every: 1e300}
	body, err := json.Marshal(map[string]any{"entries": []any{e}, "next": ""})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(body) }))
	defer s.Close()
	got := call(noStdin(t), nil, "-h", s.Listener.Addr().String(), "ratelimit", "list")
	want := "BUCKET  WHO  CLIENT  FROM  USED    FULL AGAIN  KEY\nus?er   a?b  -       -     0 of 1  -           'limit.user.$(reboot)'\\''; ?[2J'\n"
	if diff := cmp.Diff(want, got.stdout); diff != "" || got.code != 0 {
		t.Errorf("got %d, -want +got:\n%s", got.code, diff)
	}
	for in, want := range map[string]string{"": "''", "a b": "'a b'", "limit.to.a@example.com": "limit.to.a@example.com", "it's": `'it'\''s'`, "é": "'é'", "~root": "'~root'"} {
		if got := shellWord(in); got != want {
			t.Errorf("shellWord(%q): got %s, want %s", in, got, want)
		}
	}
}
