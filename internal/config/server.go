package config

import (
	"net/netip"
	"os"
	"runtime"
	"strings"

	"rmilter/internal/ucl"
)

// Server are the options of the daemon itself.
type Server struct {
	BindSocket      ucl.Sockets  // where the MTA connects to
	MaxConnections  ucl.Int      // milter connections that are served at once
	ShutdownTimeout ucl.Duration // how long sessions of ours are served after SIGTERM
	DataDir         ucl.String   // state
	TempDir         ucl.String   // spool of large messages
	SpoolLimit      ucl.Size     // bytes of all messages in flight
	PidFile         ucl.String   // "" for none
	Log             string       // auto, journald, syslog or stderr
	Format          string       // text or json
	LogLevel        string       // error, warn, info or debug
	SyslogName      ucl.String   // ident in the log
	ControlSocket   ucl.String   // unix socket of the controller, "" for none
	Hostname        ucl.String   // this machine's name in replies and headers
	Controller      Controller
	Normal          Normal
}

// Normal are the options of worker "normal".
type Normal struct {
	BindSocket ucl.Sockets // where mail systems have mail judged by HTTP; empty for nowhere
}

// Controller are the options of worker "controller".
type Controller struct {
	BindSocket     ucl.Sockets  // where HTTP is served; empty for nowhere
	Password       ucl.Secret   // opens what reads
	EnablePassword ucl.Secret   // opens what changes something
	SecureIP       ucl.Networks // clients that need no password
}

// runDir is where sockets of running daemons live on an operating system.
func runDir(goos string) string {
	if goos == "linux" {
		return "/run/rmilter"
	}
	return "/var/run/rmilter" // FreeBSD has no /run
}

// DefaultServer returns the defaults. The temporary directory and the host name are
// those of the machine.
func DefaultServer() Server {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	return Server{
		BindSocket:      ucl.MustSockets("inet:9900@127.0.0.1"),
		MaxConnections:  2000,
		ShutdownTimeout: 20 * second,
		DataDir:         "/var/lib/rmilter",
		TempDir:         ucl.String(os.TempDir()),
		SpoolLimit:      256 << 20,
		Log:             "auto",
		Format:          "text",
		LogLevel:        "info",
		SyslogName:      "rmilter",
		ControlSocket:   ucl.String(runDir(runtime.GOOS) + "/control.sock"),
		Hostname:        ucl.String(host),
		Controller:      Controller{BindSocket: ucl.MustSockets("127.0.0.1:11334")},
		Normal:          Normal{BindSocket: ucl.MustSockets("127.0.0.1:11333")},
	}
}

const second = ucl.Duration(1e9)

// Sections declares the options; see package ucl.
func (c *Server) Sections() []*ucl.Section {
	return []*ucl.Section{{Options: c.top()}, c.worker()}
}

func (c *Server) top() []ucl.Option {
	return []ucl.Option{
		{Name: "bind_socket", Value: &socketsValue{&c.BindSocket}, Restart: true,
			Doc: `Where the MTA connects to: inet:PORT@HOST, inet6:PORT@[ADDRESS], unix:PATH, fd:N for an inherited descriptor or systemd:NAME. A path may be followed by mode=, owner= and group= in the same quotes, as in "unix:/run/rmilter/rmilter.sock mode=0660 group=postfix". Sockets that systemd passes stand in for it.`},
		{Name: "max_connections", Value: ucl.Within(&c.MaxConnections, 1, 1_000_000), Restart: true,
			Doc: "Milter connections that are served at once, 1 to 1000000. Mail on further ones is deferred."},
		{Name: "shutdown_timeout", Value: ucl.Within(&c.ShutdownTimeout, 0, 600*second),
			Doc: "How long the open sessions of our own users and of trusted relays are served after a stop, at most 10m. Others are told to try again at their next message."},
		{Name: "data_dir", Value: &pathValue{&c.DataDir, false}, Restart: true,
			Doc: "Directory for what is to outlive a restart."},
		{Name: "tempdir", Value: &pathValue{&c.TempDir, false}, Restart: true, Default: "$TMPDIR, else /tmp", Example: `"/var/tmp"`,
			Doc: "Directory where large messages are kept while they arrive. The files have mode 0600 and no name."},
		{Name: "spool_limit", Value: ucl.Within(&c.SpoolLimit, 1<<20, 1<<40), Restart: true,
			Doc: "Bytes of all messages that are arriving at one time, 1M to 1024G. Beyond it a message is deferred. Those that are only to be inspected, by HTTP, have a quarter of it besides."},
		{Name: "pidfile", Value: &pathValue{&c.PidFile, true}, Restart: true, Example: `"/run/rmilter/rmilter.pid"`,
			Doc: "File that holds the number of the daemon's process. Supervisors such as systemd don't need it."},
		{Name: "log", Value: ucl.Enum(&c.Log, "auto", "journald", "syslog", "stderr"), Restart: true,
			Doc: "Where the log goes: journald, syslog (facility mail) or stderr. auto takes journald under systemd, stderr on a terminal, otherwise syslog."},
		{Name: "format", Value: ucl.Enum(&c.Format, "text", "json"), Restart: true,
			Doc: "Form of the log lines: text or json."},
		{Name: "log_level", Value: ucl.Enum(&c.LogLevel, "error", "warn", "info", "debug"),
			Doc: "The least important lines that are logged: error, warn, info or debug. info has one line for each message, debug one for each SMTP session, too."},
		{Name: "syslog_name", Value: &nameValue{&c.SyslogName, "a name without blanks, at most 48 characters", isIdent}, Restart: true,
			Doc: "The daemon's name in the log."},
		{Name: "control_socket", Value: &pathValue{&c.ControlSocket, true}, Restart: true,
			Doc: `Unix socket for rmilterctl, on FreeBSD in /var/run/rmilter. Who may connect to it has full rights. "" for none.`},
		{Name: "hostname", Value: &nameValue{&c.Hostname, "a host name", isHost}, Restart: true, Default: "the machine's name", Example: "mx1.example.com",
			Doc: "This machine's name in replies, header fields and the status."},
	}
}

// worker declares the blocks for rspamd's workers, of which this version serves two.
func (c *Server) worker() *ucl.Section {
	controller, normal := c.Controller.section(), c.Normal.section()
	unserved := &ucl.Section{Name: "worker", Unserved: true, Opaque: true}
	return &ucl.Section{
		Name: "worker",
		Key:  "TYPE",
		Keys: []string{"controller", "normal"},
		Doc:  `The HTTP servers, by their type as in rspamd. Blocks of one type are read as one. A worker without a type in quotes takes it from "type" or from the name of the file that it includes.`,
		Repeat: func(key string) *ucl.Section {
			switch key {
			case "controller":
				return controller
			case "normal":
				return normal
			case "rspamd_proxy", "fuzzy", "fuzzy_storage", "hs_helper", "http_proxy", "log_helper", "lua", "smtp_proxy":
				return unserved
			}
			return nil
		},
	}
}

// section declares the options of worker "controller".
func (c *Controller) section() *ucl.Section {
	return &ucl.Section{
		Name: "worker",
		Doc:  "The HTTP server for rmilterctl, monitoring and people.",
		Options: []ucl.Option{
			{Name: "bind_socket", Value: &c.BindSocket, Restart: true, Gather: true,
				Doc: "Where HTTP is served: HOST:PORT, *:PORT for all addresses, or a path. [] for nowhere."},
			{Name: "password", Value: &passwordValue{&c.Password}, Example: `"change me"`,
				Doc: "Opens what only reads, and without enable_password what changes something, too. In plain text or as rmilterctl pw prints it. Without any password reading is open to all who can connect."},
			{Name: "enable_password", Value: &passwordValue{&c.EnablePassword}, Example: `"change me, too"`,
				Doc: "Opens everything, in the same forms. Without any password only the control socket and secure_ip can change something."},
			{Name: "secure_ip", Value: &c.SecureIP, Gather: true, Example: "192.0.2.10, [2001:db8::10]",
				Doc: "Clients that need no password and have full rights: addresses, networks or host names."},
		},
		Ignored: append([]ucl.Ignored{{Name: "static_dir", Note: "the daemon brings its own pages"}}, ignoredOfWorkers()...),
		Check:   c.check,
	}
}

// section declares the options of worker "normal".
func (c *Normal) section() *ucl.Section {
	return &ucl.Section{
		Name: "worker",
		Doc:  "The HTTP server for mail systems that have mail judged by rspamd's protocol in place of milter, such as Exim and Haraka.",
		Options: []ucl.Option{
			{Name: "bind_socket", Value: &c.BindSocket, Restart: true, Gather: true,
				Doc: "Where HTTP is served, as in worker \"controller\". There is no password: who can connect may have mail judged. [] for nowhere."},
		},
		Ignored: append([]ucl.Ignored{
			{Name: "mime", Note: "messages are always MIME, unless the client says otherwise"},
			{Name: "keypair", Note: "HTTPCrypt is not spoken"},
		}, ignoredOfWorkers()...),
		Check: c.check,
	}
}

// ignoredOfWorkers are rspamd's options of all workers that have no effect.
func ignoredOfWorkers() []ucl.Ignored {
	return []ucl.Ignored{
		{Name: "count", Note: "one process serves all"},
		{Name: "max_tasks", Note: "the number of connections is bounded by itself"},
		{Name: "timeout", Note: "each request has its own time limit"},
		{Name: "task_timeout", Note: "each request has its own time limit"},
	}
}

// check finds what opens the worker to others.
func (c *Normal) check(warn func(option, format string, args ...any)) {
	if s, far := reachable(c.BindSocket); far {
		warn("bind_socket", "%s can be reached from other machines, and there is no password: who connects can pass for any user; expected a socket of 127.0.0.1, or a firewall", s)
	}
}

// reachable returns the first socket that can be reached from other machines.
func reachable(sockets ucl.Sockets) (ucl.Socket, bool) {
	for _, s := range sockets {
		if far := s.Kind == ucl.Inet || s.Kind == ucl.Inet6 || s.Kind == ucl.TCP; far && !loopback(s.Host) {
			return s, true
		}
	}
	return ucl.Socket{}, false
}

// check finds what opens the controller to others.
func (c *Controller) check(warn func(option, format string, args ...any)) {
	if s, far := reachable(c.BindSocket); far && !c.Password.IsSet() && !c.EnablePassword.IsSet() {
		warn("bind_socket", "%s can be reached from other machines, and there is no password; expected password = TEXT, or a socket of 127.0.0.1", s)
	}
	if c.Password.IsSet() && c.Password.Equal(c.EnablePassword) {
		warn("enable_password", "who knows password may change everything, too, as both are the same; expected two, or password alone")
	}
	if p, broad := c.SecureIP.TooBroad(); broad {
		warn("secure_ip", "%s is nearly everybody, who gets full rights without a password; expected your own addresses", p)
	}
}

// loopback tells whether a host can be reached from this machine only.
func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && a.IsLoopback()
}

// An HTTPSocket is a place where HTTP is served.
type HTTPSocket struct {
	ucl.Socket
	Option  string // the option that names it
	Default bool   // it is named by the default only
}

// ControlSockets returns where the controller listens.
func (c *Server) ControlSockets() []HTTPSocket {
	def := DefaultServer()
	var all []HTTPSocket
	if c.ControlSocket != "" {
		all = append(all, HTTPSocket{ucl.Socket{Kind: ucl.Unix, Path: string(c.ControlSocket)}, "control_socket", c.ControlSocket == def.ControlSocket})
	}
	return append(all, httpSockets("controller", c.Controller.BindSocket, def.Controller.BindSocket)...)
}

// NormalSockets returns where worker "normal" listens.
func (c *Server) NormalSockets() []HTTPSocket {
	return httpSockets("normal", c.Normal.BindSocket, DefaultServer().Normal.BindSocket)
}

// httpSockets returns the sockets of a worker.
func httpSockets(worker string, sockets, def ucl.Sockets) []HTTPSocket {
	var all []HTTPSocket
	for _, s := range sockets {
		all = append(all, HTTPSocket{s, "worker " + worker + " bind_socket", sockets.String() == def.String()})
	}
	return all
}

// A socketsValue is a list of sockets that must not be empty.
type socketsValue struct{ *ucl.Sockets }

// Set implements ucl.Value.
func (v *socketsValue) Set(n *ucl.Node, add bool) error {
	var s ucl.Sockets
	if err := s.Set(n, false); err != nil {
		return err
	}
	if len(s) == 0 {
		return n.Errorf("an empty list; expected at least one socket")
	}
	return v.Sockets.Set(n, add)
}

// A pathValue is an absolute path.
type pathValue struct {
	p    *ucl.String
	none bool // "" may stand for none
}

// Set implements ucl.Value.
func (v *pathValue) Set(n *ucl.Node, _ bool) error {
	text, err := n.Word()
	switch {
	case err != nil:
		return err
	case text == "" && v.none:
	case !strings.HasPrefix(text, "/") || strings.ContainsRune(text, 0):
		return n.Errorf("%.80q is not a path; expected one that begins with /", text)
	}
	*v.p = ucl.String(text)
	return nil
}

// String returns the path in quotes.
func (v *pathValue) String() string { return v.p.String() }

// A nameValue is a text with a rule for its characters.
type nameValue struct {
	p    *ucl.String
	want string
	ok   func(string) bool
}

// Set implements ucl.Value.
func (v *nameValue) Set(n *ucl.Node, _ bool) error {
	text, err := n.Word()
	if err != nil {
		return err
	}
	if !v.ok(text) {
		return n.Errorf("%.80q is not valid; expected %s", text, v.want)
	}
	*v.p = ucl.String(text)
	return nil
}

// String returns the name in quotes.
func (v *nameValue) String() string { return v.p.String() }

// isIdent tells whether s can be the name of a program in the log (RFC 3164,
// section 4.1.3, and RFC 5424, section 6.2.5).
func isIdent(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || strings.IndexByte("[]:/", s[i]) >= 0 {
			return false
		}
	}
	return s != "" && len(s) <= 48
}

// isHost tells whether s can be this machine's name in an SMTP reply and a header.
func isHost(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') && strings.IndexByte("-._", s[i]) < 0 {
			return false
		}
	}
	return s != "" && len(s) <= 253
}
