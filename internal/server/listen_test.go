package server

import (
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"rmilter/internal/ucl"
)

func open(t *testing.T, items ...string) ([]listener, error) {
	t.Helper()
	all, err := listenMilter(ucl.MustSockets(items...), nil)
	t.Cleanup(func() { closeAll(all) })
	return all, err
}

func dial(t *testing.T, l listener) {
	t.Helper()
	c, err := net.Dial(l.Addr().Network(), l.Addr().String())
	if err != nil {
		t.Errorf("%s: %v", l.address, err)
		return
	}
	c.Close()
}

func TestListen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "milter.sock")
	all, err := open(t, "inet:0@127.0.0.1", "inet6:0@[::1]", "localhost:0", "unix:"+path)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 4 {
		t.Fatalf("got %d listeners, want 4", len(all))
	}
	for _, l := range all {
		dial(t, l)
		if l.inherited || l.name != "milter" || strings.Contains(l.address, ":0") {
			t.Errorf("got %+v", l)
		}
	}
}

// TestUnixSocket is about modes, owners and what may lie in the way.
func TestUnixSocket(t *testing.T) {
	dir := t.TempDir()
	group := ""
	if g, err := user.LookupGroupId(strconv.Itoa(os.Getgid())); err == nil {
		group = " group=" + g.Name
	}
	for rights, want := range map[string]os.FileMode{"": 0o660, " mode=0666": 0o666, " mode=0600" + group: 0o600} {
		path := filepath.Join(dir, "s"+strconv.Itoa(int(want)))
		all, err := open(t, "unix:"+path+rights)
		if err != nil {
			t.Fatalf("%q: %v", rights, err)
		}
		fi, err := os.Stat(path)
		if err != nil || fi.Mode().Perm() != want {
			t.Errorf("%q: got mode %v, %v; want %v", rights, fi.Mode().Perm(), err, want)
		}
		// A second process must not take the socket away.
		if _, err := open(t, "unix:"+path); err == nil || !strings.Contains(err.Error(), "another process") {
			t.Errorf("%q: a socket in use was taken: %v", rights, err)
		}
		// What a killed process leaves behind is replaced.
		all[0].Listener.(*net.UnixListener).SetUnlinkOnClose(false)
		all[0].Close()
		again, err := open(t, "unix:"+path+rights)
		if err != nil {
			t.Fatalf("%q: a dead socket is in the way: %v", rights, err)
		}
		dial(t, again[0])
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("mail"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, "unix:"+file); err == nil || !strings.Contains(err.Error(), "is no socket") {
		t.Errorf("a file was taken for a socket: %v", err)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "mail" {
		t.Errorf("the file is gone: %q, %v", b, err)
	}
	if _, err := open(t, "unix:"+filepath.Join(dir, "g")+" group=no-such-group-here"); err == nil {
		t.Error("an unknown group was accepted")
	}
}

// TestInheritedDescriptor takes a listener that another process opened.
func TestInheritedDescriptor(t *testing.T) {
	parent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer parent.Close()
	f, err := parent.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// listen closes the descriptor that it takes over.
	fd, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	all, err := open(t, "fd:"+strconv.Itoa(fd))
	if err != nil {
		t.Fatal(err)
	}
	dial(t, all[0])
	if !all[0].inherited {
		t.Error("not known as inherited")
	}
	closeAll(all)
	c, err := net.Dial("tcp", parent.Addr().String())
	if err != nil {
		t.Fatalf("the owner's listener closed with ours: %v", err)
	}
	c.Close()
}

// TestPassed has systemd's sockets stand in for bind_socket.
func TestPassed(t *testing.T) {
	var lns []net.Listener
	for range 3 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		lns = append(lns, ln)
	}
	all, err := listenMilter(ucl.MustSockets("inet:1@127.0.0.1"), map[string][]net.Listener{"milter": lns[:1], "rmilter.socket": lns[1:2], "control": lns[2:]})
	t.Cleanup(func() { closeAll(all); lns[2].Close() })
	if err != nil || len(all) != 2 {
		t.Fatalf("got %d listeners, %v; want the two that aren't the controller's", len(all), err)
	}
	for _, l := range all {
		if !l.inherited || !strings.HasPrefix(l.address, "systemd:inet:") {
			t.Errorf("got %+v", l)
		}
	}
	if _, err := listenMilter(ucl.MustSockets("systemd:milter"), nil); err == nil {
		t.Error("systemd:milter was accepted without systemd")
	}
	if _, err := listenMilter(ucl.MustSockets("inet:0@192.0.2.1"), nil); err == nil || !strings.Contains(err.Error(), "bind_socket inet:0@192.0.2.1") {
		t.Errorf("got %v, want an error that names the option", err)
	}
}
