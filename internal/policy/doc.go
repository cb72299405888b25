// Package policy decides what is done with a message: reply, edits to its header,
// quarantine.
//
// Decide and Apply are pure functions: all that they know is in their arguments. They
// know no milter, no clock and no store.
package policy
