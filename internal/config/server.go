package config

import (
	"os"

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
	ControlSocket   ucl.String   // unix socket of the controller
	Hostname        ucl.String   // this machine's name in replies and headers
	Controller      Controller
}

// Controller are the options of worker "controller".
type Controller struct {
	BindSocket     ucl.Sockets
	Password       ucl.Secret
	EnablePassword ucl.Secret
	SecureIP       ucl.Networks
}

// DefaultServer returns the defaults.
func DefaultServer() Server {
	tmp := os.Getenv("TMPDIR")
	if tmp == "" {
		tmp = "/tmp"
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return Server{
		BindSocket:      ucl.MustSockets("inet:9900@127.0.0.1"),
		MaxConnections:  2000,
		ShutdownTimeout: ucl.Duration(20e9),
		DataDir:         "/var/lib/rmilter",
		TempDir:         ucl.String(tmp),
		SpoolLimit:      256 << 20,
		Log:             "auto",
		Format:          "text",
		LogLevel:        "info",
		SyslogName:      "rmilter",
		ControlSocket:   "/run/rmilter/control.sock",
		Hostname:        ucl.String(host),
		Controller:      Controller{BindSocket: ucl.MustSockets("127.0.0.1:11334")},
	}
}

// Sections declares the options; see package ucl.
func (c *Server) Sections() []*ucl.Section {
	return []*ucl.Section{
		{Options: []ucl.Option{
			{Name: "bind_socket", Value: &c.BindSocket, Restart: true, Doc: "Where the MTA connects to."},
			{Name: "max_connections", Value: &c.MaxConnections, Restart: true, Doc: "Milter connections that are served at once; mail on further ones is deferred."},
			{Name: "shutdown_timeout", Value: &c.ShutdownTimeout, Doc: "How long open sessions are served after SIGTERM."},
			{Name: "data_dir", Value: &c.DataDir, Restart: true, Doc: "State."},
			{Name: "tempdir", Value: &c.TempDir, Restart: true, Doc: "Where large messages wait while they arrive."},
			{Name: "spool_limit", Value: &c.SpoolLimit, Restart: true, Doc: "Bytes of all messages that are arriving."},
			{Name: "pidfile", Value: &c.PidFile, Restart: true, Doc: "File for the process id."},
			{Name: "log", Value: ucl.Enum(&c.Log, "auto", "journald", "syslog", "stderr"), Restart: true, Doc: "Where the log goes."},
			{Name: "format", Value: ucl.Enum(&c.Format, "text", "json"), Restart: true, Doc: "Form of the log."},
			{Name: "log_level", Value: ucl.Enum(&c.LogLevel, "error", "warn", "info", "debug"), Restart: true, Doc: "What is logged."},
			{Name: "syslog_name", Value: &c.SyslogName, Restart: true, Doc: "Name in the log."},
			{Name: "control_socket", Value: &c.ControlSocket, Restart: true, Doc: "Unix socket of rmilterctl."},
			{Name: "hostname", Value: &c.Hostname, Restart: true, Doc: "This machine's name."},
		}},
		{Name: "worker", Key: "NAME", Keys: []string{"controller"}, Repeat: func(key string) *ucl.Section {
			if key != "controller" {
				return nil
			}
			return &ucl.Section{Name: "worker", Options: []ucl.Option{
				{Name: "bind_socket", Value: &c.Controller.BindSocket, Restart: true, Doc: "Where HTTP is served."},
				{Name: "password", Value: &c.Controller.Password, Doc: "Password for reading."},
				{Name: "enable_password", Value: &c.Controller.EnablePassword, Doc: "Password for changes."},
				{Name: "secure_ip", Value: &c.Controller.SecureIP, Doc: "Addresses without password."},
			}}
		}},
	}
}

// A ControlSocket is a place where the controller listens.
type ControlSocket struct {
	ucl.Socket
	Option  string // the option that names it
	Default bool   // it is named by the default only
}

// ControlSockets returns where the controller listens.
func (c *Server) ControlSockets() []ControlSocket {
	def := DefaultServer()
	var all []ControlSocket
	if c.ControlSocket != "" {
		all = append(all, ControlSocket{ucl.Socket{Kind: ucl.Unix, Path: string(c.ControlSocket)}, "control_socket", c.ControlSocket == def.ControlSocket})
	}
	for _, s := range c.Controller.BindSocket {
		all = append(all, ControlSocket{s, "worker controller bind_socket", c.Controller.BindSocket.String() == def.Controller.BindSocket.String()})
	}
	return all
}
