package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// usage is what a process and its children have used.
type usage struct {
	cpu       time.Duration
	rss, peak int64 // bytes
	processes int
}

// process is one line of /proc/PID/stat.
type process struct {
	pid, parent int
	cpu         time.Duration
}

// processTree sums a process and all below it; nothing for pid 0. Linux only.
func processTree(pid int) (usage, error) {
	var u usage
	if pid == 0 {
		return u, nil
	}
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return u, err
	}
	children := map[int][]process{}
	var root *process
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // it ended meanwhile
		}
		p, err := parseStat(b)
		if err != nil {
			return u, fmt.Errorf("%s: %w", name, err)
		}
		children[p.parent] = append(children[p.parent], p)
		if p.pid == pid {
			root = &p
		}
	}
	if root == nil {
		return u, fmt.Errorf("-pid %d: no such process", pid)
	}
	for todo := []process{*root}; len(todo) > 0; {
		p := todo[0]
		todo = append(todo[1:], children[p.pid]...)
		rss, peak := memory(p.pid)
		u.cpu += p.cpu
		u.rss += rss
		u.peak += peak
		u.processes++
	}
	return u, nil
}

// parseStat reads user and system time of proc(5); the unit USER_HZ is 100 on
// every Linux that Go runs on.
func parseStat(b []byte) (process, error) {
	var p process
	name, rest, ok := bytes.Cut(b, []byte(" ("))
	end := bytes.LastIndexByte(rest, ')') // the name may hold brackets too
	if !ok || end < 0 {
		return p, fmt.Errorf("unexpected %q", b)
	}
	f := strings.Fields(string(rest[end+1:]))
	if len(f) < 13 {
		return p, fmt.Errorf("unexpected %q", b)
	}
	var n [4]int64
	for i, s := range []string{string(name), f[1], f[11], f[12]} {
		var err error
		if n[i], err = strconv.ParseInt(s, 10, 64); err != nil {
			return p, err
		}
	}
	return process{int(n[0]), int(n[1]), time.Duration(n[2]+n[3]) * 10 * time.Millisecond}, nil
}

// memory reads the resident memory and its peak; zeros when the process is gone.
func memory(pid int) (rss, peak int64) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0
	}
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		f := strings.Fields(s.Text())
		if len(f) < 2 {
			continue
		}
		kb, _ := strconv.ParseInt(f[1], 10, 64)
		switch f[0] {
		case "VmRSS:":
			rss = kb << 10
		case "VmHWM:":
			peak = kb << 10
		}
	}
	return rss, peak
}
