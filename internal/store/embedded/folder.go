package embedded

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// lockName is the file that a process locks as long as it uses the folder.
const lockName = "rmilter.lock"

// lockFolder makes the folder and locks it against other processes.
func lockFolder(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the embedded store needs its folder: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the embedded store's folder has to be for its owner alone: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the embedded store can't be locked: %w", err)
	}
	if err := lockFile(f, dir); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// lockFile locks the file that stands for a folder and writes into it who did.
func lockFile(f *os.File, dir string) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		by := "another process"
		if pid, err := io.ReadAll(io.LimitReader(f, 20)); err == nil && len(pid) > 0 {
			by = "process " + strings.TrimSpace(string(pid))
		}
		return fmt.Errorf("the embedded store %s is in use by %s: one folder serves one process", dir, by)
	}
	if err != nil {
		return fmt.Errorf("the embedded store %s can't be locked: %w", dir, err)
	}
	if err := f.Truncate(0); err != nil {
		return nil // a full disk is no reason not to start
	}
	_, _ = fmt.Fprintln(f, os.Getpid())
	return nil
}
