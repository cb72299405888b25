package options

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"
)

// roomEnv names the variable that tells the tests that they run in a room: namespaces
// with a host name, a loopback network, a /run, a /var/lib and a /dev of their own. It
// holds a folder for what lies in them.
const roomEnv = "RMILTER_TEST_ROOM"

// roomHost is the machine's name there.
const roomHost = "machine.example.net"

func inRoom() bool { return os.Getenv(roomEnv) != "" }

// needRoom skips a test that uses the machine's own places where there is no room.
func needRoom(t *testing.T) {
	t.Helper()
	switch {
	case inRoom():
	case os.Getenv("CI") == "true":
		t.Fatal("no namespaces to be had (see above), which this needs")
	default:
		t.Skip("no namespaces to be had, and this would use places of the machine such as port 9900")
	}
}

// noRoom is the exit code of a program that could not make itself a room.
const noRoom = 75

// enterRoom runs this program once more, in a room; false when none is to be had.
func enterRoom(dir string) (code int, ok bool) {
	cmd := room("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), roomEnv+"="+dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, "no namespaces for the tests:", err)
		return 0, false
	}
	code = cmd.ProcessState.ExitCode()
	return code, code != noRoom
}

// room returns a command in new namespaces. Who is not root becomes root of a user
// namespace for it.
func room(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
	}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	return cmd
}

// furnish makes the room what the tests expect.
func furnish() {
	for _, step := range []func() error{
		func() error { return syscall.Sethostname([]byte(roomHost)) },
		func() error { return syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "") },
		furnishDev,
		noResolver,
		func() error { return syscall.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755") },
		func() error { return syscall.Mount("tmpfs", "/var/lib", "tmpfs", 0, "mode=755") },
		loopbackUp,
		serveLogs,
	} {
		if err := step(); err != nil {
			fmt.Fprintln(os.Stderr, "no room of their own for the tests:", err)
			os.Exit(noRoom)
		}
	}
}

// furnishDev gives the room a /dev with the devices that the daemon needs, and room for
// a syslog socket.
func furnishDev() error {
	dev := filepath.Join(os.Getenv(roomEnv), "dev")
	if err := os.Mkdir(dev, 0o755); err != nil {
		return err
	}
	if err := syscall.Mount("tmpfs", dev, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	for _, name := range []string{"null", "zero", "random", "urandom"} {
		path := filepath.Join(dev, name)
		if err := os.WriteFile(path, nil, 0o666); err != nil {
			return err
		}
		if err := syscall.Mount("/dev/"+name, path, "", syscall.MS_BIND, ""); err != nil {
			return err
		}
	}
	return syscall.Mount(dev, "/dev", "", syscall.MS_BIND|syscall.MS_REC, "")
}

// noResolver has resolv.conf name a resolver that isn't there.
func noResolver() error {
	const path = "/etc/resolv.conf"
	conf := filepath.Join(os.Getenv(roomEnv), "resolv.conf")
	if err := os.WriteFile(conf, []byte("nameserver 127.0.0.1\n"), 0o644); err != nil {
		return err
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil // the same is asked then
	}
	return syscall.Mount(conf, path, "", syscall.MS_BIND, "")
}

// loopbackUp does what `ip link set lo up` does (netdevice(7), SIOCSIFFLAGS).
func loopbackUp() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	request := struct {
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}{flags: syscall.IFF_UP}
	copy(request.name[:], "lo")
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return errno
	}
	return nil
}
