package postconf

import (
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"

	"rmilter/internal/ucl"
)

// defaultMode is the daemon's, for a socket whose configuration names none.
const defaultMode = 0o660

// identity returns what tells one file from another.
func identity(fi fs.FileInfo) (id [2]uint64, ok bool) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return id, false
	}
	return [2]uint64{uint64(st.Dev), uint64(st.Ino)}, true
}

// A user is the one as whom Postfix's daemons connect.
type user struct {
	name string
	uid  int
	gids []int
}

// may tells whether a user has the rights want (read 4, write 2, search 1) of a file.
func (u user) may(fi fs.FileInfo, want fs.FileMode) bool {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return true // nothing is known
	}
	mode := fi.Mode().Perm()
	switch {
	case u.uid == 0:
		return true
	case int(st.Uid) == u.uid:
		mode >>= 6
	case slices.Contains(u.gids, int(st.Gid)):
		mode >>= 3
	}
	return mode&want == want
}

// checkRights looks whether Postfix may open the unix socket at which it asks us.
func (c *checker) checkRights(u usage) {
	owner := c.p.Main["mail_owner"]
	uid, gids, ok := c.machine.User(owner)
	file := c.resolve(u.service, u.milter.path)
	i := slices.IndexFunc(c.listeners, func(s ucl.Socket) bool {
		return s.Kind == ucl.Unix && (path.Clean(s.Path) == file || c.same(file, s.Path))
	})
	if !ok || i < 0 {
		return
	}
	who := user{owner, uid, gids}
	s := c.listeners[i]
	fi, err := fs.Stat(c.machine.FS, relative(file))
	if err == nil {
		if dir := c.closed(who, file); dir != "" {
			c.warn("unix-rights", Finding{
				Text:   "user " + owner + " may not enter " + dir + ", where rmilter's socket is",
				Effect: "Postfix can't connect: " + c.without(u),
				File:   "shell", Line: "chmod o+x " + dir,
			})
			return
		}
		if who.may(fi, 2) {
			return
		}
	} else if c.configured(who, s) {
		return
	}
	c.warn("unix-rights", Finding{
		Text:   "user " + owner + " may not open rmilter's socket " + file,
		Effect: "Postfix can't connect: " + c.without(u),
		File:   c.socketFile(), Line: c.socketLine(s.Path),
	})
}

// closed returns the first directory on the way to a file that a user may not enter.
func (c *checker) closed(who user, file string) string {
	dir := "/"
	for _, part := range strings.Split(strings.TrimPrefix(path.Dir(file), "/"), "/") {
		dir = path.Join(dir, part)
		if fi, err := fs.Stat(c.machine.FS, relative(dir)); err == nil && !who.may(fi, 1) {
			return dir
		}
	}
	return ""
}

// configured tells whether a socket will have rights for a user when it is made.
func (c *checker) configured(who user, s ucl.Socket) bool {
	mode := s.FileMode()
	if mode == 0 {
		mode = defaultMode
	}
	if mode&2 != 0 || s.Owner == who.name && mode&0o200 != 0 {
		return true
	}
	if s.Group == "" || mode&0o020 == 0 {
		// The group is the daemon's own; that Postfix's user is in it can't be told.
		return s.Group == "" && mode&0o020 != 0
	}
	gid, ok := c.machine.Group(s.Group)
	return !ok || slices.Contains(who.gids, gid)
}

// socketFile names the file where rmilter's sockets are set.
func (c *checker) socketFile() string {
	if c.held && !c.blind {
		return socketUnit
	}
	return rmilterConf
}

// socketLine is the directive for a unix socket that Postfix may open.
func (c *checker) socketLine(file string) string {
	group := c.p.Main["mail_owner"]
	if c.held && !c.blind {
		return "ListenStream=" + file + "\nSocketMode=0660\nSocketGroup=" + group
	}
	return `bind_socket = "unix:` + file + " mode=0660 group=" + group + `";`
}
