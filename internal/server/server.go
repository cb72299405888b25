package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"rmilter/internal/config"
	"rmilter/internal/controller"
	"rmilter/internal/filter"
	"rmilter/internal/logs"
	"rmilter/internal/metrics"
	"rmilter/internal/replies"
	"rmilter/internal/spool"
	"rmilter/internal/store/embedded"
	"rmilter/milter"
	"rmilter/ratelimit"
)

// Options are the daemon's command line.
type Options struct {
	ConfigPath string // the main configuration file
	DataDir    string // in place of data_dir, when not empty
	Debug      bool   // log more than the configuration says

	// Now is the clock that mail and state go by; nil is the system's. Redis has its own
	// for buckets and lifetimes.
	Now func() time.Time
}

// Exit codes (sysexits.h), as old rmilter's where it had one.
const (
	exitOK          = 0
	exitUnavailable = 69 // EX_UNAVAILABLE: a socket or directory cannot be had
	exitConfig      = 78 // EX_CONFIG: the configuration has faults
)

// maxQueued is how long a new connection may wait for the next process: Postfix gives
// up after milter_connect_timeout, 30 s, which includes the negotiation.
const maxQueued = 25 * time.Second

// ballastSize is what the garbage collector is made to believe in. What lives in this
// process is so little that it would collect after every hundred messages; with the
// ballast it waits for some ten megabytes of garbage.
const ballastSize = 8 << 20

// healthInterval is the time between two looks at what may break while running.
const healthInterval = 10 * time.Second

// A daemon is the running process.
type daemon struct {
	opts    Options
	log     *slog.Logger
	level   *slog.LevelVar
	pidfile string
	figures *metrics.Figures
	env     *filter.Env
	own     *embedded.Store // nil with Redis
	misses  replies.Misses  // of mail that could not be remembered
	dropped atomic.Int64    // errands since the last look at them

	keys keyWatch

	checkingLists atomic.Bool
	listsDue      atomic.Bool // others are in force
	listsChecked  time.Time   // guarded by checkingLists

	filter  atomic.Pointer[filter.Filter]
	milter  *milter.Server
	control *controller.Server
	worker  *controller.Worker // of mail systems that ask by HTTP

	listeners []listener
	failed    chan error // listeners that ended by themselves
	serving   sync.WaitGroup

	reloading sync.Mutex // one reload at a time; locked before mu

	mu       sync.Mutex     // guards what follows
	conf     *config.Config // in force
	reload   reloadState
	draining bool
	down     map[string]bool // listeners that have failed, by address

	fileFaults []string // of rules and lists, as they were logged; of checkFiles alone

	started *config.Config // at the start: what needs a restart is still as it says

	ballast []byte // never touched, so no memory; see ballastSize
}

// Run is the daemon from start to end. It returns the exit code of the process; what
// keeps it from starting is written to stderr too, as there may be no log yet.
func Run(o Options, stderr io.Writer) int {
	// A logger at the other end of stderr that ends must not end the daemon.
	signal.Ignore(syscall.SIGPIPE)
	conf, err := load(o, stderr)
	if err != nil {
		return exitConfig
	}
	level := new(slog.LevelVar)
	level.Set(logLevel(conf, o))
	log, closer, err := logs.New(logs.Options{Target: conf.Server.Log, Format: conf.Server.Format, Level: level, Name: string(conf.Server.SyslogName)})
	if err != nil {
		fmt.Fprintf(stderr, "rmilter: log: %v\n", err)
		return exitUnavailable
	}
	defer closer.Close()
	d := newDaemon(o, conf, log, level)
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	if err := d.start(); err != nil {
		log.Error("cannot start", "reason", err.Error())
		fmt.Fprintf(stderr, "rmilter: cannot start: %v\n", err)
		return exitUnavailable
	}
	return d.run(signals)
}

// load reads the configuration and writes its warnings and faults to w. The error holds
// the faults, a line each.
func load(o Options, w io.Writer) (*config.Config, error) {
	conf, diags, err := config.Load(o.ConfigPath, config.Options{DataDir: o.DataDir})
	config.Report(w, "rmilter: ", diags, err)
	return conf, err
}

// Test reads the configuration as the daemon would, and the rules, lists and signing keys
// that it names, tells the faults and returns the exit code.
func Test(o Options, stdout, stderr io.Writer) int {
	conf, err := load(o, stderr)
	if err != nil {
		return exitConfig
	}
	remarks, err := conf.Usable()
	config.Report(stderr, "rmilter: ", remarks, err)
	if err != nil {
		return exitConfig
	}
	fmt.Fprintf(stdout, "%s: configuration is fine\n", o.ConfigPath)
	return exitOK
}

func newDaemon(o Options, conf *config.Config, log *slog.Logger, level *slog.LevelVar) *daemon {
	if path, err := filepath.Abs(o.ConfigPath); err == nil { // otherwise the load has failed
		o.ConfigPath = path
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	d := &daemon{opts: o, log: log, level: level, conf: conf, started: conf, down: map[string]bool{}, ballast: make([]byte, ballastSize), figures: metrics.New(o.Now), pidfile: string(conf.Server.PidFile)}
	d.env = &filter.Env{
		Hostname: string(conf.Server.Hostname),
		Spool:    spool.New(string(conf.Server.TempDir), int64(conf.Server.SpoolLimit)),
		Figures:  d.figures,
		Log:      log,
		Done:     d.account(conf.Server.Format),
		Now:      o.Now,
		NewID:    filter.NewID,
		HardEnd:  filter.HardEnd,
		Errands:  filter.NewErrands(filter.ErrandsEnv{Dropped: d.errandDropped, Panicked: d.errandPanicked}),
		Users:    ratelimit.NewWatch(o.Now),
		Random:   rand.Float64,
		After:    filter.After,
	}
	d.figures.SetMaxSessions(int(conf.Server.MaxConnections))
	d.figures.SetSpoolLimit(int64(conf.Server.SpoolLimit))
	d.milter = milter.NewServer(milter.Config{
		NewSession:   func(c milter.Conn) milter.Session { return filter.NewSession(d.env, d.filter.Load, c) },
		MaxConns:     int(conf.Server.MaxConnections),
		Handover:     d.handover,
		Panicked:     d.figures.Panicked,
		AcceptFailed: d.acceptFailed,
		Log:          log,
	})
	return d
}

// account returns what writes the log line of a message.
func (d *daemon) account(format string) func(*filter.Result) {
	return func(r *filter.Result) {
		if r.NoLog {
			return
		}
		if format != "json" {
			d.log.Info(r.Line())
			return
		}
		attrs := []slog.Attr{slog.String("id", r.Envelope.ID)}
		for _, p := range r.Pairs() {
			attrs = append(attrs, slog.String(p.Key, p.Value))
		}
		d.log.LogAttrs(context.Background(), slog.LevelInfo, "message", attrs...)
	}
}

// start makes everything ready and begins to serve. When it fails, nothing stays open.
func (d *daemon) start() error {
	if err := d.open(); err != nil {
		d.abandon()
		return err
	}
	d.failed = make(chan error, len(d.listeners))
	for _, l := range d.listeners {
		d.serve(l)
	}
	return nil
}

// abandon closes what a start has opened that fails, the last first.
func (d *daemon) abandon() {
	slices.Reverse(d.listeners)
	closeAll(d.listeners)
	if d.env.Stores != nil {
		d.closeStores()
	}
	if d.env.DNS != nil {
		d.env.DNS.Close()
	}
}

// open opens all that the daemon uses, the sockets last.
func (d *daemon) open() error {
	c := &d.conf.Server
	if err := os.MkdirAll(string(c.DataDir), 0o700); err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	if err := d.env.Spool.Check(); err != nil {
		return err
	}
	if err := d.openResolver(d.conf); err != nil {
		return err
	}
	d.openLists()
	if err := d.openStores(d.conf); err != nil {
		return err
	}
	f, err := d.newFilter(d.conf)
	if err != nil {
		return err
	}
	d.enforce(f)
	passed, err := systemdSockets()
	if err != nil {
		return err
	}
	lns, err := listenMilter(c.BindSocket, passed)
	if err != nil {
		return err
	}
	d.listeners = lns
	if err := errors.Join(d.startControl(passed), d.startWorker(passed)); err != nil {
		return err
	}
	return writePidfile(d.pidfile)
}

// inspectShare is the part of the spool's limit that inspected messages may have
// besides: however many are sent, there is room for mail.
const inspectShare = 4

// startControl opens the controller's sockets.
func (d *daemon) startControl(passed map[string][]net.Listener) (err error) {
	c := &d.conf.Server
	d.control, err = controller.New(controller.Options{
		Status:        d.status,
		Reload:        d.Reload,
		Filter:        d.filter.Load,
		Spool:         spool.New(string(c.TempDir), int64(c.SpoolLimit)/inspectShare),
		Archive:       d.archive(),
		WrongPassword: d.figures.WrongPassword,
		Policy:        d.controlPolicy(d.conf),
		Log:           d.log,
	})
	if err != nil {
		return err
	}
	return d.listenHTTP("control", c.ControlSockets(), passed)
}

// startWorker opens the sockets of worker "normal".
func (d *daemon) startWorker(passed map[string][]net.Listener) error {
	d.worker = controller.NewWorker(controller.WorkerOptions{Filter: d.filter.Load, Spool: d.env.Spool, Log: d.log})
	return d.listenHTTP("scan", d.conf.Server.NormalSockets(), passed)
}

// listenHTTP opens the sockets of a service, those that systemd passes besides. Without
// one of its default sockets mail flows all the same; a configured one that cannot be
// had is an error.
func (d *daemon) listenHTTP(service string, sockets []config.HTTPSocket, passed map[string][]net.Listener) error {
	for name, lns := range passed {
		if serviceOf(name) != service {
			continue
		}
		for _, ln := range lns {
			d.listeners = append(d.listeners, listener{ln, service, "systemd:" + describe(ln), true})
		}
	}
	for _, s := range sockets {
		if s.Default && filepath.IsAbs(s.Path) {
			os.Mkdir(filepath.Dir(s.Path), 0o755) // /run/rmilter, when no unit made it
		}
		ln, err := listen(s.Socket)
		switch {
		case err == nil:
			d.listeners = append(d.listeners, listener{ln, service, address(s.Socket, ln), false})
		case s.Default:
			d.log.Warn("no "+service+" socket there", "socket", s.Socket.String(), "reason", err.Error())
		default:
			return fmt.Errorf("%s %s: %w", s.Option, s.Socket, err)
		}
	}
	return nil
}

// controlPolicy says who may ask the controller.
func (d *daemon) controlPolicy(c *config.Config) controller.Policy {
	w := &c.Server.Controller
	return controller.Policy{
		Password:       w.Password.Reveal(),
		EnablePassword: w.EnablePassword.Reveal(),
		SecureIP:       w.SecureIP.Contains,
		Hosts:          []string{d.env.Hostname}, // a change needs a restart
	}
}

func writePidfile(path string) error {
	if path == "" {
		return nil
	}
	if err := os.WriteFile(path, fmt.Appendf(nil, "%d\n", os.Getpid()), 0o644); err != nil {
		return fmt.Errorf("pidfile: %w", err)
	}
	return nil
}

// serve answers on a listener until it is closed.
func (d *daemon) serve(l listener) {
	d.serving.Add(1)
	go func() {
		defer d.serving.Done()
		var err error
		switch l.name {
		case "milter":
			err = d.milter.Serve(l.Listener, l.inherited)
		case "scan":
			err = d.worker.Serve(l.Listener)
		default:
			err = d.control.Serve(l.Listener)
		}
		if err != nil && !errors.Is(err, milter.ErrServerClosed) {
			d.mu.Lock()
			d.down[l.address] = true
			d.mu.Unlock()
			d.failed <- fmt.Errorf("%s %s: %w", l.name, l.address, err)
		}
	}()
}

// run is the life of the daemon between start and end.
func (d *daemon) run(signals <-chan os.Signal) int {
	alive, stopWatchdog := watchdog()
	defer stopWatchdog()
	reload := make(chan struct{}, 1)
	d.serving.Go(func() { d.reloadAtSignals(reload) })
	health := time.NewTicker(healthInterval)
	defer health.Stop()
	for _, l := range d.listeners {
		d.log.Info("listening", "service", l.name, "address", l.address)
		if limit := d.started.Server.ShutdownTimeout.Std(); l.inherited && l.name == "milter" && limit > maxQueued {
			d.log.Warn("shutdown_timeout is longer than Postfix waits for a new connection (milter_connect_timeout 30s): at a restart new mail may pass unfiltered",
				"shutdown_timeout", limit.String())
		}
	}
	d.log.Info("started", "version", metrics.Version, "config", d.opts.ConfigPath)
	d.notifyAlive(notifyReady)
	d.checkLists()

	var drained chan struct{}        // closed when the drain has ended
	hurry := context.CancelFunc(nil) // ends the drain at once
	for {
		select {
		case <-drained:
			close(reload)
			d.end()
			return exitOK
		case sig := <-signals:
			switch {
			case sig == syscall.SIGHUP || sig == syscall.SIGUSR1:
				select {
				case reload <- struct{}{}:
				default: // one that hasn't begun yet
				}
			case drained == nil:
				drained, hurry = d.drain(sig)
				defer hurry()
			default:
				hurry()
			}
		case <-alive:
			notify("WATCHDOG=1")
		case <-health.C:
			d.checkHealth()
		case err := <-d.failed:
			d.log.Error("a listener failed", "reason", err.Error())
			d.figures.Raise(metrics.Problem{ID: "listener", Severity: metrics.NotFiltering, Text: err.Error(),
				Effect: "mail may pass unfiltered; restart"})
		}
	}
}
