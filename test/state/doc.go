// Package state drills the daemon's state under steady load through the milter: what
// happens to Redis servers and to this machine's own store, while mail must flow.
//
// RMILTER_DRILL=1 in the environment asks for the full counts, and for a daemon that
// looks for data races.
package state
