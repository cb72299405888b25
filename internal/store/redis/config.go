package redis

import (
	"strconv"
	"strings"
	"time"

	"rmilter/internal/ucl"
)

// Config are the options of redis { }: the store that several machines share. Without
// servers there is none, and each machine has a store of its own in data_dir.
type Config struct {
	Servers          ucl.Servers // for everything that has no list of its own; the default port is 6379. Without them the first list there is
	ServersGrey      ucl.Servers // for greylisting
	ServersWhite     ucl.Servers // for those who passed greylisting; empty are those for greylisting
	ServersLimits    ucl.Servers // for limits
	ServersID        ucl.Servers // for message ids of our mail
	ServersSpam      ucl.Servers // where rejected messages are published
	ServersCopy      ucl.Servers // where copies of messages are published
	Mode             Mode
	SentinelMaster   ucl.String // name of the master; implies Sentinel
	TLS              ucl.Flag
	CAFile           ucl.String // who signed the servers' certificates; "" are the system's
	CertFile         ucl.String // our certificate; "" is none
	KeyFile          ucl.String // its key
	Username         ucl.String // ACL user
	Password         ucl.Secret
	SentinelUsername ucl.String
	SentinelPassword ucl.Secret
	DB               ucl.Int // number of the database

	SpamChannel     ucl.String  // "" publishes no rejected messages
	CopyChannel     ucl.String  // "" publishes no copies
	CopyProbability Probability // which share of messages is copied

	IDPrefix, GreyPrefix, WhitePrefix ucl.String // what the keys begin with

	ConnectTimeout ucl.Duration // until a connection stands
	ErrorTime      ucl.Duration // operations without an answer are counted for so long
	MaxErrors      ucl.Int      // so many in a row put a server out
	DeadTime       ucl.Duration // the longest pause between two probes of one that is out
}

// Mode says how several servers work together.
type Mode string

// The values of Mode.
const (
	Single   Mode = "single"   // each by itself; several share the keys
	Sentinel Mode = "sentinel" // the servers are sentinels, who know the master
	Cluster  Mode = "cluster"  // the servers are nodes of one cluster
)

// redisPort is Redis's TCP port.
const redisPort = 6379

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		Mode:            Single,
		CopyProbability: 1,
		IDPrefix:        "id",
		GreyPrefix:      "grey",
		WhitePrefix:     "white",
		ConnectTimeout:  ucl.Duration(time.Second),
		ErrorTime:       ucl.Duration(10 * time.Second),
		MaxErrors:       10,
		DeadTime:        ucl.Duration(10 * time.Second),
	}
}

// Sections declares the options; see package ucl.
func (c *Config) Sections() []*ucl.Section {
	s := &ucl.Section{
		Name:    "redis",
		Doc:     "The Redis servers that several machines share. Without them each has a store of its own in data_dir.",
		Options: append(c.servers(), c.data()...),
		Others:  map[string]string{"requirepass": "did you mean password?", "user": "did you mean username?", "host": "did you mean servers?"},
		Ignored: []ucl.Ignored{
			{Name: "protocol", Note: "Redis is spoken over TCP or a Unix socket"},
			{Name: "sentinels", Note: "use servers with mode = sentinel"},
			{Name: "read_servers", Note: "use servers"},
			{Name: "write_servers", Note: "use servers"},
			{Name: "timeout", Note: "use connect_timeout"},
		},
	}
	s.Check = func(warn func(option, format string, args ...any)) { c.check(s, warn) }
	return []*ucl.Section{s}
}

// servers declares where the servers are and how to get in.
func (c *Config) servers() []ucl.Option {
	return []ucl.Option{
		{Name: "servers", Value: &c.Servers, Restart: true, Example: "127.0.0.1:6379",
			Doc: "The servers: HOST, HOST:PORT with 6379 for the port when there is none, or a path. Several with mode = single share the keys; all machines have to name them alike. Where there are none, what has no servers of its own uses the first others that are named here. Redis 6.2 or later."},
		{Name: "servers_grey", Value: &c.ServersGrey, Restart: true,
			Doc: "The servers for greylisting, where they are others than servers."},
		{Name: "servers_white", Value: &c.ServersWhite, Restart: true,
			Doc: "The servers that remember who passed greylisting, where they are others than servers_grey."},
		{Name: "servers_limits", Value: &c.ServersLimits, Restart: true,
			Doc: "The servers for limits, where they are others than servers."},
		{Name: "servers_id", Value: &c.ServersID, Restart: true,
			Doc: "The servers that remember the messages of our users, where they are others than servers."},
		{Name: "servers_spam", Aliases: []string{"spam_servers"}, Value: &c.ServersSpam, Restart: true,
			Doc: "The servers where rejected messages are published, where they are others than servers."},
		{Name: "servers_copy", Aliases: []string{"copy_servers"}, Value: &c.ServersCopy, Restart: true,
			Doc: "The servers where copies of messages are published, where they are others than servers."},
		{Name: "mode", Value: ucl.Enum(&c.Mode, Single, Sentinel, Cluster), Restart: true,
			Doc: "single: each server by itself, several share the keys. sentinel: the servers are sentinels. cluster: they are nodes of one cluster."},
		{Name: "sentinel_master", Value: &c.SentinelMaster, Restart: true,
			Doc: "Name of the master that the sentinels know. It implies mode = sentinel."},
		{Name: "tls", Value: &c.TLS, Restart: true,
			Doc: "Connect with TLS. Unix sockets stay without."},
		{Name: "ca_file", Value: &c.CAFile, Restart: true,
			Doc: `File with the certificates (PEM) of who signed those of the servers. "" are the system's authorities.`},
		{Name: "cert_file", Value: &c.CertFile, Restart: true,
			Doc: `File with our own certificate (PEM), which Redis asks for by default. "" is none.`},
		{Name: "key_file", Value: &c.KeyFile, Restart: true,
			Doc: "File with the key (PEM) of cert_file."},
		{Name: "username", Value: &c.Username, Restart: true,
			Doc: `ACL user. "" is Redis's default user.`},
		{Name: "password", Value: &c.Password, Restart: true,
			Doc: "Password for every connection but those to sentinels."},
		{Name: "sentinel_username", Value: &c.SentinelUsername, Restart: true,
			Doc: `ACL user of the sentinels. "" is their default user.`},
		{Name: "sentinel_password", Value: &c.SentinelPassword, Restart: true,
			Doc: "Password for connections to sentinels."},
		{Name: "dbname", Aliases: []string{"db"}, Value: ucl.Within(&c.DB, 0, 1_000_000), Restart: true,
			Doc: "Number of the database."},
	}
}

// data declares what is kept and published, and the limits in time.
func (c *Config) data() []ucl.Option {
	return []ucl.Option{
		{Name: "spam_channel", Value: &c.SpamChannel,
			Doc: `Channel on which rejected messages are published. "" publishes none.`},
		{Name: "copy_channel", Value: &c.CopyChannel,
			Doc: `Channel on which copies of accepted messages are published. "" publishes none.`},
		{Name: "copy_probability", Aliases: []string{"copy_prob"}, Value: &c.CopyProbability,
			Doc: "Which share of the messages is copied: 0.0 to 1.0, or up to 100 in percent. 1 is every message."},
		{Name: "id_prefix", Value: &c.IDPrefix,
			Doc: "What the keys of message ids begin with."},
		{Name: "grey_prefix", Value: &c.GreyPrefix,
			Doc: "What the keys of greylisting begin with."},
		{Name: "white_prefix", Value: &c.WhitePrefix,
			Doc: "What the keys of those who passed greylisting begin with."},
		{Name: "connect_timeout", Value: &c.ConnectTimeout, Restart: true,
			Doc: "How long a connection may take to stand. A message doesn't wait for it longer than 250ms."},
		{Name: "error_time", Value: ucl.Seconds(&c.ErrorTime), Restart: true,
			Doc: "For how long operations without an answer are counted; see maxerrors."},
		{Name: "maxerrors", Value: ucl.Within(&c.MaxErrors, 1, 1_000_000), Restart: true,
			Doc: "How many operations in a row, within error_time, may go without an answer until the server counts as down. It does so at once when it refuses connections, and when it doesn't serve a probe, which the first failure starts in the background."},
		{Name: "dead_time", Value: ucl.Seconds(&c.DeadTime), Restart: true,
			Doc: "The longest pause between two probes of a server that is down, after shorter ones; more than 10s counts as 10s. Mail never waits for it meanwhile."},
	}
}

// check finds what contradicts itself.
func (c *Config) check(s *ucl.Section, warn func(option, format string, args ...any)) {
	named := false
	for _, name := range []string{"servers", "servers_grey", "servers_white", "servers_limits", "servers_id", "servers_spam", "servers_copy"} {
		named = named || s.IsSet(name)
	}
	if first := s.FirstSet(); first != "" && !named {
		warn(first, "the section names no servers; expected servers = HOST:%d", redisPort)
	}
	switch {
	case c.SentinelMaster != "" && s.IsSet("mode") && c.Mode != Sentinel:
		warn("mode", "%s has no sentinels, but sentinel_master names their master; expected sentinel", c.Mode)
	case c.SentinelMaster == "" && c.Mode == Sentinel:
		warn("mode", "sentinel needs the name of the master; expected sentinel_master = NAME")
	case c.Mode == Cluster && c.DB != 0:
		warn("dbname", "a cluster has database 0 only; expected 0, or mode = single")
	}
	switch {
	case !bool(c.TLS) && (c.CAFile != "" || c.CertFile != "" || c.KeyFile != ""):
		at := "ca_file"
		for _, name := range []string{"key_file", "cert_file", "tls"} {
			if s.IsSet(name) {
				at = name
			}
		}
		warn(at, "certificates are for TLS; expected tls = yes")
	case (c.CertFile == "") != (c.KeyFile == ""):
		warn("cert_file", "a certificate needs its key; expected cert_file and key_file")
	}
	for _, p := range []struct {
		name    string
		channel ucl.String
		servers ucl.Servers
	}{{"spam", c.SpamChannel, c.ServersSpam}, {"copy", c.CopyChannel, c.ServersCopy}} {
		switch {
		case p.channel == "" && len(p.servers) > 0:
			warn("servers_"+p.name, "nothing is published without a channel; expected %s_channel, too", p.name)
		case p.channel != "" && named && !c.KeepsState() && !c.Publishes():
			warn(p.name+"_channel", "there is no server to publish on; expected servers or servers_%s", p.name)
		}
	}
}

// A Probability is a share of 1. In the file it is a number from 0 to 1, or in percent:
// one above 1 up to 100, or with a percent sign.
type Probability float64

// Set implements ucl.Value.
func (p *Probability) Set(n *ucl.Node, add bool) error {
	text, err := n.Word()
	if err != nil {
		return err
	}
	number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	var f ucl.Float
	if f.Set(ucl.TextNode(strings.TrimSpace(number)), add) != nil || f < 0 || f > 100 {
		return n.Errorf("%.80q is not a probability; expected 0.0 to 1.0, or up to 100 in percent", text)
	}
	if percent || f > 1 {
		f /= 100
	}
	*p = Probability(f)
	return nil
}

// String returns the share as a number from 0 to 1.
func (p Probability) String() string { return strconv.FormatFloat(float64(p), 'f', -1, 64) }
