package options

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Where the machine's log daemons listen.
const (
	syslogSocket  = "/dev/log"
	journalSocket = "/run/systemd/journal/socket"
)

// A recorder keeps what programs send to log daemons, by process.
type recorder struct {
	mu   sync.Mutex
	text map[int]string
}

// records are those of the room's log daemons.
var records = recorder{text: map[int]string{}}

// received returns what the room's log daemons have of a process.
func received(pid int) string {
	records.mu.Lock()
	defer records.mu.Unlock()
	return records.text[pid]
}

// serveLogs stands for the log daemons of the machine, in a room.
func serveLogs() error {
	if err := os.MkdirAll(filepath.Dir(journalSocket), 0o755); err != nil {
		return err
	}
	for name, path := range map[string]string{"syslog": syslogSocket, "journal": journalSocket} {
		c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
		if err != nil {
			return err
		}
		raw, err := c.SyscallConn()
		if err != nil {
			return err
		}
		var failed error
		if err := raw.Control(func(fd uintptr) {
			failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_PASSCRED, 1)
		}); err != nil || failed != nil {
			return fmt.Errorf("SO_PASSCRED: %v, %v", err, failed)
		}
		go records.read(name, c)
	}
	return nil
}

// read notes every record as one line, after the name of the log daemon.
func (r *recorder) read(name string, c *net.UnixConn) {
	buf, oob := make([]byte, 256<<10), make([]byte, syscall.CmsgSpace(syscall.SizeofUcred))
	for {
		n, oobn, _, _, err := c.ReadMsgUnix(buf, oob)
		if err != nil {
			return
		}
		line := name + ": " + strings.ReplaceAll(strings.TrimSuffix(string(buf[:n]), "\n"), "\n", " ") + "\n"
		r.mu.Lock()
		r.text[sender(oob[:oobn])] += line
		r.mu.Unlock()
	}
}

// sender returns the process that sent a datagram, 0 if that is not told.
func sender(oob []byte) int {
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return 0
	}
	for _, m := range messages {
		if cred, err := syscall.ParseUnixCredentials(&m); err == nil {
			return int(cred.Pid)
		}
	}
	return 0
}

// fileID names an open file as systemd does in JOURNAL_STREAM.
func fileID(t *testing.T, f *os.File) string {
	t.Helper()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}
