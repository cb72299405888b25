package options

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"rmilter/milter/miltertest"
)

// processEntries are about the daemon itself.
func processEntries() []entry {
	const messageLine = `ID: action="no action" reply=- score=0.00/15.00 ip=203.0.113.7 host=client.sender.example helo=client.sender.example user=- from=<joe@sender.example> rcpt=<alice@example.com> nrcpt=1 qid=4cQueueID mid=<MID> size=SIZE auth=- grey=- av=- dkim_sign=- trust=- ms=MS dry=0 flags=- sym=-`
	const messageObject = `{"time":"TIME","level":"INFO","msg":"message","id":"ID","action":"no action","reply":"","score":"0.00/15.00","ip":"203.0.113.7","host":"client.sender.example","helo":"client.sender.example","user":"","from":"<joe@sender.example>","rcpt":"<alice@example.com>","nrcpt":"1","qid":"4cQueueID","mid":"<MID>","size":"SIZE","auth":"-","grey":"","av":"-","dkim_sign":"-","trust":"-","ms":"MS","dry":"0","flags":"","sym":"-"}`
	const parting = "MAIL 421 4.3.2 mx.example.com restarting, try again [ID]"
	const byDefault = "inet 9900: answers\ninet 9901: -\ninet6 9900: -\nDIR/other.sock: -"
	return []entry{
		{path: "bind_socket", value: "inet:9901@127.0.0.1", probe: milterSockets, room: true,
			before: byDefault, after: "inet 9900: -\ninet 9901: answers\ninet6 9900: -\nDIR/other.sock: -"},
		{path: "bind_socket", value: `"unix:$DIR/other.sock mode=0600", inet6:9900@[::1]`, probe: milterSockets, room: true,
			before: byDefault, after: "inet 9900: -\ninet 9901: -\ninet6 9900: answers\nDIR/other.sock: answers, mode 0600"},
		{path: "max_connections", value: "1", probe: crowd,
			before: "second connection: continue\nstatus: 2000",
			after:  "second connection: MAIL 451 4.7.1 Too many connections, try again later [ID]\nstatus: 1"},
		{path: "shutdown_timeout", value: "0s", with: "trusted_relays = 198.51.100.5;", probe: drain, ends: true,
			before: "stranger: " + parting + "\nours: continue\nrelay: continue\nlog: timeout=20s",
			after:  "stranger: " + parting + "\nours: " + parting + "\nrelay: " + parting + "\nlog: timeout=0s"},
		{path: "data_dir", value: `"$DIR/state"`, probe: dataDir, room: true, prep: func(d *daemon) { d.must(os.RemoveAll("/var/lib/rmilter")) },
			before: "/var/lib/rmilter: mode 0700\nDIR/state: -",
			after:  "/var/lib/rmilter: -\nDIR/state: mode 0700"},
		{path: "tempdir", value: `"$DIR"`, probe: spoolFile,
			before: "/tmp/FILE, mode 0600, 0 names", after: "DIR/FILE, mode 0600, 0 names"},
		{path: "tempdir", value: "/var/tmp", env: []string{"TMPDIR=$DIR"}, probe: spoolFile,
			before: "DIR/FILE, mode 0600, 0 names", after: "/var/tmp/FILE, mode 0600, 0 names"},
		{path: "spool_limit", value: "1M", probe: spoolLimit,
			before: "third message: continue\nstatus: 268435456", after: "third message: 451 4.7.1 Too busy, try again later. [ID]\nstatus: 1048576"},
		{path: "spool_limit", value: "1M", probe: each(letter{body: text(600<<10) + "\n" + pattern("X")}).logging("flags"),
			before: "554 5.7.1 Gtube pattern [ID]; flags=-", after: "continue; flags=oversize"}, // half of it bounds a message
		{path: "pidfile", value: "$DIR/pid", probe: pidFile, prep: func(d *daemon) { os.Remove(d.path("pid")) },
			before: "-", after: "mode 0644, its number and a line feed"},
		{path: "log", value: "stderr", probe: logTarget, room: true,
			before: "syslog: <22>TIME rmilter[PID]: " + messageLine, after: "stderr: TIME INFO " + messageLine},
		{path: "log", value: "journald", probe: logTarget, room: true,
			before: "syslog: <22>TIME rmilter[PID]: " + messageLine,
			after:  "journal: PRIORITY=6 SYSLOG_FACILITY=2 SYSLOG_IDENTIFIER=rmilter MESSAGE=" + messageLine},
		{path: "log", value: "syslog", env: []string{"JOURNAL_STREAM=$STDERR"}, probe: logTarget, room: true,
			before: "journal: PRIORITY=6 SYSLOG_FACILITY=2 SYSLOG_IDENTIFIER=rmilter MESSAGE=" + messageLine,
			after:  "syslog: <22>TIME rmilter[PID]: " + messageLine},
		{path: "format", value: "json", probe: logTarget, before: "stderr: TIME INFO " + messageLine, after: "stderr: " + messageObject},
		{path: "log_level", value: "error", probe: logLevels, before: "info warn error", after: "error"},
		{path: "log_level", value: "warn", probe: logLevels, before: "info warn error", after: "warn error"},
		{path: "log_level", value: "debug", probe: logLevels, before: "info warn error", after: "debug info warn error"},
		{path: "syslog_name", value: "mailfilter", with: "log = syslog;", probe: logTarget, room: true,
			before: "syslog: <22>TIME rmilter[PID]: " + messageLine, after: "syslog: <22>TIME mailfilter[PID]: " + messageLine},
		{path: "control_socket", value: "$DIR/c.sock", with: `worker "controller" { password = secret; }`, probe: controlSocket, room: true,
			before: "/run/rmilter/control.sock: mode 0660, status 200\nDIR/c.sock: -",
			after:  "/run/rmilter/control.sock: -\nDIR/c.sock: mode 0660, status 200"},
		{path: "control_socket", value: `""`, probe: controlSocket, room: true,
			before: "/run/rmilter/control.sock: mode 0660, status 200\nDIR/c.sock: -",
			after:  "/run/rmilter/control.sock: -\nDIR/c.sock: -"},
		{path: "hostname", value: "mx2.example.org", with: "spamd { extended_spam_headers = yes; }", probe: hostName,
			before: "header: $HOST\nstatus: $HOST\nGET with Host mx2.example.org: 403\nparting: 421 4.3.2 $HOST restarting, try again [ID]",
			after:  "header: mx2.example.org\nstatus: mx2.example.org\nGET with Host mx2.example.org: 200\nparting: 421 4.3.2 mx2.example.org restarting, try again [ID]", ends: true},
	}
}

// milterSockets looks where an MTA gets an answer.
func milterSockets(d *daemon) string {
	var seen []string
	for _, at := range []struct{ name, network, address string }{
		{"inet 9900", "tcp4", "127.0.0.1:9900"},
		{"inet 9901", "tcp4", "127.0.0.1:9901"},
		{"inet6 9900", "tcp6", "[::1]:9900"},
		{d.path("other.sock"), "unix", d.path("other.sock")},
	} {
		said := "-"
		if c, err := miltertest.Dial(at.network, at.address); err == nil {
			d.must(c.Negotiate(6, miltertest.AllActions, miltertest.AllProtocol))
			d.must(c.Quit())
			said = "answers"
			if at.network == "unix" {
				said += ", " + mode(at.address)
			}
		}
		seen = append(seen, at.name+": "+said)
	}
	return d.plain(strings.Join(seen, "\n"))
}

// mode tells the mode of a file, "-" when there is none.
func mode(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "-"
	}
	return fmt.Sprintf("mode %04o", info.Mode().Perm())
}

// crowd has one connection stand while mail comes on another.
func crowd(d *daemon) string {
	d.must(d.dial(letter{}).Flush())
	d.until("a connection", func() bool { return d.status().Sessions.Open == 1 })
	return fmt.Sprintf("second connection: %v\nstatus: %d", d.send(letter{}), d.status().Sessions.Max)
}

// drain stops the daemon while the sessions of a stranger, of one of ours and of a relay
// are idle.
func drain(d *daemon) string {
	names := []string{"stranger", "ours", "relay"}
	letters := []letter{{}, {client: ours}, {client: "198.51.100.5"}}
	var idle []*miltertest.Conn
	for _, l := range letters {
		c := d.dial(l)
		d.must(c.Flush())
		idle = append(idle, c)
	}
	d.until("three connections", func() bool { return d.status().Sessions.Open == 3 })
	stopped := make(chan error, 1)
	go func() { stopped <- d.Stop() }()
	line := d.line("draining", "connections=3")
	timeout := line[strings.LastIndex(line, "timeout="):]
	if timeout == "timeout=0s" {
		d.must(<-stopped) // what it has said to the sessions waits in them
	} else {
		defer func() {
			d.hangUp()
			d.must(<-stopped)
		}()
	}
	var seen []string
	for i, l := range letters {
		seen = append(seen, fmt.Sprintf("%s: %v", names[i], d.deliver(idle[i], l)))
	}
	return strings.Join(append(seen, "log: "+timeout), "\n")
}

// dataDir looks which directory has been made.
func dataDir(d *daemon) string {
	return d.plain(fmt.Sprintf("/var/lib/rmilter: %s\n%s: %s", mode("/var/lib/rmilter"), d.path("state"), mode(d.path("state"))))
}

// spoolFile looks for the file in which a large message is while it arrives.
func spoolFile(d *daemon) string {
	d.hold(300 << 10)
	name := d.spooled()
	info, err := os.Stat(name)
	d.must(err)
	link, err := os.Readlink(name)
	d.must(err)
	return d.plain(fmt.Sprintf("%s, mode %04o, %d names", link, info.Mode().Perm(), info.Sys().(*syscall.Stat_t).Nlink))
}

// spooled waits for a message to be in a file, and returns the file's name in /proc.
func (d *daemon) spooled() (name string) {
	d.t.Helper()
	d.until("a spool file", func() bool {
		fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", d.Pid()))
		d.must(err)
		for _, fd := range fds {
			if link, err := os.Readlink(fd); err == nil && strings.Contains(link, "/rmilter-") && strings.HasSuffix(link, " (deleted)") {
				name = fd
			}
		}
		return name != ""
	})
	return name
}

// spoolLimit has a message come while two others of half a megabyte are on their way.
func spoolLimit(d *daemon) string {
	const size = 500 << 10
	d.hold(size)
	d.hold(size)
	d.until("both have come", func() bool { return d.status().Spool.Used >= 2*size })
	return fmt.Sprintf("third message: %v\nstatus: %d", d.send(letter{body: text(size)}), d.status().Spool.Limit)
}

// pidFile reads the file that pidfile names.
func pidFile(d *daemon) string {
	content, err := os.ReadFile(d.path("pid"))
	if err != nil {
		return "-"
	}
	said := fmt.Sprintf("%q", content)
	if string(content) == fmt.Sprintf("%d\n", d.Pid()) {
		said = "its number and a line feed"
	}
	return mode(d.path("pid")) + ", " + said
}

// logTarget looks for the line of a message, in whole.
func logTarget(d *daemon) string {
	f := d.send(letter{})
	line := f.line()
	if !strings.HasPrefix(line, "syslog: ") && !strings.HasPrefix(line, "journal: ") {
		line = "stderr: " + line
	}
	if n := len(d.lines(strings.Trim(f.mid, "<>"))); n != 1 {
		d.t.Errorf("%d lines of one message", n)
	}
	return d.plain(line)
}

// logLevels looks which lines are in the log, of a message, of a broken connection and
// of a reload with a fault.
func logLevels(d *daemon) string {
	before := len(d.logged())
	mta := d.dial(letter{})
	d.deliver(mta, letter{})
	d.must(mta.Quit()) // the line of the message has been written then
	c, err := net.Dial("unix", d.path("milter.sock"))
	d.must(err)
	defer c.Close()
	_, err = c.Write(make([]byte, 4)) // a packet of no bytes
	d.must(err)
	_, err = c.Read(make([]byte, 1)) // the daemon has said why before it closes
	if err == nil {
		d.t.Fatal("an answer to a broken packet")
	}
	conf, err := os.ReadFile(d.path("rmilter.conf"))
	d.must(err)
	d.must(os.WriteFile(d.path("rmilter.conf"), append(conf, "no_such_option = 1;\n"...), 0o600))
	d.must(d.Reload())
	d.must(os.WriteFile(d.path("rmilter.conf"), conf, 0o600))
	log := d.logged()[before:]
	var seen []string
	for _, l := range []struct{ level, text string }{
		{"debug", "DEBUG SMTP session"},
		{"info", "action=\"no action\""},
		{"warn", "WARN milter connection ended"},
		{"error", "ERROR configuration not reloaded"},
	} {
		if strings.Contains(log, l.text) {
			seen = append(seen, l.level)
		}
	}
	return strings.Join(seen, " ")
}

// controlSocket asks where the control socket may be.
func controlSocket(d *daemon) string {
	var seen []string
	for _, path := range []string{"/run/rmilter/control.sock", d.path("c.sock")} {
		said := mode(path)
		if a := d.ask(path, request{path: "/status"}); a.code != 0 {
			said += fmt.Sprintf(", status %d", a.code)
		}
		seen = append(seen, path+": "+said)
	}
	return d.plain(strings.Join(seen, "\n"))
}

// hostName looks where the daemon names its machine.
func hostName(d *daemon) string {
	header := "-"
	for part := range strings.SplitSeq(d.send(letter{}).said, ", ") {
		if name, ok := strings.CutPrefix(part, "add X-Rspamd-Server: "); ok {
			header = name
		}
	}
	status := d.status().Hostname
	get := d.ask(d.controller(), request{path: "/ping", host: "mx2.example.org"}).code
	c := d.dial(letter{})
	d.must(c.Flush())
	d.until("two connections", func() bool { return d.status().Sessions.Open == 2 })
	stopped := make(chan error, 1)
	go func() { stopped <- d.Stop() }()
	d.line("draining")
	parting := d.deliver(c, letter{})
	d.hangUp()
	d.must(<-stopped)
	return fmt.Sprintf("header: %s\nstatus: %s\nGET with Host mx2.example.org: %d\nparting: %s", header, status, get, strings.TrimPrefix(parting.said, "MAIL "))
}
