// Package metrics counts what the daemon does and tells how it is.
//
// Figures is the one place where the parts of the daemon leave their numbers and
// their troubles; Status is what people and programs read of it. The package knows
// nothing of mail, milter or HTTP, and imports nothing of ours: whoever counts
// names things by plain strings.
package metrics

// Version is the version of this program, as Status tells it.
const Version = "0.1.0"
