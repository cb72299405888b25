package controller

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"rmilter/internal/filter"
	"rmilter/internal/store"
	"rmilter/internal/store/embedded"
)

// A fakeArchive is an Archive of one text.
type fakeArchive struct {
	mu       sync.Mutex
	text     []byte
	backups  int
	restores int
	during   func() // called in the middle of a backup, and at the end of reading for a restore
	fail     error  // of Backup after during, of Restore
}

func (a *fakeArchive) Backup(_ context.Context, w io.Writer) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.backups++
	half := len(a.text) / 2
	if _, err := w.Write(a.text[:half]); err != nil {
		return err
	}
	if a.during != nil {
		a.during()
	}
	if a.fail != nil {
		return a.fail
	}
	_, err := w.Write(a.text[half:])
	return err
}

func (a *fakeArchive) Restore(ctx context.Context, r io.Reader) (embedded.Restored, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	text, err := io.ReadAll(r)
	if err != nil {
		return embedded.Restored{}, fmt.Errorf("reading: %w", err)
	}
	if a.during != nil {
		a.during()
	}
	if err := errors.Join(a.fail, ctx.Err()); err != nil {
		return embedded.Restored{}, err
	}
	a.restores++
	a.text = text
	return embedded.Restored{Keys: int64(bytes.Count(text, []byte("\n"))), Expired: 1, Logs: 2, Entries: 3}, nil
}

// state returns the text, and how often there was a backup and a restore.
func (a *fakeArchive) state() (string, int, int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return string(a.text), a.backups, a.restores
}

// newArchive serves a fakeArchive at an address.
func newArchive(t *testing.T, text string) (*fakeArchive, *kept, string) {
	t.Helper()
	a := &fakeArchive{text: []byte(text)}
	k := newKept(t, func(_ *filter.Rules, o *Options) { o.Archive, o.Policy = a, Policy{EnablePassword: "e"} })
	ln := listenTCP(t)
	serve(t, k.Server, ln)
	return a, k, ln.Addr().String()
}

// send sends a request with the password and reads the whole answer.
func send(t *testing.T, method, url string, body io.Reader) (*http.Response, string, error) {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+url, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Password", "e")
	got, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	b, err := io.ReadAll(got.Body)
	return got, string(b), err
}

func TestBackup(t *testing.T) {
	text := strings.Repeat("a record\n", 100_000)
	a, k, at := newArchive(t, text)
	got, body, err := send(t, "HEAD", at+"/backup", nil)
	if _, n, _ := a.state(); got.StatusCode != 200 || body != "" || err != nil || n != 0 {
		t.Errorf("HEAD: got %d %q, %v, %d backups, want 200 and none", got.StatusCode, body, err, n)
	}
	got, body, err = send(t, "GET", at+"/backup", nil)
	if got.StatusCode != 200 || body != text || err != nil || got.Header.Get("Content-Type") != archiveType {
		t.Errorf("got %d, %d bytes, %v, %v, want all", got.StatusCode, len(body), err, got.Header)
	}

	a.fail = fmt.Errorf("%w: the disk has gone", store.ErrUnavailable)
	got, body, err = send(t, "GET", at+"/backup", nil)
	if got.StatusCode != 200 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("one that fails in the middle: got %d, %d bytes, %v, want an end that is none", got.StatusCode, len(body), err)
	}
	a.text = nil
	got, body, err = send(t, "GET", at+"/backup", nil)
	if got.StatusCode != 503 || !strings.Contains(body, "the disk has gone") || err != nil {
		t.Errorf("one that fails at once: got %d %s, %v, want 503", got.StatusCode, body, err)
	}
	if log := k.log.String(); strings.Count(log, "backup failed") != 2 || strings.Count(log, "backup made") != 1 || strings.Contains(log, "panic") {
		t.Errorf("the log: %s", log)
	}
}

func TestRestore(t *testing.T) {
	a, k, at := newArchive(t, "before\n")
	text := strings.Repeat("another\n", 50_000)
	got, body, err := send(t, "POST", at+"/restore", strings.NewReader(text))
	var r Restored
	if json.Unmarshal([]byte(body), &r); got.StatusCode != 200 || err != nil || r != (Restored{50_000, 1, 2, 3, int64(len(text))}) {
		t.Errorf("got %d %s, %v, want 50000 records", got.StatusCode, body, err)
	}
	if now, _, _ := a.state(); now != text {
		t.Errorf("restored %d bytes, want %d", len(now), len(text))
	}
	// Of unknown length.
	if got, body, _ = send(t, "POST", at+"/restore", io.MultiReader(strings.NewReader("one\n"), strings.NewReader("two\n"))); got.StatusCode != 200 {
		t.Errorf("chunked: got %d %s, want 200", got.StatusCode, body)
	}
	if now, _, _ := a.state(); now != "one\ntwo\n" {
		t.Errorf("chunked: restored %q", now)
	}
	a.fail = errors.New("not a backup: it begins with <html>")
	if got, body, _ = send(t, "POST", at+"/restore", strings.NewReader("<html>")); got.StatusCode != 422 || !strings.Contains(body, "it begins with <html>: nothing was changed") {
		t.Errorf("something else: got %d %s, want 422", got.StatusCode, body)
	}
	a.fail = fmt.Errorf("%w: disk nearly full", store.ErrUnavailable)
	if got, body, _ = send(t, "POST", at+"/restore", strings.NewReader("x")); got.StatusCode != 503 || !strings.Contains(body, "disk nearly full") {
		t.Errorf("no room: got %d %s, want 503", got.StatusCode, body)
	}
	if log := k.log.String(); strings.Count(log, "all state was replaced") != 2 {
		t.Errorf("the log: %s", log)
	}
}

// TestRestoreCutOff sends what must not be restored: it is too large, or its end is
// missing.
func TestRestoreCutOff(t *testing.T) {
	a, k, _ := newArchive(t, "before\n")
	ln := listenTCP(t)
	serve(t, k.Server, ln)
	head := "POST /restore HTTP/1.1\r\nHost: localhost\r\nPassword: e\r\nConnection: close\r\n"
	if got := talk(t, ln, head+fmt.Sprintf("Content-Length: %d\r\n\r\n", int64(maxArchive)+1)); !strings.HasPrefix(got, "HTTP/1.1 413") {
		t.Errorf("too large: got %q, want 413", got)
	}
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, head+"Content-Length: 100\r\n\r\nhalf of it\n")
	c.(*net.TCPConn).CloseWrite()
	answer, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400") || !strings.Contains(string(answer), "did not come to its end") {
		t.Errorf("cut off: got %q, %v, want 400", answer, err)
	}
	if now, _, n := a.state(); now != "before\n" || n != 0 {
		t.Errorf("afterwards: got %q and %d restores, want it as before", now, n)
	}
}

// TestArchiveAlone asks for another backup and a restore while one is made.
func TestArchiveAlone(t *testing.T) {
	a, _, at := newArchive(t, "one\n")
	inside, leave := make(chan struct{}), make(chan struct{})
	a.during = func() { inside <- struct{}{}; <-leave }
	ended := make(chan int)
	go func() {
		got, _, _ := send(t, "GET", at+"/backup", nil)
		ended <- got.StatusCode
	}()
	<-inside
	for method, path := range map[string]string{"GET": "/backup", "POST": "/restore"} {
		if got, body, _ := send(t, method, at+path, nil); got.StatusCode != 503 || !strings.Contains(body, "another backup or restore is under way") {
			t.Errorf("%s: got %d %s, want 503", path, got.StatusCode, body)
		}
	}
	close(leave)
	if code := <-ended; code != 200 {
		t.Errorf("the first: got %d, want 200", code)
	}
}

// TestArchiveElsewhere asks where state is kept in Redis.
func TestArchiveElsewhere(t *testing.T) {
	k := newKept(t, nil)
	for method, path := range map[string]string{"GET": "/backup", "POST": "/restore"} {
		var got struct{ Error string }
		if k.want(409, &got, method, path); got.Error != "state is kept in Redis; use its own backup" {
			t.Errorf("%s: got %q", path, got.Error)
		}
	}
}

// A timed listener remembers until when its last connection may be read and written.
type timed struct {
	net.Listener
	mu          sync.Mutex
	read, write time.Time
}

type timedConn struct {
	net.Conn
	l *timed
}

func (l *timed) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &timedConn{c, l}, err
}

func (c *timedConn) SetReadDeadline(t time.Time) error {
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	c.l.read = t
	return c.Conn.SetReadDeadline(t)
}

func (c *timedConn) SetWriteDeadline(t time.Time) error {
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	c.l.write = t
	return c.Conn.SetWriteDeadline(t)
}

// until returns the times.
func (l *timed) until() (read, write time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.read, l.write
}

// TestLongRequests looks until when the connection lasts in the middle of what takes
// long: beyond the bounds of all others, in both directions, as the server takes a client
// for gone that it may no longer read from.
func TestLongRequests(t *testing.T) {
	a, k, _ := newArchive(t, "one\n")
	ln := &timed{Listener: listenTCP(t)}
	serve(t, k.Server, ln)
	at := ln.Addr().String()
	var read, write time.Time
	begun := time.Now()
	a.during = func() { read, write = ln.until() }
	send(t, "GET", at+"/backup", nil)
	if read.Before(begun.Add(archiveTime)) || write.Before(begun.Add(writeTimeout)) || write.After(begun.Add(archiveTime)) {
		t.Errorf("a backup that began at %s is read until %s and written until %s", begun, read, write)
	}
	send(t, "POST", at+"/restore", strings.NewReader("two\n"))
	if read.Before(begun.Add(archiveTime)) || write.Before(begun.Add(archiveTime)) {
		t.Errorf("a restore that began at %s is read until %s and written until %s", begun, read, write)
	}
	k.stores.Limits = &listening{k.store, func() { read, write = ln.until() }}
	send(t, "POST", at+"/ratelimit/reset?all=1", nil)
	if read.Before(begun.Add(changeTime)) || write.Before(begun.Add(changeTime)) {
		t.Errorf("a change that began at %s is read until %s and written until %s", begun, read, write)
	}
}

// A listening store calls a function when it lists something.
type listening struct {
	store.Store
	listed func()
}

func (l *listening) List(ctx context.Context, prefix, from string, n int) ([]store.Item, string, error) {
	l.listed()
	return l.Store.List(ctx, prefix, from, n)
}
