//go:build !linux && !freebsd

package metrics

// residentSize returns 0: not known on this system.
func residentSize() int64 { return 0 }
