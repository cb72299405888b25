package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"rmilter/greylist"
	"rmilter/internal/controller"
)

// TestMain is rmilterctl itself where a test starts this program.
func TestMain(m *testing.M) {
	if os.Getenv("RMILTERCTL_TEST_MAIN") != "" {
		main()
	}
	os.Exit(m.Run())
}

// Of asm-generic/ioctls.h; package syscall lacks them.
const (
	tiocgptn   = 0x80045430
	tiocsptlck = 0x40045431
)

// A terminal is a pseudo-terminal with rmilterctl at its other end.
type terminal struct {
	t         *testing.T
	near, far *os.File
	shown     []byte // what has appeared on it so far
	cmd       *exec.Cmd
}

func ioctl(f *os.File, request uintptr, p unsafe.Pointer) error {
	conn, err := f.SyscallConn() // Fd would make reads without a deadline of it
	if err != nil {
		return err
	}
	var errno syscall.Errno
	if err := conn.Control(func(fd uintptr) {
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(p))
	}); err != nil {
		return err
	}
	if errno != 0 {
		return errno
	}
	return nil
}

// openTerminal opens a pseudo-terminal (pty(7)).
func openTerminal() (near, far *os.File, err error) {
	fd, err := syscall.Open("/dev/ptmx", syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	near = os.NewFile(uintptr(fd), "/dev/ptmx")
	var number, locked int32
	err = errors.Join(ioctl(near, tiocgptn, unsafe.Pointer(&number)), ioctl(near, tiocsptlck, unsafe.Pointer(&locked)))
	if err == nil {
		far, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err != nil {
		near.Close()
		return nil, nil, err
	}
	return near, far, nil
}

// onTerminal starts rmilterctl on a terminal.
func onTerminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	near, far, err := openTerminal()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("no pseudo-terminal here:", err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	x := &terminal{t: t, near: near, far: far, cmd: exec.Command(exe, args...)}
	x.cmd.Env = append(os.Environ(), "RMILTERCTL_TEST_MAIN=1")
	x.cmd.Stdin, x.cmd.Stdout, x.cmd.Stderr = far, far, far
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if !x.echoes() {
		t.Fatal("a new terminal doesn't echo")
	}
	if err := x.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return x
}

// echoes tells whether the terminal shows what is typed.
func (x *terminal) echoes() bool {
	x.t.Helper()
	var state syscall.Termios
	if err := ioctl(x.far, syscall.TCGETS, unsafe.Pointer(&state)); err != nil {
		x.t.Fatal(err)
	}
	return state.Lflag&syscall.ECHO != 0
}

// answer waits until the program asks, and for the terminal to be dark, and types.
func (x *terminal) answer(prompt, typed string) {
	x.t.Helper()
	x.until(prompt)
	for end := time.Now().Add(time.Minute); x.echoes(); {
		if time.Now().After(end) {
			x.t.Fatal("the terminal goes on showing what is typed")
		}
	}
	if _, err := x.near.WriteString(typed); err != nil {
		x.t.Fatal(err)
	}
}

// until reads what appears until a text does.
func (x *terminal) until(text string) {
	x.t.Helper()
	buf := make([]byte, 1024)
	x.near.SetReadDeadline(time.Now().Add(time.Minute))
	for !strings.Contains(string(x.shown), text) {
		n, err := x.near.Read(buf)
		x.shown = append(x.shown, buf[:n]...)
		if err != nil {
			x.t.Fatalf("%v; shown so far: %q, want %q", err, x.shown, text)
		}
	}
}

// end waits for the program and returns its exit code and all that was shown.
func (x *terminal) end() (int, string) {
	x.t.Helper()
	watch := time.AfterFunc(time.Minute, func() { x.cmd.Process.Kill() })
	x.cmd.Wait()
	watch.Stop()
	if !x.echoes() {
		x.t.Error("the terminal is left without echo")
	}
	// What is under way arrives before this.
	if _, err := x.far.WriteString("<end>"); err != nil {
		x.t.Fatal(err)
	}
	x.until("<end>")
	shown, _, _ := strings.Cut(string(x.shown), "<end>")
	return x.cmd.ProcessState.ExitCode(), strings.ReplaceAll(shown, "\r\n", "\n")
}

// TestPwTerminal types passwords, which must not appear.
func TestPwTerminal(t *testing.T) {
	x := onTerminal(t, "pw")
	x.answer("Password: ", "secret\n")
	x.answer("The same again: ", "secret\n")
	code, shown := x.end()
	encrypted, found := strings.CutPrefix(shown, "Password: \nThe same again: \n")
	if code != 0 || !found || !matches(strings.TrimSuffix(encrypted, "\n"), "secret") {
		t.Errorf("got %d, %q, want an encrypted password", code, shown)
	}

	x = onTerminal(t, "pw")
	x.answer("Password: ", "secret\n")
	x.answer("The same again: ", "sceret\n")
	if code, shown := x.end(); code != 64 || shown != "Password: \nThe same again: \nrmilterctl: the two are not the same\n" {
		t.Errorf("got %d, %q", code, shown)
	}

	x = onTerminal(t, "pw", "--check", secret1)
	x.answer("Password: ", "secret\n")
	if code, shown := x.end(); code != 0 || shown != "Password: \nthe password matches\n" {
		t.Errorf("--check: got %d, %q", code, shown)
	}
}

// TestPwInterrupted ends the program while the terminal shows nothing.
func TestPwInterrupted(t *testing.T) {
	x := onTerminal(t, "pw")
	x.answer("Password: ", "sec\x03")
	if code, shown := x.end(); code != exitSignal+int(syscall.SIGINT) || strings.Contains(shown, "sec") {
		t.Errorf("got %d, %q, want %d and nothing typed", code, shown, exitSignal+int(syscall.SIGINT))
	}
}

// TestRestoreConfirmed asks on a terminal.
func TestRestoreConfirmed(t *testing.T) {
	k := newKept(t, func(k *kept, o *controller.Options) { o.Archive = k.store })
	k.seen(greylist.First, "192.0.2.7", "joe@sender.example", "alice@example.com")
	file := filepath.Join(t.TempDir(), "state.backup")
	if got := k.call("backup", file); got.code != 0 {
		t.Fatalf("backup: %+v", got)
	}
	k.call("greylist", "clear", "--all")
	for _, answer := range []struct {
		typed string
		code  int
		want  string
	}{{"no\n", 1, "rmilterctl: nothing was changed\n"}, {"\n", 1, "rmilterctl: nothing was changed\n"}, {"yes\n", 0, "restored: "}} {
		x := onTerminal(t, "--socket", k.socket, "restore", file)
		x.until("yes or no: ")
		if _, err := x.near.WriteString(answer.typed); err != nil {
			t.Fatal(err)
		}
		if code, shown := x.end(); code != answer.code || !strings.Contains(shown, answer.want) {
			t.Errorf("%q: got %d, %q, want %d, %q", answer.typed, code, shown, answer.code, answer.want)
		}
	}
	k.seen(greylist.Early, "192.0.2.7", "joe@sender.example", "alice@example.com")
	x := onTerminal(t, "--socket", k.socket, "backup", "-")
	if code, shown := x.end(); code != 64 || !strings.Contains(shown, "nothing for a terminal") {
		t.Errorf("backup to a terminal: got %d, %q", code, shown)
	}
}
