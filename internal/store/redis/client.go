package redis

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"rmilter/internal/store"
)

// A purpose is what connections are for. Each has a pool of its own, so that bulk work
// never makes mail wait.
type purpose byte

const (
	forMail purpose = iota
	forBulk
	forProbe
)

// Bounds of connections to a server. An operation takes well under a millisecond, so
// that these serve some thousand sessions.
const (
	mailConnections = 64
	bulkConnections = 8
	bulkPatience    = 30 * time.Second // for an answer
	mailPatience    = 5 * time.Second  // for an answer, where the caller sets no end
	idleFor         = 5 * time.Minute  // after which a connection isn't used again
	bufferSize      = 8 << 10
)

// pool returns the options of the connections for a purpose.
func (e *environment) pool(p purpose) goredis.Options {
	o := goredis.Options{
		ClientName:               "rmilter",
		Dialer:                   e.dial,
		Protocol:                 2,
		Username:                 string(e.config.Username),
		Password:                 e.config.Password.Reveal(),
		DB:                       int(e.config.DB),
		MaxRetries:               -1,
		DialTimeout:              e.config.ConnectTimeout.Std(),
		DialerRetries:            1,
		ReadTimeout:              mailPatience,
		WriteTimeout:             mailPatience,
		PoolTimeout:              mailPatience,
		ContextTimeoutEnabled:    true,
		PoolSize:                 mailConnections,
		PipelinePoolSize:         -1,
		ReadBufferSize:           bufferSize,
		WriteBufferSize:          bufferSize,
		ConnMaxIdleTime:          idleFor,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	switch p {
	case forBulk:
		o.PoolSize, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = bulkConnections, bulkPatience, bulkPatience, bulkPatience
	case forProbe:
		o.PoolSize = 1
	}
	return o
}

// client returns a client for a server, which connects when it is used.
func (e *environment) client(a address, p purpose) *goredis.Client {
	o := e.pool(p)
	o.Network, o.Addr = a.network, a.text
	return goredis.NewClient(&o)
}

// failoverClient returns a client for the master that sentinels know.
func (e *environment) failoverClient(sentinels []address, p purpose) *goredis.Client {
	o := e.pool(p)
	f := &goredis.FailoverOptions{
		MasterName:            string(e.config.SentinelMaster),
		SentinelUsername:      string(e.config.SentinelUsername),
		SentinelPassword:      e.config.SentinelPassword.Reveal(),
		ClientName:            o.ClientName,
		Dialer:                o.Dialer,
		Protocol:              o.Protocol,
		Username:              o.Username,
		Password:              o.Password,
		DB:                    o.DB,
		MaxRetries:            o.MaxRetries,
		DialTimeout:           o.DialTimeout,
		DialerRetries:         o.DialerRetries,
		ReadTimeout:           o.ReadTimeout,
		WriteTimeout:          o.WriteTimeout,
		PoolTimeout:           o.PoolTimeout,
		ContextTimeoutEnabled: o.ContextTimeoutEnabled,
		PoolSize:              o.PoolSize,
		PipelinePoolSize:      o.PipelinePoolSize,
		ReadBufferSize:        o.ReadBufferSize,
		WriteBufferSize:       o.WriteBufferSize,
		ConnMaxIdleTime:       o.ConnMaxIdleTime,
		DisableIdentity:       o.DisableIdentity,
	}
	for _, s := range sentinels {
		f.SentinelAddrs = append(f.SentinelAddrs, s.text)
	}
	return goredis.NewFailoverClient(f)
}

// dial connects to a server.
func (e *environment) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if len(addr) > 0 && addr[0] == '/' {
		network = "unix"
	}
	ctx, cancel := context.WithTimeout(ctx, e.config.ConnectTimeout.Std())
	defer cancel()
	c, err := e.connect(ctx, network, addr)
	if err != nil {
		return nil, &dialError{err}
	}
	raw := c.(syscall.Conn)
	if e.tls != nil && network != "unix" {
		host, _, _ := net.SplitHostPort(addr)
		config := e.tls.Clone()
		config.ServerName = host
		secure := tls.Client(c, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			c.Close()
			return nil, &dialError{fmt.Errorf("TLS with %s: %w", addr, err)}
		}
		c = secure
	}
	return &conn{Conn: c, raw: raw}, nil
}

// A conn is a connection of which go-redis can see, also under TLS, that the server has
// closed it while it was idle.
type conn struct {
	net.Conn
	raw  syscall.Conn
	read bool // something was read
}

// SyscallConn returns the socket.
func (c *conn) SyscallConn() (syscall.RawConn, error) { return c.raw.SyscallConn() }

var errTooManyClients = errors.New("max number of clients reached")

// Read reads. It tells when the server has too many clients, whose first and last answer
// go-redis takes for that to its greeting.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if !c.read && bytes.HasPrefix(p[:n], []byte("-ERR max number of clients")) {
		return 0, errTooManyClients
	}
	c.read = true
	return n, err
}

// newTLS reads the certificates.
func newTLS(c *Config) (*tls.Config, error) {
	if !c.TLS {
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		text, err := os.ReadFile(string(c.CAFile))
		if err != nil {
			return nil, fmt.Errorf("redis: ca_file: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("redis: ca_file: no certificate in %s", c.CAFile)
		}
	}
	if c.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(string(c.CertFile), string(c.KeyFile))
		if err != nil {
			return nil, fmt.Errorf("redis: cert_file: %w", err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}

// probeTime is how long a probe may take. A doubt is settled fast.
func (e *environment) probeTime(doubt bool) time.Duration {
	if doubt {
		return store.Transaction
	}
	return e.config.ConnectTimeout.Std() + store.Transaction
}
