//go:build !linux

package main

// defaultSocket is the daemon's default control_socket.
const defaultSocket = "/var/run/rmilter/control.sock"
