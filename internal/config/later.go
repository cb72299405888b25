package config

import (
	"slices"

	"rmilter/internal/ucl"
)

// Later are the options of sections which this version reads and checks and does not
// serve yet.
type Later struct {
	ClamAV ClamAV
	Trace  Trace
}

// DefaultLater returns the defaults.
func DefaultLater() Later {
	return Later{
		ClamAV: DefaultClamAV(),
		Trace:  DefaultTrace(),
	}
}

// Sections declares the options; see package ucl.
func (c *Later) Sections() []*ucl.Section {
	return slices.Concat(c.ClamAV.Sections(), c.Trace.Sections())
}
