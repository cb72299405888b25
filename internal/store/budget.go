package store

import "time"

// Times that a message may spend in stores.
const (
	// Operation is the longest that one operation may take for a message.
	Operation = 250 * time.Millisecond
	// Transaction is the longest that all operations for one message may wait; see Budget.
	Transaction = 500 * time.Millisecond
)
