package logs

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// A transport carries lines to a daemon over a local socket. It is used by one
// goroutine.
type transport interface {
	maxLine() int
	// dial connects anew, closing what was open.
	dial() error
	// send writes one line and returns within a second or so. Without a connection
	// it fails.
	send(entry) error
	close()
	// String names the daemon and its socket.
	String() string
}

// An entry is a line on its way.
type entry struct {
	level slog.Level
	time  time.Time
	line  []byte
}

const (
	queueSize  = 1024            // entries that wait
	retryAfter = time.Second     // between attempts to connect
	sendFor    = time.Second     // until a send is given up
	closeFor   = 2 * time.Second // for what waits when the log is closed
)

// A queue is the sink before a transport. Its put never waits: when queueSize
// entries wait already, the entry is dropped and counted, and the number is logged
// as soon as something can be logged again.
type queue struct {
	to      transport
	stderr  io.Writer
	now     func() time.Time
	enc     encoder // for records about the log itself
	retry   time.Duration
	entries chan entry
	dropped atomic.Uint64

	stop     chan struct{} // closed by Close
	stopOnce sync.Once
	done     chan struct{} // closed when the goroutine has ended

	// Of the goroutine alone.
	connected  bool
	complained bool   // the present outage was told on standard error
	reported   uint64 // of dropped, already logged
}

func newQueue(to transport, o Options, enc encoder) *queue {
	q := &queue{
		to: to, stderr: o.Stderr, now: o.Now, enc: enc, retry: retryAfter,
		entries: make(chan entry, queueSize),
		stop:    make(chan struct{}),
		done:    make(chan struct{}),
	}
	go q.run()
	return q
}

var (
	errFull   = errors.New("logs: buffer full, record dropped")
	errClosed = errors.New("logs: closed")
)

func (q *queue) put(level slog.Level, t time.Time, line []byte) error {
	select {
	case <-q.stop:
		q.dropped.Add(1)
		return errClosed
	default:
	}
	select {
	case q.entries <- entry{level, t, line}:
		return nil
	default:
		q.dropped.Add(1)
		return errFull
	}
}

func (q *queue) maxLine() int { return q.to.maxLine() }

// Dropped returns how many records were lost so far.
func (q *queue) Dropped() uint64 { return q.dropped.Load() }

// Close writes what waits, for closeFor at most.
func (q *queue) Close() error {
	q.stopOnce.Do(func() { close(q.stop) })
	<-q.done
	return nil
}

func (q *queue) run() {
	defer close(q.done)
	defer q.to.close()
	for {
		select {
		case e := <-q.entries:
			q.deliver(e)
			continue
		case <-q.stop:
		}
		break
	}
	deadline := time.Now().Add(closeFor)
	for {
		select {
		case e := <-q.entries:
			if time.Now().After(deadline) {
				q.dropped.Add(1)
			} else {
				q.deliver(e)
			}
		default:
			return
		}
	}
}

// deliver sends one entry, waiting for the daemon as long as it takes, unless the
// log is closed.
func (q *queue) deliver(e entry) {
	for range 2 {
		for !q.connect() {
			select {
			case <-time.After(q.retry):
			case <-q.stop:
				q.dropped.Add(1)
				return
			}
		}
		q.reportDropped()
		err := q.to.send(e)
		if err == nil {
			return
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			// The daemon lives and is slow. Another attempt would only be slower.
			break
		}
		q.connected = false
	}
	// Connecting works and sending does not: the entry must be at fault.
	q.dropped.Add(1)
}

// connect makes sure that there is a connection, and tells of an outage once.
func (q *queue) connect() bool {
	if q.connected {
		return true
	}
	err := q.to.dial()
	if err == nil {
		q.connected, q.complained = true, false
		return true
	}
	if !q.complained {
		q.complained = true
		fmt.Fprintf(q.stderr, "WARN log: %s does not answer, up to %d records wait: %q\n", q.to, queueSize, err.Error())
	}
	return false
}

// reportDropped logs how many entries were lost since it last did.
func (q *queue) reportDropped() {
	n := q.dropped.Load()
	if n == q.reported {
		return
	}
	r := slog.NewRecord(q.now(), slog.LevelWarn, "log records dropped", 0)
	r.AddAttrs(slog.Uint64("count", n-q.reported), slog.Uint64("total", n))
	if q.to.send(entry{r.Level, r.Time, q.enc.encode(r, q.maxLine())}) == nil {
		q.reported = n
	}
}
