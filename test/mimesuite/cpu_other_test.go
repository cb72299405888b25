//go:build !linux

package mimesuite

import (
	"testing"
	"time"
)

// Whose CPU time cpu returns.
const (
	process = iota
	thread
)

// cpu returns the time of the clock, for want of something better.
func cpu(testing.TB, uintptr) time.Duration { return time.Duration(time.Now().UnixNano()) }
