package postconf

import (
	"context"
	"io/fs"
	"net"
	"net/netip"
	"os"
	osuser "os/user"
	"strconv"

	"rmilter/internal/ucl"
)

// Machine is what [Check] asks of the machine. Tests have machines of their own.
type Machine struct {
	FS     fs.FS                                            // the file system from its root
	User   func(name string) (uid int, gids []int, ok bool) // a user and all its groups
	Group  func(name string) (gid int, ok bool)             // a group
	Lookup ucl.LookupFunc                                   // addresses of a host name
}

// ThisMachine returns the machine on which the program runs.
func ThisMachine() Machine {
	return Machine{
		FS:    os.DirFS("/"),
		User:  lookUpUser,
		Group: lookUpGroup,
		Lookup: func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		},
	}
}

func lookUpUser(name string) (uid int, gids []int, ok bool) {
	u, err := osuser.Lookup(name)
	if err != nil {
		return 0, nil, false
	}
	if uid, err = strconv.Atoi(u.Uid); err != nil {
		return 0, nil, false
	}
	ids, err := u.GroupIds()
	if err != nil {
		return 0, nil, false
	}
	for _, id := range ids {
		if gid, err := strconv.Atoi(id); err == nil {
			gids = append(gids, gid)
		}
	}
	return uid, gids, true
}

func lookUpGroup(name string) (gid int, ok bool) {
	g, err := osuser.LookupGroup(name)
	if err != nil {
		return 0, false
	}
	gid, err = strconv.Atoi(g.Gid)
	return gid, err == nil
}
