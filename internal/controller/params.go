package controller

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"rmilter/internal/store"
)

// maxParam is how long a parameter may be, in bytes: longer than all keys and than what
// people look for.
const maxParam = 600

// A paramError says what is wrong with the parameters of a request.
type paramError struct{ error }

// badParam makes a paramError.
func badParam(format string, args ...any) error {
	return paramError{fmt.Errorf(format, args...)}
}

// params are the parameters of a request, each given once and not empty.
type params map[string]string

// readParams reads the query of a request, in which only some names are known. What it
// doesn't know it refuses: with a name mistyped, more would be changed than was meant.
func readParams(r *http.Request, known ...string) (params, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badParam("the query can't be read")
	}
	p := params{}
	for name, list := range values {
		switch {
		case !slices.Contains(known, name):
			return nil, badParam("%.40q is no parameter; expected one of %v", name, known)
		case len(list) > 1:
			return nil, badParam("%s is given twice", name)
		case len(list[0]) > maxParam:
			return nil, badParam("%s is longer than %d bytes", name, maxParam)
		case list[0] != "":
			p[name] = list[0]
		}
	}
	return p, nil
}

// number returns a parameter that is a number from 1 to most, 0 when it isn't given.
func (p params) number(name string, most int) (int, error) {
	text := p[name]
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, badParam("%s=%s is no number from 1 to %d", name, text, most)
	}
	return n, nil
}

// key returns the parameter key, which is needed.
func (p params) key() (string, error) {
	if p["key"] == "" {
		return "", badParam("key= is needed")
	}
	return p["key"], nil
}

// choice checks that a change says whom it concerns: a key, a filter of those names, or
// explicitly all.
func (p params) choice(filters ...string) error {
	chosen := 0
	if p["key"] != "" {
		chosen++
	}
	if slices.ContainsFunc(filters, func(name string) bool { return p[name] != "" }) {
		chosen++
	}
	switch p["all"] {
	case "":
	case "1":
		chosen++
	default:
		return badParam("all=%s: expected all=1", p["all"])
	}
	if chosen != 1 {
		return badParam("one of key, %v and all=1 is needed", filters)
	}
	return nil
}

// listError makes the error of a list one of its parameter where the store can't make
// sense of that.
func (p params) listError(err error) error {
	if p["from"] != "" && errors.Is(err, store.ErrCorrupt) {
		return badParam("from: %w", err)
	}
	return err
}
