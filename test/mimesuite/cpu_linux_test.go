package mimesuite

import (
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// Whose CPU time cpu returns (clock_gettime(2)).
const (
	process = 2
	thread  = 3
)

// cpu returns the CPU time that this process or thread has used. Unlike the usual clock
// it doesn't run while others have the processor.
func cpu(tb testing.TB, who uintptr) time.Duration {
	var t syscall.Timespec
	if _, _, err := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, who, uintptr(unsafe.Pointer(&t)), 0); err != 0 {
		tb.Fatal(err)
	}
	return time.Duration(t.Nano())
}
