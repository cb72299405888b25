package metrics

import "syscall"

// residentSize returns the most memory that this process has had in RAM, in bytes;
// 0 when it is not known. The present size would need procfs, which FreeBSD does
// not mount by default.
func residentSize() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return int64(u.Maxrss) * 1024
}
