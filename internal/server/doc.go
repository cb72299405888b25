// Package server builds the daemon from its configuration and runs it: it listens,
// reloads, tells systemd how things are, and drains when it is told to stop.
//
// It owns what survives a reload: listeners, the milter server, the spool, figures. A
// reload makes a new Filter and swaps one pointer; a message that has begun keeps the
// old one. It judges nothing.
package server
