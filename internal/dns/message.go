package dns

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Budget is what one message may ask. Zero fields get the default.
type Budget struct {
	Queries int           // different questions, in the cache or not; 200
	Time    time.Duration // from ForMessage on; 8 s
}

// Asked is one question of a message and what became of it.
type Asked struct {
	Name    string         `json:"name"`             // in lower case without the final dot
	Type    Type           `json:"type"`             // of which type
	Kind    Kind           `json:"error,omitempty"`  // why there are no records; "" when there are
	Records int            `json:"records"`          // how many there are
	Took    time.Duration  `json:"took_ns"`          // until it was answered
	Server  netip.AddrPort `json:"server,omitzero"`  // who answered; zero when nobody did
	Cached  bool           `json:"cached,omitempty"` // out of the cache
	Stale   bool           `json:"stale,omitempty"`  // expired, and no server could be asked
	Times   int            `json:"times"`            // how often checks asked it; the first one counts
}

// String returns one line: "TXT example.org: 2 records, 12.3 ms".
func (a Asked) String() string {
	var b strings.Builder
	b.WriteString(a.Type.String() + " " + printable(a.Name) + ": ")
	switch {
	case a.Kind != "":
		b.WriteString(string(a.Kind))
	case a.Records == 1:
		b.WriteString("1 record")
	default:
		b.WriteString(strconv.Itoa(a.Records) + " records")
	}
	b.WriteString(", " + strconv.FormatFloat(float64(a.Took.Microseconds())/1000, 'f', 1, 64) + " ms")
	if a.Stale {
		b.WriteString(", stale")
	} else if a.Cached {
		b.WriteString(", cache")
	}
	return b.String()
}

// A Message is the view that one message has of a Resolver: every question is asked
// once, their number and time are bounded, and they are recorded. It is safe for
// concurrent use.
type Message struct {
	r      *Resolver
	budget Budget
	over   chan struct{} // closed when the time has run out
	stop   func() bool

	mu    sync.Mutex
	known map[question]*memo
	order []*memo
}

// A memo is a question that was asked. Until it is done, answer and err are not set.
type memo struct {
	asked  Asked
	done   bool
	answer Answer
	err    error
}

// ForMessage returns the view of one message. Its time begins now. Close it in the end.
func (r *Resolver) ForMessage(b Budget) *Message {
	b.Queries, b.Time = orElse(b.Queries, 200), orElse(b.Time, 8*time.Second)
	m := &Message{r: r, budget: b, over: make(chan struct{}), known: map[question]*memo{}}
	m.stop = r.env.AfterFunc(b.Time, func() { close(m.over) })
	return m
}

// Close ends the clock of the message. Asked still works.
func (m *Message) Close() { m.stop() }

// Lookup is Resolver.Lookup within the budget. What the message has asked before has the
// same outcome again, without asking. OverBudget is the kind of error when there were
// too many questions or the time has run out.
func (m *Message) Lookup(ctx context.Context, name string, t Type) (Answer, error) {
	normal, ok := Normalize(name)
	if !ok || !t.known() {
		return m.r.lookup(ctx, name, t, nil) // which says what is wrong
	}
	memo, err := m.memo(question{normal, t})
	if err != nil {
		return Answer{Name: normal, Type: t, Canonical: normal}, err
	}
	m.mu.Lock()
	if memo.done {
		defer m.mu.Unlock()
		return memo.answer, memo.err
	}
	m.mu.Unlock()
	began := m.r.env.Now()
	a, lookupErr := m.r.lookup(ctx, normal, t, m.over)
	took := m.r.env.Now().Sub(began)

	m.mu.Lock()
	defer m.mu.Unlock()
	if memo.done {
		return memo.answer, memo.err
	}
	memo.asked.Kind, memo.asked.Records, memo.asked.Took = KindOf(lookupErr), a.Len(), took
	memo.asked.Server, memo.asked.Cached, memo.asked.Stale = a.Server, a.Cached, a.Stale
	// Another check may have more patience than one that left.
	memo.done = ctx.Err() == nil || lookupErr == nil
	memo.answer, memo.err = a, lookupErr
	return a, lookupErr
}

// memo returns the memo of a question, a new one if the budget allows it.
func (m *Message) memo(q question) (*memo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k := m.known[q]; k != nil {
		k.asked.Times++
		return k, nil
	}
	if len(m.order) >= m.budget.Queries {
		return nil, &Error{Name: q.name, Type: q.typ, Kind: OverBudget, Err: errTooMany}
	}
	k := &memo{asked: Asked{Name: q.name, Type: q.typ, Kind: Canceled, Times: 1}}
	m.known[q] = k
	m.order = append(m.order, k)
	return k, nil
}

var errTooMany = errors.New("too many questions for one message")

// Asked returns what the message has asked so far, in that order. A question that is
// still on its way has the kind Canceled.
func (m *Message) Asked() []Asked {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]Asked, len(m.order))
	for i, k := range m.order {
		list[i] = k.asked
	}
	return list
}
