package controller

import (
	"context"
	"errors"
	"net/http"
	"time"

	"rmilter/greylist"
	"rmilter/internal/filter"
	"rmilter/internal/store"
	"rmilter/ratelimit"
)

const (
	pageDefault = 100
	pageMost    = 1000
	// stateTime is how long a request about state may take, and changeTime one that
	// changes all that matches: it may be a million records.
	stateTime  = 50 * time.Second
	changeTime = 10 * time.Minute
	// listTime is how long DNS lists may be asked by hand.
	listTime = 30 * time.Second
	// searches is how many requests may go through a store at once, so that mail isn't
	// held up by people who look for something.
	searches = 2
)

// errOff is wrapped by the errors of what the configuration has switched off.
var errOff = errors.New("off in the configuration")

// errBusy is the error of a request that has waited too long for its turn.
var errBusy = errors.New("too busy, try again later")

// A GreylistPage is what /greylist answers.
type GreylistPage struct {
	Entries []greylist.Entry `json:"entries"` // in no certain order; never null
	Next    string           `json:"next"`    // from which the next page begins; "" for none
}

// A LimitPage is what /ratelimit answers.
type LimitPage struct {
	Entries []LimitEntry `json:"entries"` // in no certain order; never null
	Next    string       `json:"next"`    // from which the next page begins; "" for none
}

// A LimitEntry is a bucket as the API shows it. Of rcpt, client, from and user there are
// those that its kind has.
type LimitEntry struct {
	Key    string    `json:"key"`    // what /ratelimit/show and /ratelimit/reset take
	Bucket string    `json:"bucket"` // one of ratelimit.Buckets
	Rcpt   string    `json:"rcpt,omitempty"`
	Client string    `json:"client,omitempty"`
	From   string    `json:"from,omitempty"` // "<>" is the null sender
	User   string    `json:"user,omitempty"`
	Burst  int64     `json:"burst"`         // how many pieces it holds; 0 when this limit is off now
	Every  float64   `json:"every"`         // seconds until another piece is there
	Used   int64     `json:"used"`          // pieces in use now, rounded up
	Full   time.Time `json:"full,omitzero"` // when all pieces are there again; absent when they are
}

// A Changed is the answer to a change. On an error it tells what was done before that.
type Changed struct {
	Changed int    `json:"changed"` // records
	Error   string `json:"error,omitempty"`
}

// A stateFunc answers a request about state.
type stateFunc func(ctx context.Context, f *filter.Filter, p params) (any, error)

// addState adds the endpoints of what is kept about mail.
func (s *Server) addState(table map[string]endpoint) {
	turns := make(chan struct{}, searches)
	add := func(path string, needs access, limit time.Duration, turns chan struct{}, answer stateFunc, known ...string) {
		method := http.MethodGet
		if needs == write {
			method = http.MethodPost
		}
		table[path] = endpoint{needs: needs, method: method, serve: s.stateful(needs, limit, turns, answer, known)}
	}
	add("/greylist", read, stateTime, turns, listGreylist, "filter", "from", "n")
	add("/greylist/show", read, stateTime, nil, showGreylist, "key")
	add("/greylist/pass", write, stateTime, nil, passGreylist, "key")
	add("/greylist/clear", write, changeTime, turns, clearGreylist, "key", "filter", "all")
	add("/ratelimit", read, stateTime, turns, listLimits, "bucket", "who", "from", "n")
	add("/ratelimit/show", read, stateTime, nil, showLimit, "key")
	add("/rbl", read, listTime, make(chan struct{}, searches), askLists, "list", "what")
	add("/ratelimit/reset", write, changeTime, turns, resetLimits, "key", "bucket", "who", "all")
}

// stateful serves a request about state. A function that goes through a store waits for
// one of the turns.
func (s *Server) stateful(needs access, limit time.Duration, turns chan struct{}, answer stateFunc, known []string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p, err := readParams(r, known...)
		if err != nil {
			writeStateError(w, nil, err)
			return
		}
		allow(w, limit+writeTimeout)
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		if turns != nil {
			select {
			case turns <- struct{}{}:
				defer func() { <-turns }()
			case <-ctx.Done():
				writeStateError(w, nil, errBusy)
				return
			}
		}
		v, err := answer(ctx, s.opts.Filter(), p)
		if needs == write {
			s.logChange(r, v, err)
		}
		if err != nil {
			writeStateError(w, v, err)
			return
		}
		writeJSON(w, http.StatusOK, v)
	}
}

// allow lets a request last longer than the usual ones. The time for reading counts as
// well: when it is over, the server takes the client for gone.
func allow(w http.ResponseWriter, limit time.Duration) {
	c, until := http.NewResponseController(w), time.Now().Add(limit)
	_ = c.SetReadDeadline(until) // what can't is no connection
	_ = c.SetWriteDeadline(until)
}

// logChange tells who has changed what.
func (s *Server) logChange(r *http.Request, v any, err error) {
	args := []any{"path", r.URL.Path, "query", r.URL.RawQuery, "client", clientOf(r)}
	if c, ok := v.(Changed); ok {
		args = append(args, "records", c.Changed)
	}
	if err != nil {
		args = append(args, "error", err.Error())
	}
	s.opts.Log.Info("controller: state changed by hand", args...)
}

// clientOf returns who asks, for the log.
func clientOf(r *http.Request) string {
	if r.RemoteAddr == "@" { // how package net calls it
		return "control socket"
	}
	return r.RemoteAddr
}

// writeStateError answers why state can't be told or changed. When some was changed, v
// is a Changed.
func writeStateError(w http.ResponseWriter, v any, err error) {
	code := http.StatusInternalServerError
	switch {
	case errors.As(err, new(paramError)), errors.Is(err, ratelimit.ErrNotBucket), errors.Is(err, store.ErrTooLarge):
		code = http.StatusBadRequest
	case errors.Is(err, greylist.ErrNotFound), errors.Is(err, errNoBucket), errors.Is(err, errNoList):
		code = http.StatusNotFound
	case errors.Is(err, errOff), errors.Is(err, greylist.ErrNoWhite):
		code = http.StatusConflict
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, errBusy):
		code = http.StatusServiceUnavailable
	}
	if c, ok := v.(Changed); ok && c.Changed > 0 {
		c.Error = err.Error()
		writeJSON(w, code, c)
		return
	}
	writeError(w, code, err.Error())
}
