package redisd

import (
	"os"
	"strings"
	"syscall"
)

// end kills the server, if it runs, and waits for its end.
func (s *Server) end() {
	if s.cmd == nil {
		return
	}
	s.cmd.Process.Kill()
	<-s.ended
	s.cmd = nil
}

// Stop ends the server in an orderly way. What it kept in memory is gone, unless Save was
// called.
func (s *Server) Stop() {
	s.t.Helper()
	if s.cmd == nil {
		s.t.Fatal("the server doesn't run")
	}
	s.cmd.Process.Signal(syscall.SIGTERM)
	<-s.ended
	s.cmd = nil
}

// Kill ends the server by SIGKILL.
func (s *Server) Kill() { s.end() }

// Start starts a server that was ended, on the same port. It has what was saved.
func (s *Server) Start() {
	s.t.Helper()
	s.again(true)
}

// Launch is Start that doesn't wait until the server has read what was saved.
func (s *Server) Launch() {
	s.t.Helper()
	s.again(false)
}

func (s *Server) again(ready bool) {
	s.t.Helper()
	if s.cmd != nil {
		s.t.Fatal("the server runs")
	}
	if err := s.run(ready); err != nil {
		s.t.Fatalf("%s doesn't start again: %v", s.name, err)
	}
}

// Save writes what the server has to its folder, for the next Start.
func (s *Server) Save() { s.t.Helper(); s.CLI("SAVE") }

// Forget removes what Save wrote.
func (s *Server) Forget() { os.Remove(s.File("dump.rdb")) }

// Pause makes a black hole of the server: connections stand, nothing answers.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume ends Pause.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// Fill makes the server refuse whatever needs memory.
func (s *Server) Fill() {
	s.t.Helper()
	s.CLI("CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", "1")
}

// Drain ends Fill.
func (s *Server) Drain() { s.t.Helper(); s.CLI("CONFIG", "SET", "maxmemory", "0") }

// SetPassword changes the password of the default user and ends all its connections.
func (s *Server) SetPassword(password string) {
	s.t.Helper()
	s.CLI("CONFIG", "SET", "requirepass", password)
	s.password = password
	s.Hangup()
}

// Hangup ends all connections.
func (s *Server) Hangup() { s.t.Helper(); s.CLI("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes") }

// Flush empties the server.
func (s *Server) Flush() { s.t.Helper(); s.CLI("FLUSHALL") }

// FlushScripts makes the server forget its scripts.
func (s *Server) FlushScripts() { s.t.Helper(); s.CLI("SCRIPT", "FLUSH", "SYNC") }

// Info returns a field of INFO, "" when there is none.
func (s *Server) Info(section, field string) string {
	s.t.Helper()
	return fieldOf(s.CLI("INFO", section), field)
}

// fieldOf finds "field:value" in lines.
func fieldOf(text, field string) string {
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && name == field {
			return value
		}
	}
	return ""
}
