package config

import (
	"fmt"
	"io"
	"slices"

	"rmilter/internal/ucl"
)

// Report writes what [Load] told to w for people: the remarks, then the faults, each
// after the prefix.
func Report(w io.Writer, prefix string, remarks []ucl.Diagnostic, err error) {
	for _, d := range slices.Concat(remarks, ucl.Faults(err)) {
		fmt.Fprintf(w, "%s%s\n", prefix, d)
	}
}
