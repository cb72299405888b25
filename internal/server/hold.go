package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// firstInherited is the number of the first descriptor after the standard ones.
const firstInherited = 3

// holdTimeout is the longest that a connection is held: longer than an SMTP session
// may idle, and than most take for a message.
const holdTimeout = time.Hour

// handover starts a process that keeps connections open which have had their last
// answer; see Hold.
func (d *daemon) handover(conns []*os.File) {
	pid, err := startHolder(conns)
	if err != nil {
		d.log.Error("no process to hold the connections left: an MTA with default action accept may let the message at hand through",
			"connections", len(conns), "reason", err.Error())
		return
	}
	d.log.Info("connections left to a process of their own", "connections", len(conns), "pid", pid)
}

func startHolder(conns []*os.File) (pid int, err error) {
	exe, err := os.Executable()
	if err != nil {
		return 0, err
	}
	if _, err := os.Stat("/proc/self/exe"); err == nil {
		exe = "/proc/self/exe" // there even when an upgrade has replaced the file
	}
	cmd := exec.Command(exe, "-hold", strconv.Itoa(len(conns)))
	cmd.Args[0] = "rmilter"
	cmd.ExtraFiles = conns
	cmd.Dir = "/"
	cmd.Env = []string{"GOMAXPROCS=1"}
	// Not of the session of a terminal, whose Ctrl-C is for the daemon.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	pid = cmd.Process.Pid
	return pid, cmd.Process.Release()
}

// Hold keeps n inherited connections open until the MTA closes them, for an hour at
// most, and returns the exit code. The daemon that ended has written its last answer
// into each. An MTA that is in the middle of a message reads it only when it has
// written the rest, which it can't to a connection that is closed: with
// milter_default_action = accept the message would pass unfiltered.
//
// Signals to stop are not for this process: it ends by itself.
func Hold(n int, stderr io.Writer) int {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGPIPE)
	var wg sync.WaitGroup
	code := exitOK
	for fd := firstInherited; fd < firstInherited+n; fd++ {
		f := os.NewFile(uintptr(fd), "connection")
		c, err := net.FileConn(f)
		f.Close()
		if err != nil {
			fmt.Fprintf(stderr, "rmilter: descriptor %d: %v\n", fd, err)
			code = exitUnavailable
			continue
		}
		wg.Go(func() { hold(c) })
	}
	wg.Wait()
	return code
}

// hold reads what comes until the other side closes.
func hold(c net.Conn) {
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(holdTimeout))
	buf := make([]byte, 16<<10)
	for {
		if _, err := c.Read(buf); err != nil && !errors.Is(err, syscall.EINTR) {
			return
		}
	}
}
