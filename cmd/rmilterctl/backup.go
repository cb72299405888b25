package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"rmilter/internal/controller"
)

const (
	// exitFile says that a file can't be read or written, that a backup isn't complete or
	// none at all, or that nobody has confirmed.
	exitFile = 1
	// restoreTime is longer than the daemon may take for a backup that it has got.
	restoreTime = 30 * time.Minute
)

const backupHelp = `Write all that rmilter keeps about mail to a file, while the daemon goes on.

This is about state that is kept on this machine; Redis has a backup of its own. The
file, with mode 0600, is complete when it has its name; before, it is FILE.tmp. - is
standard output. Exit code 0 done, 1 the file can't be written or the backup didn't come
to its end, 3 the daemon is unreachable or refuses.`

const restoreHelp = `Put a backup in the place of all that rmilter keeps about mail, while the daemon goes on.

- is standard input. What is kept now is lost, so that --yes is needed where nobody can
be asked. Exit code 0 done, 1 the file can't be read, is no backup, or nobody confirmed;
3 the daemon is unreachable or refuses.`

func (a *app) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Write all state to a file, - is standard output",
		Long:  backupHelp,
		Args:  cobra.ExactArgs(1),
		RunE:  func(c *cobra.Command, args []string) error { return a.backup(c.Context(), args[0]) },
	}
}

func (a *app) restoreCommand() *cobra.Command {
	yes := false
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup in the place of all state",
		Long:  restoreHelp,
		Args:  cobra.ExactArgs(1),
		RunE:  func(c *cobra.Command, args []string) error { return a.restore(c.Context(), args[0], yes) },
	}
	c.Flags().BoolVar(&yes, "yes", false, "don't ask: replace what is kept now")
	return c
}

// fileFailed tells what is wrong with a file.
func (a *app) fileFailed(name string, err error) error {
	a.code = exitFile
	fmt.Fprintf(a.stderr, "rmilterctl: %s: %s\n", printable(name, 500), printable(cause(err, longTimeout).Error(), 500))
	return nil
}

// backup writes a backup to a file.
func (a *app) backup(ctx context.Context, name string) error {
	if f, ok := a.stdout.(*os.File); name == "-" && ok && term.IsTerminal(int(f.Fd())) {
		return errors.New("a backup is nothing for a terminal: name a file")
	}
	got, no, err := a.stream(ctx, query{method: http.MethodGet, path: "/backup", limit: longTimeout}, nil)
	if err != nil {
		return err
	}
	defer got.Body.Close()
	if got.StatusCode != http.StatusOK {
		return a.refused(got, no)
	}
	if name == "-" {
		if _, err := io.Copy(a.stdout, got.Body); err != nil {
			return a.fileFailed("standard output", notWhole(err))
		}
		return nil
	}
	n, err := a.writeBackup(name, got.Body)
	if err != nil {
		return a.fileFailed(name, notWhole(err))
	}
	if a.json {
		return a.printJSON(map[string]any{"file": name, "bytes": n})
	}
	fmt.Fprintf(a.stdout, "%s: %s bytes\n", printable(name, 500), thousands(n))
	return nil
}

// notWhole says what an end too soon means; other errors stay as they are.
func notWhole(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the daemon broke off: its log tells why")
	}
	return err
}

// writeBackup writes a file that has its name when it is complete.
func (a *app) writeBackup(name string, in io.Reader) (n int64, err error) {
	tmp := name + ".tmp"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, err
	}
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			os.Remove(tmp)
		}
	}()
	out := a.progress(f)
	n, err = io.Copy(out, in)
	out.end()
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return n, err
	}
	return n, os.Rename(tmp, name)
}

// restore has the daemon take a backup.
func (a *app) restore(ctx context.Context, name string, yes bool) error {
	in, size := a.stdin, int64(0)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return a.fileFailed(name, err)
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
			if size == 0 {
				return a.fileFailed(name, errors.New("the file is empty"))
			}
		}
		in = f
	} else if a.password == "-" {
		return errors.New("standard input can't be both the password and the backup")
	}
	if !yes {
		if sure, err := a.confirm(name); err != nil || !sure {
			return err
		}
	}
	q := query{method: http.MethodPost, path: "/restore", size: size, limit: restoreTime, header: http.Header{"Expect": {"100-continue"}}}
	got, no, err := a.stream(ctx, q, a.progressOf(in))
	if err != nil {
		return err
	}
	defer got.Body.Close()
	if got.StatusCode == http.StatusUnprocessableEntity || got.StatusCode == http.StatusRequestEntityTooLarge {
		answer, err := readAnswer(got, restoreTime)
		if err == nil {
			err = refusal(answer)
		}
		return a.fileFailed(name, err)
	}
	if got.StatusCode != http.StatusOK {
		return a.refused(got, no)
	}
	answer, err := readAnswer(got, restoreTime)
	var r controller.Restored
	if err == nil {
		err = json.Unmarshal(answer.body, &r)
	}
	if err != nil {
		return no(errStrange)
	}
	if a.json {
		return a.printAnswer(answer.body)
	}
	text := joinParts(", ", thousands(r.Keys)+" records", countText(r.Entries, "entries of logs"), countText(r.Expired, "expired since and left out"))
	fmt.Fprintf(a.stdout, "restored: %s\n", text)
	return nil
}

// confirm asks on the terminal whether a restore is meant.
func (a *app) confirm(name string) (bool, error) {
	f, ok := a.stdin.(*os.File)
	if name == "-" || !ok || !term.IsTerminal(int(f.Fd())) {
		return false, errors.New("restoring replaces all that is kept now: say --yes")
	}
	fmt.Fprintf(a.stderr, "Put %s in the place of all that is kept now? yes or no: ", printable(name, 500))
	line, err := bufio.NewReader(io.LimitReader(f, maxPassword)).ReadString('\n')
	if err != nil && err != io.EOF {
		return false, err
	}
	if strings.TrimSpace(line) == "yes" {
		return true, nil
	}
	a.code = exitFile
	fmt.Fprintln(a.stderr, "rmilterctl: nothing was changed")
	return false, nil
}

// stream sends a request whose body or answer has no bounds, by the first way that leads
// to a connection. Its time is over when nothing has moved for q.limit. Results are as
// those of send.
func (c *client) stream(ctx context.Context, q query, body io.Reader) (got *http.Response, no func(error) error, err error) {
	no, err = c.first(func(w way, password string) (err error) {
		got, err = w.exchange(ctx, password, q, body, func(c net.Conn) net.Conn { return newMoving(c, q.limit) })
		return err
	})
	return got, no, err
}

// refused makes an error of an answer that says no.
func (a *app) refused(got *http.Response, no func(error) error) error {
	answer, err := readAnswer(got, longTimeout)
	if err != nil {
		return no(err)
	}
	return no(refusal(answer))
}

// A moving connection ends when nothing has moved on it for a time.
type moving struct {
	net.Conn
	limit time.Duration
}

func newMoving(c net.Conn, limit time.Duration) *moving {
	m := &moving{c, limit}
	m.moved()
	return m
}

func (m *moving) moved() { _ = m.SetDeadline(time.Now().Add(m.limit)) }

// Read implements net.Conn.
func (m *moving) Read(p []byte) (int, error) {
	n, err := m.Conn.Read(p)
	if n > 0 {
		m.moved()
	}
	return n, err
}

// Write implements net.Conn.
func (m *moving) Write(p []byte) (int, error) {
	n, err := m.Conn.Write(p)
	if n > 0 {
		m.moved()
	}
	return n, err
}

// A progress shows on a terminal how much has passed.
type progress struct {
	out  io.Writer
	in   io.Reader
	show io.Writer // nil: no terminal
	n    int64
	told int64 // megabytes
}

// progress shows what is written.
func (a *app) progress(w io.Writer) *progress { return &progress{out: w, show: a.terminal()} }

// progressOf shows what is read.
func (a *app) progressOf(r io.Reader) *progress { return &progress{in: r, show: a.terminal()} }

// terminal returns standard error if somebody can see it.
func (a *app) terminal() io.Writer {
	if f, ok := a.stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

// Write implements io.Writer.
func (p *progress) Write(b []byte) (int, error) {
	n, err := p.out.Write(b)
	p.moved(n)
	return n, err
}

// Read implements io.Reader.
func (p *progress) Read(b []byte) (int, error) {
	n, err := p.in.Read(b)
	p.moved(n)
	if err != nil {
		p.end()
	}
	return n, err
}

func (p *progress) moved(n int) {
	p.n += int64(n)
	if p.show != nil && p.n/mega > p.told {
		p.told = p.n / mega
		fmt.Fprintf(p.show, "\r%s MB", thousands(p.told))
	}
}

// end leaves the line to others.
func (p *progress) end() {
	if p.show != nil && p.told > 0 {
		fmt.Fprint(p.show, "\r\x1b[K")
		p.told = 0
	}
}
