package config

import (
	"slices"

	"rmilter/internal/ucl"
)

// Later are the options of sections which this version reads and checks and does not
// serve yet.
type Later struct {
	ClamAV      ClamAV
	DKIM        DKIM
	DNS         DNS
	Greylisting Greylisting
	Limits      Limits
	Redis       Redis
	Trace       Trace
}

// DefaultLater returns the defaults.
func DefaultLater() Later {
	return Later{
		ClamAV:      DefaultClamAV(),
		DKIM:        DefaultDKIM(),
		DNS:         DefaultDNS(),
		Greylisting: DefaultGreylisting(),
		Limits:      DefaultLimits(),
		Redis:       DefaultRedis(),
		Trace:       DefaultTrace(),
	}
}

// Sections declares the options; see package ucl.
func (c *Later) Sections() []*ucl.Section {
	return slices.Concat(c.Redis.Sections(), c.DNS.Sections(), c.Greylisting.Sections(), c.Limits.Sections(),
		c.DKIM.Sections(), c.ClamAV.Sections(), c.Trace.Sections())
}
