package metrics

import (
	"bytes"
	"os"
	"strconv"
)

// residentSize returns the memory that this process has in RAM, in bytes; 0 when
// it is not known.
func residentSize() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(b) // size resident shared …, in pages
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
