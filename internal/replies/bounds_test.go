package replies

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"rmilter/internal/mail"
	"rmilter/internal/store"
	"rmilter/internal/ucl"
)

// all returns what a store has below a prefix.
func (d *desk) all(prefix string) map[string][]byte {
	d.t.Helper()
	found, from := map[string][]byte{}, ""
	for {
		items, next, err := d.count.Store.List(d.t.Context(), prefix, from, 1000)
		if err != nil {
			d.t.Fatal(err)
		}
		for _, i := range items {
			found[i.Key] = i.Value
		}
		if from = next; next == "" {
			return found
		}
	}
}

// people returns how many addresses there are in the records below a prefix.
func (d *desk) people(prefix string) int {
	n := 0
	for k, v := range d.all(prefix) {
		for line := range strings.SplitAfterSeq(strings.TrimPrefix(string(v), "\n"), "\n") {
			if _, ok := parseLine([]byte(line)); !ok {
				d.t.Errorf("%s: no record: %q", k, v)
			}
			n++
		}
	}
	return n
}

// TestStolenAccount writes to very many: all others stay known.
func TestStolenAccount(t *testing.T) {
	d := newDesk(t, func(c *Config) { c.MaxNew = 100; c.MaxKnown = shards })
	d.alice("<joe@example.net>")
	for i := range 50 {
		rcpts := make([]string, 40)
		for j := range rcpts {
			rcpts[j] = fmt.Sprintf("<%d-%d@victim.example>", i, j)
		}
		d.send("mallory", envelope(fmt.Sprintf("<m@d%d.example>", i), rcpts...), fmt.Sprintf("From: m@d%d.example", i), fmt.Sprintf("Message-ID: <%d@x>", i))
	}
	known := d.people("known.to.") + len(d.all("known.domain."))
	if most := 100 + 2; known > most || known < 90 {
		t.Errorf("%d people and domains are remembered, want at most %d of them and nearly as many", known, most)
	}
	if got := len(d.all("id.")); got != 51 {
		t.Errorf("%d messages are remembered, want all 51", got)
	}
	if got, want := told(d.get(envelope("<joe@example.net>", "<alice@example.com>"), "From: joe@example.net")), "by to"; got != want {
		t.Errorf("joe: got %q, want %q", got, want)
	}
	// A day later there is room again, also for him.
	d.advance(day + time.Second)
	d.send("mallory", envelope("<m@example.com>", "<late@victim.example>"), "From: m@example.com")
	if got, want := told(d.get(envelope("<late@victim.example>", "<m@example.com>"), "From: late@victim.example")), "by to"; got != want {
		t.Errorf("a day later: got %q, want %q", got, want)
	}
}

// TestPrune keeps the newest of a record.
func TestPrune(t *testing.T) {
	c := newClock()
	conf := DefaultConfig()
	conf.MaxKnown = 3 * shards
	r := New(conf, Env{Now: c.now})
	var value []byte
	for i := range 5 {
		v, ok := r.note(value, []string{fmt.Sprintf("%d@a.example", i)}, "alice@example.com")
		if !ok {
			t.Fatalf("%d: nothing was noted", i)
		}
		value = v
		c.advance(time.Hour)
	}
	for i, want := range []bool{false, false, true, true, true} {
		if _, ok := r.find(value, fmt.Sprintf("%d@a.example", i)); ok != want {
			t.Errorf("%d: got %t, want %t", i, ok, want)
		}
	}
	// Of those who wrote to one the latest count.
	for i := range 20 {
		value, _ = r.note(value, []string{"4@a.example"}, fmt.Sprintf("u%d@example.com", i))
	}
	a, _ := r.find(value, "4@a.example")
	if got, want := strings.Join(a.By, " "), "u19@example.com u18@example.com u17@example.com u16@example.com u15@example.com u14@example.com u13@example.com u12@example.com"; got != want {
		t.Errorf("by: got %s, want %s", got, want)
	}
	c.advance(31 * day)
	if v, ok := r.note(value, []string{"9@a.example"}, "alice@example.com"); !ok || strings.Contains(string(v), "4@a.example") {
		t.Errorf("a month later: got %s, want 9@a.example alone", v)
	}
	if _, ok := r.find(value, "4@a.example"); ok {
		t.Error("a month later 4@a.example is known still")
	}
}

// TestSeek wants the whole name to count, whatever is in the names beside it.
func TestSeek(t *testing.T) {
	r := New(DefaultConfig(), Env{Now: newClock().now})
	names := []string{"joe@example.net", "joe@example.ne", "oe@example.net", "x joe@example.net", "\njoe@example.net", "joe@example.net 2026", `x"joe@example.net`, `{"joe@example.net":`, `,"joe@example.net`, `<&>@example.net`, `\@example.net`, `jo€@example.net`}
	for _, name := range names {
		for _, other := range names {
			value, _ := r.note(nil, []string{name}, `a":{@example.com`)
			if a, ok := r.find(value, other); ok != (name == other) || ok && a.By[0] != `a":{@example.com` {
				t.Errorf("%s: found %s: %t %v", value, other, ok, a)
			}
		}
		value, _ := r.note(nil, names, "")
		if _, ok := r.find(value, name); !ok {
			t.Errorf("%s: %s isn't found", value, name)
		}
	}
}

// TestLarge: whatever is in a message, its record stays small.
func TestLarge(t *testing.T) {
	d := newDesk(t, nil)
	rcpts, to := make([]string, 2000), make([]string, 2000)
	for i := range rcpts {
		name := strings.Repeat("x", 180) + fmt.Sprint(i)
		rcpts[i] = fmt.Sprintf("<%s@%s.d%d.example>", name, strings.Repeat("y", 50), i)
		to[i] = name + "@example.com"
	}
	d.send("alice", envelope("<alice@example.com>", rcpts...), "From: alice@example.com", "Message-ID: <"+strings.Repeat("z", 256)+">",
		"To: "+strings.Join(to, ", "), "Cc: "+strings.Join(to, ", "), "Reply-To: "+strings.Join(to, ", "))
	for k, v := range d.all("") {
		if len(k) > maxKey || len(v) > 16<<10 || !printable(k) {
			t.Errorf("key of %d bytes, value of %d: %s", len(k), len(v), k)
		}
	}
	if got := d.people("known.to."); got != maxWritten {
		t.Errorf("%d are known, want %d", got, maxWritten)
	}
	got := d.get(envelope("<a@d0.example>", "<alice@example.com>"), "From: a@d0.example", "To: "+strings.Join(to, ","), "In-Reply-To: <"+strings.Repeat("z", 256)+">")
	if got.Reply != mail.Reply {
		t.Errorf("the answer: got %q, want a reply", told(got))
	}
}

// TestTogether sends one message in many transactions at once, and many messages to one.
func TestTogether(t *testing.T) {
	d := newDesk(t, nil)
	var all sync.WaitGroup
	const users = 6
	for i := range users {
		all.Go(func() {
			for j := range 5 {
				d.send(fmt.Sprint("u", i), envelope(fmt.Sprintf("<u%d@example.com>", i), "<joe@example.net>"), fmt.Sprintf("From: u%d@example.com", i), fmt.Sprintf("Message-ID: <%d-%d@example.com>", i, j))
				d.get(envelope("<joe@example.net>", "<u0@example.com>"), "From: joe@example.net", "In-Reply-To: <0-0@example.com>")
			}
		})
	}
	all.Wait()
	if got := len(d.all("id.")); got != 5*users {
		t.Errorf("%d messages are remembered, want %d", got, 5*users)
	}
	for i := range users {
		if got, want := told(d.get(envelope("<joe@example.net>", fmt.Sprintf("<u%d@example.com>", i)), "From: joe@example.net", fmt.Sprintf("In-Reply-To: <%d-4@example.com>", i))), fmt.Sprintf("reply %d-4@example.com by to", i); got != want {
			t.Errorf("user %d: got %q, want %q", i, got, want)
		}
	}
}

// A rival changes a value between Get and Put, as often as it is told.
type rival struct {
	*counting
	times int
	key   string
}

func (r *rival) Put(ctx context.Context, changes ...store.Change) ([]store.Outcome, error) {
	if r.times > 0 {
		r.times--
		value := fmt.Appendf(nil, `{"at":"2026-11-22T12:00:00Z","answers":["rival%d@example.com"]}`, r.times)
		if _, err := r.Store.Put(ctx, store.Change{Key: r.key, Value: value, Lifetime: time.Hour}); err != nil {
			return nil, err
		}
	}
	return r.counting.Put(ctx, changes...)
}

func TestRival(t *testing.T) {
	for times, want := range []string{"alice@example.com", "rival0@example.com alice@example.com", "rival0@example.com alice@example.com", "rival0@example.com"} {
		d := newDesk(t, nil)
		d.st = store.Same(&rival{d.count, times, "id.1@example.com"})
		d.alice("<joe@example.net>")
		rec, _ := parse[sentRecord](d.value("id.1@example.com"))
		if got := strings.Join(rec.Answers, " "); got != want {
			t.Errorf("%d rivals: got %s, want %s", times, got, want)
		}
		if trips, most := d.count.trips.Load(), int64(2+min(times+1, maxPuts)); trips != most {
			t.Errorf("%d rivals: %d round trips, want %d", times, trips, most)
		}
	}
}

// TestRecords shows what an administrator reads.
func TestRecords(t *testing.T) {
	d := newDesk(t, nil)
	d.send("alice", envelope("<alice@example.com>", "<Joe@Mail.example.net>", "<jörg@bücher.example>"), "From: alice@example.com", "Message-ID: <{1} %@example.com>")
	var th mail.Thread
	th.Author, th.Aligned = mail.ParseAddress("jim@example.net"), true
	if err := d.Saw(t.Context(), d.st, th); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"id.%7B1%7D%25@example.com":              `{"at":"2026-11-22T12:00:00Z","answers":["alice@example.com"],"domains":["example.net","xn--bcher-kva.example"]}`,
		"known.domain.example.com":               `{"since":"2026-11-22T12:00:00Z","at":"2026-11-22T12:00:00Z"}`,
		"known.new.alice":                        `3`,
		writtenKey("joe@mail.example.net"):       "\njoe@mail.example.net 2026-11-22T12:00:00Z 2026-11-22T12:00:00Z alice@example.com",
		writtenKey("jörg@xn--bcher-kva.example"): "\nj%C3%B6rg@xn--bcher-kva.example 2026-11-22T12:00:00Z 2026-11-22T12:00:00Z alice@example.com",
		acceptedKey("jim@example.net"):           "\njim@example.net 2026-11-22T12:00:00Z 2026-11-22T12:00:00Z",
	}
	got := d.all("")
	for k, v := range want {
		if string(got[k]) != v {
			t.Errorf("%s: got %s, want %s", k, got[k], v)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %d records, want %d: %s", len(got), len(want), got)
	}
}

func TestKey(t *testing.T) {
	long := strings.Repeat("x", 300)
	a, b := key("id.", long+"a"), key("id.", long+"b")
	if len(a) != maxKey || len(b) != maxKey || a == b || a[maxKey-21] != '~' {
		t.Errorf("got %s and %s, want two keys of %d bytes", a, b, maxKey)
	}
	if got, want := key("id.", "a~b\x00 ü"), "id.a%7Eb%00%20%C3%BC"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := key("id.", strings.Repeat("x", maxKey-3)); len(got) != maxKey || strings.Contains(got, "~") {
		t.Errorf("a key of %d bytes: got %s", maxKey, got)
	}
}

func TestOwn(t *testing.T) {
	r := New(DefaultConfig(), Env{Delimiter: "+"})
	for in, want := range map[string]string{
		"<Alice+x@Example.com>":                          "alice@example.com",
		"<prvs=1234567890=alice@example.com>":            "alice@example.com",
		"<PRVS=abcdef0123=alice+x@example.com>":          "alice@example.com",
		"<prvs=alice=1234567890@example.com>":            "alice@example.com",
		"<prvs=a=b@example.com>":                         "prvs=a=b@example.com",
		"<msprvs1=123aBc_-=alice@example.com>":           "alice@example.com",
		"<btv1==0123abc==alice@example.com>":             "alice@example.com",
		"<btv1==@example.com>":                           "btv1==@example.com",
		"<>":                                             "",
		"<root>":                                         "",
		"<a\x01b@example.com>":                           "",
		"<\xff@example.com>":                             "",
		"<" + strings.Repeat("x", 250) + "@example.com>": "",
	} {
		if got := r.own(mail.ParseAddress(in)); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestConfig(t *testing.T) {
	read := func(text string) (Config, []string) {
		c := DefaultConfig()
		top := &ucl.Section{Sections: c.Sections()}
		var l ucl.Loader
		ucl.Decode(l.ReadText("test.conf", text), top, &l.Diagnostics)
		ucl.Contradictions(top, &l.Diagnostics)
		ucl.Finish(top)
		var all []string
		for _, d := range l.Diagnostics.All() {
			all = append(all, d.String())
		}
		return c, all
	}
	c := DefaultConfig()
	if err := ucl.Check(c.Sections()[0]); err != nil {
		t.Error(err)
	}
	c, told := read("replies { enabled = no; expire = 1d; skip = subject, clamav, SPF; known_expire = 60d; max_known = 5000; max_new = 0 }")
	if c.Enable || c.Expire.Std() != day || c.KnownExpire.Std() != 60*day || c.MaxKnown != 5000 || c.MaxNew != 0 {
		t.Errorf("got %+v", c)
	}
	if got := strings.Join(c.Skipped(), " "); got != "subject" {
		t.Errorf("skipped: got %s, want subject", got)
	}
	if len(told) != 2 || !strings.Contains(told[0], `skip: "clamav" counts for answers, too`) || !strings.Contains(told[1], `"SPF" counts`) {
		t.Errorf("got %q, want a warning for each of clamav and SPF", told)
	}
	for text, want := range map[string]string{
		"replies { expire = 0s }":         "0s is out of range; expected 1m to 365d",
		"replies { known_expire = 1h }":   "1h is out of range; expected 1d to 365d",
		"replies { max_known = 10 }":      "10 is out of range; expected 4096 to 10000000",
		"replies { key_prefix = rr }":     "use id_prefix of redis",
		"replies { max_senders = 10000 }": "did you mean max_known?",
	} {
		if _, told := read(text); len(told) != 1 || !strings.Contains(told[0], want) {
			t.Errorf("%s: got %q, want %q", text, told, want)
		}
	}
}

// ids is an IDs store that fails at Put, after Get.
type half struct{ *counting }

var errFull = errors.New("full")

func (half) Put(context.Context, ...store.Change) ([]store.Outcome, error) { return nil, errFull }

func TestFull(t *testing.T) {
	d := newDesk(t, nil)
	e := envelope("<alice@example.com>", "<joe@example.net>")
	e.Trust = mail.OurNetwork
	if err := d.Remember(t.Context(), store.Same(half{d.count}), d.Sent(e, message("Message-ID: <1@example.com>"))); !errors.Is(err, errFull) {
		t.Errorf("got %v, want %v", err, errFull)
	}
}

func BenchmarkLookup(b *testing.B) {
	d := newDesk(b, nil)
	d.alice("<joe@example.net>")
	for i := range 20_000 {
		d.send(fmt.Sprint(i/100), envelope("<alice@example.com>", fmt.Sprintf("<somebody.%d@example.net>", i)), "From: alice@example.com")
	}
	env := envelope("<joe@example.net>", "<alice@example.com>")
	bounce := envelope("<>", "<alice@example.com>")
	for name, m := range map[string]*mail.Message{
		"ordinary": message("From: joe@example.net", "To: alice@example.com"),
		"stranger": message("From: jim@example.org", "To: alice@example.com"),
		"answer":   message("From: joe@example.net", "To: alice@example.com", "In-Reply-To: <1@example.com>", "References: <1@example.com>"),
		"hostile":  message("From: joe@example.net", "References: "+strings.Repeat("<a@a> ", 1<<17)),
		"bounce":   mail.Parse([]byte(report("message/rfc822", d.dated("1@example.com", 0)...)), mail.DefaultLimits),
	} {
		e := env
		if name == "bounce" {
			e = bounce
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			d.count.taken()
			for b.Loop() {
				d.Lookup(b.Context(), d.st, e, m)
			}
			trips, ops := d.count.taken()
			b.ReportMetric(float64(trips)/float64(b.N), "trips/op")
			b.ReportMetric(float64(ops)/float64(b.N), "keys/op")
		})
	}
}

func BenchmarkRemember(b *testing.B) {
	d := newDesk(b, nil)
	e := envelope("<alice@example.com>", "<joe@example.net>", "<jim@example.org>")
	e.Trust, e.User = mail.Authenticated, "alice"
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		m := message("From: Alice <alice@example.com>", "To: joe@example.net, jim@example.org", fmt.Sprintf("Message-ID: <%d@example.com>", n))
		if err := d.Remember(b.Context(), d.st, d.Sent(e, m)); err != nil {
			b.Fatal(err)
		}
	}
	trips, _ := d.count.taken()
	b.ReportMetric(float64(trips)/float64(b.N), "trips/op")
}

// TestForeignShard wants what is no record of ours to harm nobody, and to go in time.
func TestForeignShard(t *testing.T) {
	conf := DefaultConfig()
	conf.MaxKnown = 3 * shards
	r := New(conf, Env{Now: newClock().now})
	for _, foreign := range []string{"{", `{"joe@example.net":{}}`, "\n", "\n\n\n", "\njoe@example.net", "\njoe@example.net \n", "\njoe@example.net x y", "joe@example.net 2026-11-22T12:00:00Z 2026-11-22T12:00:00Z"} {
		if _, ok := r.find([]byte(foreign), "joe@example.net"); ok {
			t.Errorf("%q: found", foreign)
		}
		value, ok := r.note([]byte(foreign), []string{"joe@example.net", "jim@example.net"}, "alice@example.com")
		if want := "\njoe@example.net 2026-11-22T12:00:00Z 2026-11-22T12:00:00Z alice@example.com\njim@example.net 2026-11-22T12:00:00Z 2026-11-22T12:00:00Z alice@example.com"; !ok || string(value) != want {
			t.Errorf("%q: got %q, want %q", foreign, value, want)
		}
	}
}

// FuzzShard reads shards of any content.
func FuzzShard(f *testing.F) {
	f.Add([]byte("\njoe@example.net 2026-11-22T12:00:00Z 2026-11-22T12:00:00Z alice@example.com"), "joe@example.net")
	f.Add([]byte("{}\n\n x"), "")
	r := New(DefaultConfig(), Env{Now: newClock().now})
	f.Fuzz(func(t *testing.T, shard []byte, address string) {
		if len(shard) > 1<<16 || len(address) > 1000 {
			return
		}
		r.find(shard, address)
		value, ok := r.note(shard, []string{address}, "x")
		if !ok {
			return
		}
		if a, ok := r.find(value, address); !ok || a.By[0] != "x" {
			t.Errorf("%q is noted in %q, but isn't found in %q: %v", address, shard, value, a)
		}
	})
}
