// Package postconf tells what Postfix's configuration means for rmilter's.
//
// [Read] asks the program postconf for main.cf and master.cf as Postfix sees them.
// [Check] compares that with a configuration of rmilter: which services ask it, by
// which address and with what time limits, whose mail is ours for both. What it finds
// comes as sentences for the administrator, each with the line to put where.
package postconf

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Limits of what is taken from postconf.
const (
	runTimeout = 10 * time.Second // one run; it may ask DNS for the machine's name
	maxOutput  = 1 << 20
	maxErrors  = 16 << 10
)

// A Postfix is the configuration of one Postfix instance. It is read only.
type Postfix struct {
	Dir      string            // where main.cf and master.cf are
	Main     map[string]string // every parameter of main.cf with its effective value
	Set      map[string]string // the parameters that main.cf sets, as written there
	Services []*Service        // of master.cf, in its order
	Unused   []string          // NAME=VALUE of what main.cf sets and Postfix doesn't know
}

// A Service is a line of master.cf.
type Service struct {
	Name      string            // "smtp", "127.0.0.1:10025"
	Type      string            // inet, unix, pass, fifo, unix-dgram
	Chroot    string            // y, n or - for the default
	Command   string            // "smtpd"
	Overrides map[string]string // -o name=value
}

// String returns name and type, as master.cf and postconf have them.
func (s *Service) String() string { return s.Name + " " + s.Type }

// Value returns a parameter as a service sees it; a nil service sees main.cf alone.
func (p *Postfix) Value(s *Service, name string) string {
	if s != nil {
		if v, ok := s.Overrides[name]; ok {
			return v
		}
	}
	return p.Main[name]
}

// Find returns the path of the program postconf: in the directories of path, which
// is that of $PATH, then where Postfix puts it. It returns "" when there is none.
func Find(path string) string {
	for _, dir := range append(filepath.SplitList(path), "/usr/sbin", "/usr/local/sbin") {
		if !filepath.IsAbs(dir) {
			continue // never a program from the current directory
		}
		name := filepath.Join(dir, "postconf")
		if fi, err := os.Stat(name); err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0 {
			return name
		}
	}
	return ""
}

// Read asks a postconf program for the configuration in a directory; "" is Postfix's
// usual one. It needs no rights but to read that directory.
func Read(ctx context.Context, program, dir string) (*Postfix, error) {
	var args []string
	if dir != "" {
		args = []string{"-c", dir}
	}
	var texts [4]string
	var said string
	for i, what := range []string{"-x", "-n", "-M", "-Px"} {
		out, errs, err := run(ctx, program, append(slices.Clone(args), what)...)
		if err != nil {
			return nil, err
		}
		texts[i] = out
		if i == 0 {
			said = errs
		}
	}
	p, err := Parse(texts[0], texts[1], texts[2], texts[3])
	if err != nil {
		return nil, err
	}
	p.Unused = parseUnused(said)
	if p.Dir = dir; dir == "" {
		p.Dir = p.Main["config_directory"]
	}
	return p, nil
}

// run runs postconf and returns what it wrote to its two outputs.
func run(ctx context.Context, program string, args ...string) (stdout, stderr string, err error) {
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin", "LC_ALL=C"}
	cmd.WaitDelay = time.Second
	out, errs := bounded{max: maxOutput}, bounded{max: maxErrors, cut: true}
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	switch {
	case out.full:
		return "", "", fmt.Errorf("%s writes more than %d bytes", program, maxOutput)
	case ctx.Err() != nil:
		return "", "", fmt.Errorf("%s doesn't end within %v", program, runTimeout)
	case err != nil:
		return "", "", fmt.Errorf("%s", reason(errs.b.String(), err))
	}
	return out.b.String(), errs.b.String(), nil
}

// reason returns the line in which postconf says why it failed.
func reason(stderr string, err error) string {
	last := ""
	for line := range strings.Lines(stderr) {
		if line = strings.TrimSpace(line); line != "" {
			last = line
		}
		if strings.Contains(line, ": fatal: ") {
			break
		}
	}
	if last == "" {
		return err.Error()
	}
	return last
}

// A bounded keeps the first max bytes of what is written to it. Further ones are an
// error, or with cut dropped.
type bounded struct {
	b    strings.Builder
	max  int
	cut  bool
	full bool
}

var errFull = errors.New("too much output")

// Write implements io.Writer.
func (w *bounded) Write(p []byte) (int, error) {
	room := w.max - w.b.Len()
	if len(p) <= room {
		return w.b.Write(p)
	}
	w.b.Write(p[:room])
	if w.cut {
		return len(p), nil
	}
	w.full = true
	return room, errFull
}
