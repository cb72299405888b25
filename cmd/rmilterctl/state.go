package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"rmilter/internal/controller"
)

const (
	// exitNothing says that nothing is there that matches.
	exitNothing = 1
	// changeTime is longer than the daemon may take to change all that matches.
	changeTime = 11 * time.Minute
	// pageSize is how many records are asked for at once.
	pageSize = 500
)

// errStrange is about an answer that isn't rmilter's.
var errStrange = errors.New("the answer makes no sense, is this rmilter?")

// ask asks about state and reads the answer into v. It tells whether there is anything of
// the kind; for that only the daemon's own word is taken. An error is as that of call.
func (a *app) ask(ctx context.Context, method, path string, p url.Values, v any) (found bool, body []byte, err error) {
	limit := longTimeout
	if method == http.MethodPost {
		limit = changeTime
	}
	if len(p) > 0 {
		path += "?" + p.Encode()
	}
	got, err := a.call(ctx, query{method: method, path: path, limit: limit}, http.StatusOK, http.StatusNotFound)
	if err != nil {
		return false, nil, err
	}
	if got.code == http.StatusNotFound {
		var no controller.Changed
		if json.Unmarshal(got.body, &no) != nil || no.Error == "" {
			return false, nil, &unreachableError{ways: []error{refusal(got)}, refused: true}
		}
		return false, nil, nil
	}
	if err := json.Unmarshal(got.body, v); err != nil {
		return false, nil, &unreachableError{ways: []error{errStrange}, refused: true}
	}
	return true, got.body, nil
}

// showOne asks for what has a key and reads it into v. It tells whether all has been
// printed: that there is nothing, or the answer as JSON.
func (a *app) showOne(ctx context.Context, path, key string, v any) (shown bool, err error) {
	found, body, err := a.ask(ctx, http.MethodGet, path, url.Values{"key": {key}}, v)
	switch {
	case err != nil:
		return false, err
	case !found:
		a.code = exitNothing
		if a.json {
			return true, a.printJSON(nil)
		}
		a.nothing()
		return true, nil
	case a.json:
		return true, a.printAnswer(body)
	}
	return false, nil
}

// A page is a part of a list: so many entries, and where the next part begins.
type page[E any] struct {
	Entries []E    `json:"entries"`
	Next    string `json:"next"`
}

// each asks for a list part by part, and calls f for each part with at most n entries in
// all; 0 is all of them. It returns how many there were.
func each[E any](ctx context.Context, a *app, path string, p url.Values, n int, f func([]E) error) (int, error) {
	seen := 0
	for {
		size := pageSize
		if n > 0 {
			size = min(size, n-seen)
		}
		p.Set("n", strconv.Itoa(size))
		var part page[E]
		found, _, err := a.ask(ctx, http.MethodGet, path, p, &part)
		if err == nil && (!found || part.Entries == nil || part.Next != "" && part.Next == p.Get("from")) {
			err = &unreachableError{ways: []error{errStrange}, refused: true}
		}
		if err != nil {
			return seen, err
		}
		if n > 0 {
			part.Entries = part.Entries[:min(len(part.Entries), n-seen)]
		}
		seen += len(part.Entries)
		if len(part.Entries) > 0 {
			if err := f(part.Entries); err != nil {
				return seen, err
			}
		}
		if part.Next == "" || n > 0 && seen >= n {
			return seen, nil
		}
		p.Set("from", part.Next)
	}
}

// printList prints a list part by part, as a table for each, whose rows are as row has
// them.
func printList[E any](ctx context.Context, a *app, path string, p url.Values, n int, head []string, row func(*E) []string) error {
	if a.json {
		return a.printArray(ctx, path, p, n)
	}
	rows := [][]string{head}
	seen, err := each(ctx, a, path, p, n, func(part []E) error {
		for i := range part {
			rows = append(rows, row(&part[i]))
		}
		a.printTable(rows)
		rows = nil
		return nil
	})
	if err == nil && seen == 0 {
		a.nothing()
	}
	return err
}

// printArray prints a list as one array, whose entries are as they come.
func (a *app) printArray(ctx context.Context, path string, p url.Values, n int) error {
	between := "["
	seen, err := each(ctx, a, path, p, n, func(part []json.RawMessage) error {
		for _, e := range part {
			var b bytes.Buffer
			if err := json.Indent(&b, e, "  ", "  "); err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "%s\n  %s", between, b.Bytes())
			between = ","
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case seen == 0:
		a.nothing()
	default:
		fmt.Fprint(a.stdout, "\n]\n")
	}
	return nil
}

// nothing tells that nothing matches.
func (a *app) nothing() {
	a.code = exitNothing
	if a.json {
		fmt.Fprintln(a.stdout, "[]")
		return
	}
	fmt.Fprintln(a.stderr, "rmilterctl: nothing matches")
}

// printTable aligns the columns of rows.
func (a *app) printTable(rows [][]string) {
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		for i, cell := range r {
			if cell == "" {
				cell = "-"
			}
			r[i] = printable(cell, 1000)
		}
		fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	w.Flush()
}

// printFields prints names and values, a line each, without those that are empty.
func (a *app) printFields(fields [][2]string) {
	for _, f := range fields {
		if f[1] != "" {
			fmt.Fprintf(a.stdout, "%-9s %s\n", f[0], printable(f[1], 10_000))
		}
	}
}

// change has records changed and tells how many were.
func (a *app) change(ctx context.Context, path string, p url.Values, done string) error {
	var c controller.Changed
	found, body, err := a.ask(ctx, http.MethodPost, path, p, &c)
	if err != nil {
		return err
	}
	if !found || c.Changed == 0 {
		a.code = exitNothing
	}
	switch {
	case a.json && found:
		return a.printAnswer(body)
	case a.json:
		return a.printJSON(c)
	case a.code != 0:
		a.nothing()
	default:
		fmt.Fprintf(a.stdout, "%s %s\n", thousands(int64(c.Changed)), done)
	}
	return nil
}

// shellWord writes a key as a shell takes it for one word.
func shellWord(key string) string {
	const plain = "@%+=:,./_-"
	special := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(plain, r))
	}
	if key != "" && !strings.ContainsFunc(key, special) {
		return key
	}
	return "'" + strings.ReplaceAll(key, "'", `'\''`) + "'"
}

// local shows a time in the zone of now, "" for none.
func local(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return clock(t.In(now.Location()), now)
}
