// Package activator supervises a daemon in tests as systemd does: it holds the
// listening sockets, so that connections wait while the daemon restarts, hands them
// over (sd_listen_fds(3)), learns from the daemon when it is ready and alive, and
// keeps descriptors for its next run (sd_notify(3), sd_pid_notify_with_fds(3)).
package activator

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Timeout bounds the start and the stop of a daemon. It is above the time that a
// daemon may take to drain.
const Timeout = 60 * time.Second

// A Socket is one listening socket to hold.
type Socket struct {
	Name    string // its name in LISTEN_FDNAMES
	Network string // "tcp" or "unix"
	Address string // HOST:PORT, where port 0 is a free one, or a path
}

// Config says what to supervise.
type Config struct {
	Command  []string      // program and arguments
	Env      []string      // added to the environment, as NAME=VALUE
	Sockets  []Socket      // may be none: the daemon then opens its own
	Watchdog time.Duration // WATCHDOG_USEC; 0 leaves it out
	Output   io.Writer     // standard output and error of the daemon, all its runs; nil drops them
}

// A Supervisor holds the sockets and at most one running daemon. Its methods are safe
// for concurrent use, except that Start, Stop, Restart, Kill and Reload take turns.
type Supervisor struct {
	conf   Config
	dir    string // of the notification socket
	listen []net.Listener
	files  []*os.File
	notify *net.UnixConn
	done   chan struct{} // closed when nothing reads notify any more

	turn sync.Mutex // one of Start, Stop, … at a time

	mu   sync.Mutex        // guards what follows
	now  *run              // the daemon that runs, or ran last; nil before the first start
	said map[string]int    // how often each NAME=VALUE came, over all runs
	last map[string]string // last value of each name
	wake chan struct{}     // closed and renewed whenever something is said

	stored []*os.File // what the daemon has given into keeping, by FDNAME
}

// A run is one process of the daemon.
type run struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when it has ended
}

// running tells whether the process has not ended yet.
func (r *run) running() bool {
	if r == nil {
		return false
	}
	select {
	case <-r.exited:
		return false
	default:
		return true
	}
}

// New opens the sockets. Close must be called in the end.
func New(conf Config) (*Supervisor, error) {
	s := &Supervisor{conf: conf, done: make(chan struct{}), said: map[string]int{}, last: map[string]string{}, wake: make(chan struct{})}
	if err := s.open(); err != nil {
		close(s.done)
		return nil, errors.Join(err, s.Close())
	}
	go s.readNotify()
	return s, nil
}

func (s *Supervisor) open() error {
	var err error
	if s.dir, err = os.MkdirTemp("", "rmilter-notify-"); err != nil {
		return err
	}
	for _, so := range s.conf.Sockets {
		l, err := net.Listen(so.Network, so.Address)
		if err != nil {
			return err
		}
		s.listen = append(s.listen, l)
		f, err := l.(interface{ File() (*os.File, error) }).File()
		if err != nil {
			return err
		}
		s.files = append(s.files, f)
	}
	s.notify, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(s.dir, "notify"), Net: "unixgram"})
	return err
}

// readNotify takes down what the daemon says, one datagram of NAME=VALUE lines at a
// time, and the descriptors that come with it.
func (s *Supervisor) readNotify() {
	defer close(s.done)
	buf, oob := make([]byte, 64<<10), make([]byte, syscall.CmsgSpace(4*maxPassed))
	for {
		n, oobn, _, _, err := s.notify.ReadMsgUnix(buf, oob)
		if err != nil {
			return
		}
		s.take(string(buf[:n]), descriptors(oob[:oobn]))
	}
}

// maxPassed is the most descriptors that come with one datagram (SCM_MAX_FD).
const maxPassed = 253

// descriptors returns the descriptors of a datagram.
func descriptors(oob []byte) []int {
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	var all []int
	for _, m := range messages {
		fds, err := syscall.ParseUnixRights(&m)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			syscall.CloseOnExec(fd)
		}
		all = append(all, fds...)
	}
	return all
}

// take acts on one datagram. Its descriptors are kept with FDSTORE=1, under FDNAME,
// until FDSTOREREMOVE=1 comes with that name. Others are closed, which is also the
// answer to BARRIER=1.
func (s *Supervisor) take(text string, fds []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	values := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		s.said[line]++
		if name, value, ok := strings.Cut(line, "="); ok {
			s.last[name] = value
			values[name] = value
		}
	}
	name := cmp.Or(values["FDNAME"], "stored")
	if values["FDSTOREREMOVE"] == "1" {
		s.stored = slices.DeleteFunc(s.stored, func(f *os.File) bool {
			return f.Name() == name && f.Close() == nil
		})
	}
	for _, fd := range fds {
		f := os.NewFile(uintptr(fd), name)
		if values["FDSTORE"] == "1" {
			s.stored = append(s.stored, f)
		} else {
			f.Close()
		}
	}
	close(s.wake)
	s.wake = make(chan struct{})
}

// Stored returns how many descriptors are kept for the daemon.
func (s *Supervisor) Stored() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.stored)
}

// Addr returns the address of the i-th socket.
func (s *Supervisor) Addr(i int) net.Addr { return s.listen[i].Addr() }

// Pid returns the process id of the daemon, of the last one if none
// runs, or 0.
func (s *Supervisor) Pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil {
		return 0
	}
	return s.now.cmd.Process.Pid
}

// Said returns how often the daemon, in all its runs, has notified this line, for
// example "WATCHDOG=1".
func (s *Supervisor) Said(line string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said[line]
}

// Last returns the value last notified under a name, for example of "STATUS".
func (s *Supervisor) Last(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[name]
}

// WaitSaid waits until the line has been notified at least n times in all. It gives up
// when the daemon ends.
func (s *Supervisor) WaitSaid(line string, n int) error {
	s.mu.Lock()
	r := s.now
	s.mu.Unlock()
	limit := time.NewTimer(Timeout)
	defer limit.Stop()
	var exited <-chan struct{}
	if r != nil {
		exited = r.exited
	}
	for {
		s.mu.Lock()
		said, wake := s.said[line], s.wake
		s.mu.Unlock()
		if said >= n {
			return nil
		}
		select {
		case <-wake:
		case <-exited:
			// What it said last may still be on its way.
			exited = nil
			limit.Reset(time.Second)
		case <-limit.C:
			if r != nil && !r.running() {
				return fmt.Errorf("the daemon ended without %s: %v", line, r.cmd.ProcessState)
			}
			return fmt.Errorf("no %s within %v", line, Timeout)
		}
	}
}

// Exited is closed when the daemon that runs now, or ran last, has ended. It is nil
// before the first start.
func (s *Supervisor) Exited() <-chan struct{} {
	if r := s.current(); r != nil {
		return r.exited
	}
	return nil
}

func (s *Supervisor) current() *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// Start starts the daemon and waits until it says READY=1.
func (s *Supervisor) Start() error {
	s.turn.Lock()
	defer s.turn.Unlock()
	return s.start()
}

func (s *Supervisor) start() error {
	if s.current().running() {
		return errors.New("the daemon runs already")
	}
	r := &run{cmd: s.command(), exited: make(chan struct{})}
	ready := s.Said("READY=1") + 1
	if err := r.cmd.Start(); err != nil {
		return err
	}
	s.mu.Lock()
	s.now = r
	s.mu.Unlock()
	go func() {
		r.cmd.Wait()
		close(r.exited)
	}()
	if err := s.WaitSaid("READY=1", ready); err != nil {
		r.cmd.Process.Kill()
		<-r.exited
		return fmt.Errorf("start: %w", err)
	}
	return nil
}

// command returns the next run of the daemon.
func (s *Supervisor) command() *exec.Cmd {
	env := append(os.Environ(), "NOTIFY_SOCKET="+filepath.Join(s.dir, "notify"))
	files := slices.Clone(s.files)
	var names []string
	for _, so := range s.conf.Sockets {
		names = append(names, so.Name)
	}
	s.mu.Lock()
	for _, f := range s.stored {
		files = append(files, f)
		names = append(names, f.Name())
	}
	s.mu.Unlock()
	// LISTEN_PID and WATCHDOG_PID are the daemon's own process id, which only the
	// child knows.
	pids := ""
	if len(files) > 0 {
		pids += "LISTEN_PID=$$ "
		env = append(env, "LISTEN_FDS="+strconv.Itoa(len(files)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
	}
	if s.conf.Watchdog > 0 {
		pids += "WATCHDOG_PID=$$ "
		env = append(env, "WATCHDOG_USEC="+strconv.FormatInt(s.conf.Watchdog.Microseconds(), 10))
	}
	cmd := exec.Command("/bin/sh", append([]string{"-c", pids + `exec "$0" "$@"`}, s.conf.Command...)...)
	cmd.Env = append(env, s.conf.Env...)
	cmd.ExtraFiles = files
	cmd.Stdout, cmd.Stderr = s.conf.Output, s.conf.Output
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = Timeout
	return cmd
}

// Stop says SIGTERM and waits for the end. Any exit status but 0 is an error, and so
// is a daemon that had ended by itself.
func (s *Supervisor) Stop() error {
	s.turn.Lock()
	defer s.turn.Unlock()
	return s.stop()
}

func (s *Supervisor) stop() error {
	r := s.current()
	if r == nil {
		return errors.New("stop: not started")
	}
	if !r.running() {
		return fmt.Errorf("stop: the daemon had ended: %v", r.cmd.ProcessState)
	}
	r.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-r.exited:
	case <-time.After(Timeout):
		r.cmd.Process.Kill()
		<-r.exited
		return fmt.Errorf("stop: not within %v", Timeout)
	}
	if !r.cmd.ProcessState.Success() {
		return fmt.Errorf("stop: %v", r.cmd.ProcessState)
	}
	return nil
}

// Restart stops the daemon as Stop does, and starts it anew. The sockets stay open.
func (s *Supervisor) Restart() error {
	s.turn.Lock()
	defer s.turn.Unlock()
	if err := s.stop(); err != nil {
		return err
	}
	return s.start()
}

// Kill ends the daemon with SIGKILL.
func (s *Supervisor) Kill() error {
	s.turn.Lock()
	defer s.turn.Unlock()
	r := s.current()
	if !r.running() {
		return errors.New("kill: the daemon does not run")
	}
	err := r.cmd.Process.Kill()
	<-r.exited
	return err
}

// Reload says SIGHUP and waits until the daemon says that it is ready again, as
// systemd's Type=notify-reload does.
func (s *Supervisor) Reload() error {
	s.turn.Lock()
	defer s.turn.Unlock()
	r := s.current()
	if !r.running() {
		return errors.New("reload: the daemon does not run")
	}
	ready := s.Said("READY=1") + 1
	if err := r.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		return err
	}
	return s.WaitSaid("READY=1", ready)
}

// Close kills the daemon, if it still runs, and closes the sockets.
func (s *Supervisor) Close() error {
	s.turn.Lock()
	defer s.turn.Unlock()
	if r := s.current(); r.running() {
		r.cmd.Process.Kill()
		<-r.exited
	}
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	for _, l := range s.listen {
		errs = append(errs, l.Close())
	}
	if s.notify != nil {
		errs = append(errs, s.notify.Close())
	}
	<-s.done
	for _, f := range s.stored {
		errs = append(errs, f.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}
