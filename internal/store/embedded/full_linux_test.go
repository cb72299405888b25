package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"rmilter/internal/store"
)

// TestRealFullDisk fills a small file system of the kernel's, in a process that has its
// own mounts.
func TestRealFullDisk(t *testing.T) {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), childVar+"=fill "+t.TempDir())
	c.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		c.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		c.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	}
	out, err := c.CombinedOutput()
	if err != nil && (errors.Is(err, syscall.EPERM) || bytes.Contains(out, []byte("mount: "))) {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v: %s", err, out)
		}
		t.Skipf("no mounting here: %v: %s", err, out)
	}
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	t.Logf("%s", out)
}

// childFills fills a small disk, makes it larger and wants all that was acknowledged.
func childFills(dir string) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	s, err := open(Options{Dir: filepath.Join(dir, "store"), MinFree: -1}, vfs.Default, backoff{time.Millisecond, 50 * time.Millisecond})
	if err != nil {
		return err
	}
	value := make([]byte, 100_000)
	if _, err := rand.NewChaCha8([32]byte{}).Read(value); err != nil {
		return err
	}
	acknowledged := 0
	for err == nil && acknowledged < 1000 {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		_, err = s.Put(ctx, store.Change{Key: fmt.Sprint(acknowledged), Value: fmt.Append(value, acknowledged)})
		cancel()
		if err == nil {
			acknowledged++
		}
	}
	if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("after %d: got %w, want ErrUnavailable", acknowledged, err)
	}
	fmt.Printf("%d values of 100 kB went onto the disk; then: %v\n", acknowledged, err)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=300m"); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); put(s, "after", "x", false) != nil; <-tick.C {
		if time.Now().After(deadline) {
			return fmt.Errorf("it doesn't come back: %+v", s.Health())
		}
	}
	for i := range acknowledged {
		if v, err := s.Get(context.Background(), fmt.Sprint(i)); err != nil || string(v[0]) != string(fmt.Append(value, i)) {
			return fmt.Errorf("value %d of %d is not what was acknowledged: %w", i, acknowledged, err)
		}
	}
	fmt.Printf("back by itself: %+v\n", s.Health())
	return s.Close()
}
