package server

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rmilter/internal/dns/dnstest"
	"rmilter/test/mta"
	"rmilter/test/redisd"
	"rmilter/test/smtpclient"
)

// A clock is one that a test puts forward. It goes on by itself, too.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }

// doubtful are rules that make mail doubtful by its subject, and no time in which
// greylisting lets everything pass.
const doubtful = `
regexp "DOUBTFUL" { re = '/^doubtful/'; where = subject; score = 5; }
regexp "SUSPICIOUS" { re = '/^suspicious/'; where = subject; score = 10; }
greylisting { warmup = 0s; }
`

// records are what the DNS knows: where the mail of sender.example comes from.
const records = `
sender.example TXT "v=spf1 ip4:203.0.113.0/24 ip4:198.51.100.30 -all"
sender.example A 203.0.113.7
`

// A world is a Postfix with a daemon that keeps state, and the clock of the latter. The
// daemon can be another one later on.
type world struct {
	*rig
	clock
	t     *testing.T
	names *dnstest.Server
	mta   *mta.Postfix
	conf  string
	redis bool
	open  []*client      // sessions
	seen  map[string]int // messages of each user that were looked at
	count int            // of letters
}

// onEachStore runs a test with the daemon's own store and with Redis.
func onEachStore(t *testing.T, conf string, test func(t *testing.T, w *world)) {
	t.Run("embedded", func(t *testing.T) { test(t, newWorld(t, conf, false)) })
	t.Run("redis", func(t *testing.T) {
		s := redisd.Single(t, redisd.Options{})
		test(t, newWorld(t, conf+fmt.Sprintf("redis { servers = %q; }\n", s.Address()), true))
	})
}

func newWorld(t *testing.T, conf string, redis bool) *world {
	t.Helper()
	mta.Need(t)
	port, err := mta.FreePort()
	must(t, err)
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "tmp"), 0o700))
	w := &world{t: t, redis: redis, seen: map[string]int{},
		names: dnstest.Start(t, records),
		conf:  fmt.Sprintf("bind_socket = inet:%d@127.0.0.1;\n", port) + doubtful + conf}
	w.rig = bootIn(t, dir, w.names.Addr().String(), w.conf, w.now)
	w.mta = mta.StartPostfix(t, mta.Options{Milter: fmt.Sprintf("inet:127.0.0.1:%d", port), Users: []string{"dave", "erin"},
		Extra: []string{"mynetworks = 0.0.0.0/0"}}) // everybody may send anywhere, after XCLIENT too
	return w
}

// restart stops the daemon and starts another one with what it has kept.
func (w *world) restart() {
	w.t.Helper()
	for _, c := range w.open {
		must(w.t, c.Quit()) // which the daemon would wait for
	}
	w.open = nil
	w.stop()
	w.rig = bootIn(w.t, w.dir, w.names.Addr().String(), w.conf, w.now)
}

// A client is a session with the MTA.
type client struct {
	*smtpclient.Conn
	w *world
}

// client opens a session as somebody at an address, with a login where there is one.
func (w *world) client(ip, login string) *client {
	w.t.Helper()
	c, err := smtpclient.Dial(w.mta.Addr())
	must(w.t, err)
	w.t.Cleanup(func() { c.Close() })
	w.open = append(w.open, &client{c, w})
	xclient := "XCLIENT ADDR=" + ip + " NAME=mx.sender.example"
	if login != "" {
		xclient += " LOGIN=" + login
	}
	for _, cmd := range []string{xclient, "EHLO mx.sender.example"} {
		if r, err := c.Cmd("%s", cmd); err != nil || r.Code/100 != 2 {
			w.t.Fatalf("%s: %v, %v", cmd, r, err)
		}
	}
	return w.open[len(w.open)-1]
}

// stranger opens a session as the usual stranger.
func (w *world) stranger() *client { return w.client(stranger, "") }

// A letter is a message in the making.
type letter struct {
	from, to, subject string   // from and to are addresses
	fields            []string // further ones
	body              string
	id                string // Message-ID without brackets
	date              time.Time
}

// letter returns a message that no other equals, with the date of now.
func (w *world) letter(from, to, subject string) letter {
	w.count++
	id := fmt.Sprintf("letter-%d@%s", w.count, from[strings.IndexByte(from, '@')+1:])
	return letter{from: from, to: to, subject: subject, id: id, date: w.now(), body: "Some lines of text for " + id + "\n"}
}

func (l *letter) String() string {
	s := fmt.Sprintf("From: <%s>\nTo: <%s>\nSubject: %s\nDate: %s\nMessage-ID: <%s>\n", l.from, l.to, l.subject, l.date.Format(time.RFC1123Z), l.id)
	for _, f := range l.fields {
		s += f + "\n"
	}
	return s + "\n" + l.body
}

// send sends a letter from its author.
func (c *client) send(l letter, rcpts ...string) smtpclient.Result {
	c.w.t.Helper()
	return c.sendFrom(l.from, l, rcpts...)
}

// sendFrom sends a letter with another sender in the envelope. A transaction that came to
// nothing is taken back.
func (c *client) sendFrom(from string, l letter, rcpts ...string) smtpclient.Result {
	c.w.t.Helper()
	if len(rcpts) == 0 {
		rcpts = []string{l.to}
	}
	res, err := c.Send(from, rcpts, smtpclient.CRLF(l.String()))
	if err != nil {
		c.w.t.Fatalf("%v after %v", err, res)
	}
	if res.End.Code == 0 {
		if _, err := c.Cmd("RSET"); err != nil {
			c.w.t.Fatal(err)
		}
	}
	return res
}

// accepted wants a letter to be taken and returns its log line.
func (c *client) accepted(l letter, rcpts ...string) account {
	c.w.t.Helper()
	if res := c.send(l, rcpts...); !res.End.Is(250, "2.0.0") {
		c.w.t.Fatalf("%q: got %v, want 250 2.0.0", l.subject, res)
	}
	return c.w.line(" mid=<"+l.id+"> ", " reply=- ")
}

// deferred wants a letter to be told to come again, and returns its log line.
func (c *client) deferred(l letter, rcpts ...string) account {
	c.w.t.Helper()
	res := c.send(l, rcpts...)
	if !res.End.Is(451, "4.7.1") {
		c.w.t.Fatalf("%q: got %v, want 451 4.7.1", l.subject, res)
	}
	a := c.w.line(c.w.id(res.End) + ": ")
	a.has(c.w.t, `reply="451 4.7.1"`, "action=greylist", "mid=<"+l.id+">")
	return a
}

// id returns the id that a refusal has to end in.
func (w *world) id(r smtpclient.Reply) string {
	w.t.Helper()
	m := regexp.MustCompile(` \[([0-9a-f]{10})\]$`).FindStringSubmatch(r.Text())
	if m == nil {
		w.t.Fatalf("%v doesn't end in an id", r)
	}
	return m[1]
}

// An account is the log line of a message.
type account string

// has wants words in a log line.
func (a account) has(t *testing.T, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(string(a), word) {
			t.Errorf("the log line lacks %q: %s", word, a)
		}
	}
}

// lacks wants words not to be in a log line.
func (a account) lacks(t *testing.T, words ...string) {
	t.Helper()
	for _, word := range words {
		if strings.Contains(string(a), word) {
			t.Errorf("the log line has %q: %s", word, a)
		}
	}
}

// line waits for the log line of a message with texts.
func (w *world) line(texts ...string) (found account) {
	w.t.Helper()
	until(w.t, fmt.Sprintf("a log line with %q", texts), func() bool {
		for line := range strings.Lines(w.logged()) {
			_, quoted, ok := strings.Cut(strings.TrimSpace(line), " msg=")
			if !ok || !strings.Contains(line, "action=") {
				continue
			}
			message, err := strconv.Unquote(quoted)
			must(w.t, err)
			found = account(message)
			if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(message, text) }) {
				return true
			}
		}
		return false
	})
	return found
}

// next waits for a user's next message.
func (w *world) next(user string) string {
	w.t.Helper()
	all := mta.WaitDeliveries(w.t, w.mta, user, w.seen[user]+1)
	w.seen[user]++
	return string(all[w.seen[user]-1])
}

// none wants no further message for users when all have been delivered.
func (w *world) none(users ...string) {
	w.t.Helper()
	mta.WaitQueue(w.t, w.mta)
	for _, user := range users {
		all, err := w.mta.Deliveries(user)
		must(w.t, err)
		if len(all) != w.seen[user] {
			w.t.Errorf("%d messages for %s, want %d", len(all), user, w.seen[user])
		}
	}
}

// field returns the values of a header field of a message.
func field(text, name string) (values []string) {
	header, _, _ := strings.Cut(text, "\n\n")
	for _, m := range regexp.MustCompile(`(?mi)^`+name+`:[ \t]?(.*)$`).FindAllStringSubmatch(header, -1) {
		values = append(values, m[1])
	}
	return values
}

// TestGreylisting sends doubtful mail again and again: at once, after the time is over, and
// to a daemon that was started meanwhile.
func TestGreylisting(t *testing.T) {
	onEachStore(t, "", func(t *testing.T, w *world) {
		c := w.stranger()
		l := w.letter("joe@sender.example", "alice@example.com", "doubtful offer")
		c.deferred(l).has(t, "grey=new ", "DOUBTFUL(5.00)")
		c.deferred(l).has(t, "grey=early ")
		w.forward(2 * time.Minute)
		c.deferred(l).has(t, "grey=early ")
		w.restart()
		c = w.stranger()
		c.deferred(l).has(t, "grey=early ")
		w.none("alice")
		w.forward(4 * time.Minute)
		c.accepted(l).has(t, "grey=passed:36", `action="no action"`, "flags=- ")
		text := w.next("alice")
		if got := field(text, "X-Rmilter-Greylist"); len(got) != 1 || !strings.HasPrefix(got[0], "Greylisted for 36") {
			t.Errorf("X-Rmilter-Greylist: %q, want one that tells of 360 seconds", got)
		}
		w.restart()
		c = w.stranger()
		// What has passed isn't told to come again, whatever it writes.
		c.accepted(w.letter("joe@sender.example", "alice@example.com", "doubtful offer, the second")).has(t, "grey=white ")
		w.next("alice")
		// Others are, and what is not doubtful is not asked about.
		c.deferred(w.letter("jim@other.example", "alice@example.com", "doubtful, too")).has(t, "grey=new ")
		c.accepted(w.letter("jim@other.example", "alice@example.com", "hello")).has(t, "grey=- ")
		w.next("alice")
		w.none("alice")
		if g := w.status().Today.Greylist; g.Deferred != 1 || g.New != 1 || g.White != 1 {
			t.Errorf("got %+v, want one message deferred, new, and one passed for what passed before", g)
		}
	})
	// The second host of the same authenticated domain comes with the check that
	// authenticates domains: greylist's own tests have the rule for it.
}

// TestGreylistingAtData has all mail of strangers greylisted before it is sent.
func TestGreylistingAtData(t *testing.T) {
	onEachStore(t, "spamd { spamd_greylist = no; }\n", func(t *testing.T, w *world) {
		c := w.stranger()
		l := w.letter("joe@sender.example", "alice@example.com", "hello")
		for _, word := range []string{"grey=new ", "grey=early "} {
			res := c.send(l)
			if !res.Data.Is(451, "4.7.1") {
				t.Fatalf("DATA: got %v, want 451 4.7.1", res)
			}
			w.line(w.id(res.Data)+": ").has(t, word, "action=greylist", `reply="451 4.7.1"`, "size=0 ")
		}
		w.client("192.0.2.9", "alice").accepted(w.letter("alice@example.com", "bob@example.com", "from one of ours")).has(t, "grey=- ")
		w.forward(6 * time.Minute)
		c.accepted(l).has(t, "grey=passed:36", `action="no action"`)
		if got := field(w.next("alice"), "X-Rmilter-Greylist"); len(got) != 1 {
			t.Errorf("X-Rmilter-Greylist: %q, want one", got)
		}
		// It has passed by its envelope: a doubtful one isn't asked about once more.
		c.accepted(w.letter("joe@sender.example", "alice@example.com", "doubtful offer")).has(t, "grey=white ")
	})
}

// TestLimits has one of three recipients over his limit.
func TestLimits(t *testing.T) {
	onEachStore(t, "limits { limit_to = \"1 / 1h\"; user = \"2 / 1h\"; }\n", func(t *testing.T, w *world) {
		c := w.stranger()
		c.accepted(w.letter("joe@sender.example", "bob@example.com", "hello"))
		w.next("bob")
		three := []string{"alice@example.com", "bob+news@example.com", "carol@example.com"}
		l := w.letter("joe@sender.example", "alice@example.com", "hello to three")
		res := c.send(l, three...)
		if !res.Rcpts[0].Is(250) || !res.Rcpts[1].Is(451, "4.7.1") || !res.Rcpts[2].Is(250) || !res.End.Is(250) {
			t.Fatalf("got %v, want 451 4.7.1 for the second recipient alone", res)
		}
		a := w.line(" mid=<" + l.id + "> ")
		a.has(t, "nrcpt=2 ", "flags=limited:to,rcpt_refused:1 ")
		if id := w.id(res.Rcpts[1]); !strings.HasPrefix(string(a), id+":") {
			t.Errorf("the refusal has the id %s, the log line is %s", id, a)
		}
		w.next("alice")
		w.next("carol")
		w.none("alice", "bob", "carol")

		// What a message took that is not accepted comes back.
		spam := w.letter("joe@sender.example", "dave@example.com", "spam")
		spam.body = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-" + "STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\n"
		if res := c.send(spam); !res.End.Is(554, "5.7.1") {
			t.Fatalf("got %v, want a reject", res)
		}
		until(t, "room for dave again", func() bool { return c.send(w.letter("joe@sender.example", "dave@example.com", "hello")).End.Is(250) })
		w.next("dave")
		if !w.redis { // whose time no test can move
			w.forward(time.Hour)
			c.accepted(w.letter("joe@sender.example", "bob@example.com", "hello again"))
			w.next("bob")
		}
		w.none("alice", "bob", "carol", "dave")
	})
}

// TestUserOverLimit has an account that sends more than it may, and more than once.
func TestUserOverLimit(t *testing.T) {
	onEachStore(t, "limits { user = \"2 / 1h\"; }\n", func(t *testing.T, w *world) {
		c := w.client("203.0.113.8", "erin@example.com")
		for range 2 {
			c.accepted(w.letter("erin@example.com", "joe@sender.example", "hello")).has(t, "user=erin@example.com ", "trust=auth ")
		}
		w.restart()
		c = w.client("203.0.113.8", "erin@example.com")
		for range 2 {
			if res := c.send(w.letter("erin@example.com", "joe@sender.example", "hello")); !res.Rcpts[0].Is(451, "4.7.1") {
				t.Fatalf("got %v, want 451 4.7.1", res)
			}
		}
		c.accepted(w.letter("erin@example.com", "joe@sender.example", "hello"), "postmaster@example.com")
		if n := strings.Count(w.logged(), "user over the limit"); n != 1 {
			t.Errorf("%d alerts in the log, want 1", n)
		}
		if over := w.status().OverLimit; len(over) != 1 || over[0].User != "erin@example.com" || over[0].Refused != 2 {
			t.Errorf("status tells %+v, want erin with 2 refused", over)
		}
	})
}

// stored waits until so many messages of ours are remembered.
func (w *world) stored(n int64) {
	w.t.Helper()
	until(w.t, "remembered", func() bool { return w.status().Total.Replies.Stored >= n })
}

// TestReplies answers mail of our users, as those who it went to and as others.
func TestReplies(t *testing.T) {
	onEachStore(t, "", func(t *testing.T, w *world) {
		// alice is one of our users by her login, bob by his network.
		question := w.letter("alice@example.com", "joe@sender.example", "a question")
		w.client("198.51.100.20", "alice").accepted(question).has(t, "trust=auth ", "user=alice ")
		post := w.letter("bob@example.com", "talk@lists.example.net", "a post to a list")
		w.client("127.0.0.1", "").accepted(post).has(t, "trust=net ")
		w.stored(2)
		w.restart()

		c := w.stranger()
		answer := w.letter("joe@sender.example", "alice@example.com", "suspicious answer")
		answer.fields = []string{"In-Reply-To: <" + question.id + ">"}
		c.accepted(answer).has(t, "grey=- ", "REPLY(-4.00)", "SUSPICIOUS(10.00)")
		w.next("alice")
		// Another member of the list, whose post comes through it: known, though not as one
		// who we wrote to.
		follow := w.letter("member@third.example", "bob@example.com", "follow-up")
		follow.fields = []string{"References: <other@third.example>", "\t<" + post.id + ">"}
		c.accepted(follow).has(t, "REPLY(-1.00)", "claimed")
		w.next("bob")
		// Who read the list and forges an answer is told to come again.
		forged := w.letter("seller@forger.example", "bob@example.com", "suspicious answer")
		forged.fields = []string{"In-Reply-To: <" + post.id + ">"}
		c.deferred(forged).has(t, "grey=new ", "REPLY(-1.00)", "claimed")
		// An id that goes to somebody else counts for nothing.
		stolen := w.letter("eve@sender.example", "carol@example.com", "suspicious answer")
		stolen.fields = []string{"In-Reply-To: <" + question.id + ">"}
		c.deferred(stolen).lacks(t, "REPLY")
		// Whom we wrote to, by the proof of his domain, doesn't have to come again, whoever
		// of ours he writes to. From elsewhere anybody could use his name.
		to := w.letter("joe@sender.example", "carol@example.com", "doubtful, of one whom alice knows")
		c.accepted(to).has(t, "grey=known ", "R_SPF_ALLOW(")
		w.next("carol")
		as := w.letter("joe@sender.example", "carol@example.com", "doubtful, of one who says that he is joe")
		w.client("192.0.2.77", "").deferred(as).has(t, "grey=new ", "R_SPF_FAIL(")
		if got := w.status().Today.Replies.Recognised; got != 1 {
			t.Errorf("%d recognised replies, want 1", got)
		}
		w.none("alice", "bob", "carol")
	})
}

// bounce returns a message with the null sender that returns another one.
func (w *world) bounce(of letter) letter {
	l := w.letter("mailer-daemon@sender.example", of.from, "suspicious: undelivered mail returned")
	l.fields = []string{"MIME-Version: 1.0", "Content-Type: multipart/report; report-type=delivery-status; boundary=bb"}
	l.body = "--bb\nContent-Type: text/plain\n\nNo such user.\n\n--bb\nContent-Type: message/rfc822\n\n" + of.String() + "\n--bb--\n"
	return l
}

// TestBounces returns mail that our users sent, and mail that they never did.
func TestBounces(t *testing.T) {
	onEachStore(t, "", func(t *testing.T, w *world) {
		mail := w.letter("alice@example.com", "nobody@sender.example", "hello")
		w.client("198.51.100.20", "alice").accepted(mail)
		w.stored(1)
		w.forward(time.Minute)
		c := w.stranger()
		back := w.bounce(mail)
		if res := c.sendFrom("", back); !res.End.Is(250) {
			t.Fatalf("a bounce of ours: got %v, want 250", res)
		}
		a := w.line(" mid=<" + back.id + "> ")
		a.has(t, "grey=- ", "from=<> ")
		a.lacks(t, "BOUNCE_UNKNOWN")
		w.next("alice")

		strange := w.bounce(w.letter("alice@example.com", "nobody@sender.example", "never sent"))
		w.forward(time.Minute)
		res := c.sendFrom("", strange)
		if !res.End.Is(451, "4.7.1") {
			t.Fatalf("a bounce of what we never sent: got %v, want 451 4.7.1", res)
		}
		w.line(w.id(res.End)+": ").has(t, "grey=new ", "BOUNCE_UNKNOWN(2.50)", "SUSPICIOUS(10.00)")
		w.none("alice")
	})
}
