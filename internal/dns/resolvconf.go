package dns

import (
	"bufio"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"
)

// Bounds of a resolv.conf.
const (
	maxResolvConf = 64 << 10
	maxServers    = 32
)

// parseResolvConf returns the servers of a resolv.conf(5), each once. Everything else
// that such a file may say is for programs that complete names, which this package
// does not.
func parseResolvConf(r io.Reader) []netip.AddrPort {
	var list []netip.AddrPort
	lines := bufio.NewScanner(io.LimitReader(r, maxResolvConf))
	lines.Buffer(nil, maxResolvConf+1)
	for lines.Scan() && len(list) < maxServers {
		words := strings.Fields(lines.Text())
		if len(words) < 2 || words[0] != "nameserver" {
			continue
		}
		a, err := netip.ParseAddr(words[1])
		if err != nil {
			continue
		}
		if p := netip.AddrPortFrom(a.Unmap(), port); !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return list
}

// A version tells whether a file has changed.
type version struct {
	modified time.Time
	size     int64
	info     os.FileInfo
}

// same tells whether two versions are of one content, as far as the file system knows.
func (v version) same(w version) bool {
	if v.info == nil || w.info == nil {
		return v.info == nil && w.info == nil
	}
	return v.modified.Equal(w.modified) && v.size == w.size && os.SameFile(v.info, w.info)
}

// versionOf returns the zero version for a file that isn't there.
func versionOf(path string) version {
	info, err := os.Stat(path)
	if err != nil {
		return version{}
	}
	return version{info.ModTime(), info.Size(), info}
}

// readResolvConf returns the servers of a file. As resolv.conf(5) says, the resolver on
// this machine is asked where there is no file or none in it.
func readResolvConf(path string) ([]netip.AddrPort, error) {
	local := []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)}
	f, err := os.Open(path)
	if err != nil {
		return local, err
	}
	defer f.Close()
	if list := parseResolvConf(f); len(list) > 0 {
		return list, nil
	}
	return local, nil
}
