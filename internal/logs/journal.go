package logs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"strconv"
	"syscall"
	"time"
)

// journal speaks systemd's native protocol: a datagram per record with fields as
// NAME=value lines (systemd.io/JOURNAL_NATIVE_PROTOCOL).
type journal struct {
	path string
	name string
	conn *net.UnixConn
}

func (j *journal) String() string { return "journal " + j.path }

// maxLine leaves room in a datagram, which Linux bounds at about 200 KB; larger
// records would have to be passed as files.
func (j *journal) maxLine() int { return maxLine }

func (j *journal) dial() error {
	j.close()
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: j.path, Net: "unixgram"})
	if err != nil {
		return err
	}
	j.conn = c
	return nil
}

func (j *journal) close() {
	if j.conn != nil {
		j.conn.Close()
		j.conn = nil
	}
}

func (j *journal) send(e entry) error {
	if j.conn == nil {
		return net.ErrClosed
	}
	j.conn.SetWriteDeadline(time.Now().Add(sendFor))
	_, err := j.conn.Write(journalRecord(j.name, e))
	if errors.Is(err, syscall.EMSGSIZE) {
		// The administrator has set net.core.wmem_default low.
		e.line = cut(e.line, 2048)
		_, err = j.conn.Write(journalRecord(j.name, e))
	}
	return err
}

func journalRecord(name string, e entry) []byte {
	b := make([]byte, 0, len(e.line)+128)
	b = appendField(b, "PRIORITY", strconv.AppendInt(nil, int64(severity(e.level)), 10))
	b = appendField(b, "SYSLOG_FACILITY", strconv.AppendInt(nil, facilityMail, 10))
	b = appendField(b, "SYSLOG_IDENTIFIER", []byte(name))
	return appendField(b, "MESSAGE", e.line)
}

// appendField writes a value that has line feeds with its length before it, so that
// no part of it can be taken for another field.
func appendField(b []byte, name string, value []byte) []byte {
	b = append(b, name...)
	if bytes.IndexByte(value, '\n') >= 0 {
		b = append(b, '\n')
		b = binary.LittleEndian.AppendUint64(b, uint64(len(value)))
	} else {
		b = append(b, '=')
	}
	b = append(b, value...)
	return append(b, '\n')
}

// facilityMail is the syslog facility of mail systems. RFC 3164, section 4.1.1.
const facilityMail = 2

// severity is the syslog severity of a level. RFC 3164, section 4.1.1.
func severity(l slog.Level) int {
	switch {
	case l >= slog.LevelError:
		return 3
	case l >= slog.LevelWarn:
		return 4
	case l > slog.LevelInfo:
		return 5
	case l == slog.LevelInfo:
		return 6
	}
	return 7
}
