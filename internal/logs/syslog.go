package logs

import (
	"fmt"
	"net"
	"time"
)

// syslog speaks RFC 3164 to the syslog daemon of this machine. As with the C
// library there is no host name in a record: local daemons do not expect one.
type syslog struct {
	path   string
	name   string
	pid    int
	conn   net.Conn
	stream bool // the daemon listens on a stream: records need an end
}

func (s *syslog) String() string { return "syslog " + s.path }

// maxLine keeps a record below the 8 KB that rsyslog and FreeBSD's syslogd take.
// The 1024 bytes of RFC 3164, section 4.1, hold for the network and would cut the
// lines about mails.
func (s *syslog) maxLine() int { return 7900 }

func (s *syslog) dial() error {
	s.close()
	var first error
	for _, network := range []string{"unixgram", "unix"} {
		c, err := net.DialTimeout(network, s.path, sendFor)
		if err == nil {
			s.conn, s.stream = c, network == "unix"
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

func (s *syslog) close() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

func (s *syslog) send(e entry) error {
	if s.conn == nil {
		return net.ErrClosed
	}
	s.conn.SetWriteDeadline(time.Now().Add(sendFor))
	n, err := s.conn.Write(syslogRecord(s.name, s.pid, e, s.stream))
	if err != nil && s.stream && n > 0 {
		// Half a record is out: whatever follows on this stream would be glued to it.
		s.close()
		return fmt.Errorf("logs: record cut off: %s", err)
	}
	return err
}

// syslogRecord writes a record as in RFC 3164, section 4.1; on a stream a line feed
// ends it, which the line cannot contain.
func syslogRecord(name string, pid int, e entry, stream bool) []byte {
	b := fmt.Appendf(nil, "<%d>%s %s[%d]: ", facilityMail<<3|severity(e.level), e.time.Format(time.Stamp), name, pid)
	b = append(b, e.line...)
	if stream {
		b = append(b, '\n')
	}
	return b
}
