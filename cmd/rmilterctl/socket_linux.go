package main

// defaultSocket is the daemon's default control_socket.
const defaultSocket = "/run/rmilter/control.sock"
