package config

import (
	"errors"
	"fmt"
	"io"

	"rmilter/internal/ucl"
)

// Report writes what [Load] told to w for people: the remarks, then the faults, each
// after the prefix.
func Report(w io.Writer, prefix string, remarks []ucl.Diagnostic, err error) {
	for _, d := range remarks {
		fmt.Fprintf(w, "%s%s\n", prefix, d)
	}
	var faults *ucl.Error
	if !errors.As(err, &faults) {
		if err != nil {
			fmt.Fprintf(w, "%s%v\n", prefix, err)
		}
		return
	}
	for _, d := range faults.Faults {
		fmt.Fprintf(w, "%s%s\n", prefix, d)
	}
	if faults.More > 0 {
		fmt.Fprintf(w, "%sand %d further faults\n", prefix, faults.More)
	}
}
