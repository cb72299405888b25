package filter

import (
	"rmilter/internal/ucl"
)

// Config are the options of this package.
type Config struct {
	OurNetworks        ucl.Networks   // clients that are ours
	OriginatingDaemons ucl.Strings    // values of {daemon_name} whose mail is ours
	TrustedRelays      ucl.Networks   // backup MX and forwarders
	RecipientDelimiter ucl.String     // characters that begin an address extension
	MaxSize            ucl.Size       // bytes; 0 for no limit
	StrictAuth         ucl.Flag       // scan our own mail too
	Whitelist          ucl.Recipients // recipients that want no checks
	ClientWhitelist    ucl.Networks   // clients that are not scanned (spamd.whitelist)
	DryRun             ucl.Flag       // compute and log, change nothing
	SplitRecipients    ucl.Flag       // defer recipients whose settings differ from the first one's
	SpamdGreylist      ucl.Flag       // greylist what the score says; otherwise every stranger's mail at DATA
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		OurNetworks:        ucl.MustNetworks("127.0.0.0/8", "::1/128"),
		OriginatingDaemons: ucl.Strings{"ORIGINATING"},
		RecipientDelimiter: "+",
		MaxSize:            10 << 20,
		SpamdGreylist:      true,
	}
}

// Sections declares the options; see package ucl.
func (c *Config) Sections() []*ucl.Section {
	return []*ucl.Section{
		{
			Check: func(warn func(option, format string, args ...any)) {
				if p, broad := c.OurNetworks.TooBroad(); broad {
					warn("our_networks", "%s is nearly everybody, whose mail would be taken for yours; expected your own networks", p)
				}
				if p, broad := c.TrustedRelays.TooBroad(); broad {
					warn("trusted_relays", "%s is nearly everybody, whose mail would never be refused; expected your own relays", p)
				}
			},
			Options: []ucl.Option{
				{Name: "dry_run", Value: &c.DryRun, Doc: "The first week: compute and log what would be done, and change nothing. No message is refused, marked or edited; only sessions that outlive a restart are told to try again."},
				{Name: "our_networks", Value: &c.OurNetworks, Doc: "Clients whose mail is ours, as Postfix's mynetworks: never marked or greylisted, and scanned only with strict_auth. Networks, addresses or host names."},
				{Name: "originating_daemons", Value: &c.OriginatingDaemons, Doc: "Mail from an MTA listener with one of these names is ours. Postfix tells the name by milter_macro_daemon_name, sendmail by Name= in DaemonPortOptions."},
				{Name: "trusted_relays", Value: &c.TrustedRelays, Example: "198.51.100.5", Doc: "Backup MX, forwarders and fetchmail hosts. The client is taken from the Received field below theirs; their mail is never deferred or refused, only marked."},
				{Name: "recipient_delimiter", Value: &c.RecipientDelimiter, Doc: "Characters that begin an address extension, as in Postfix: user+folder is user's mail. Settings and lists try the full address first."},
				{Name: "max_size", Value: &c.MaxSize, Doc: "Of larger messages only the first 256 KB are judged. 0 means no limit but half of spool_limit, which counts in any case."},
				{Name: "strict_auth", Aliases: []string{"check_auth"}, Value: &c.StrictAuth, Doc: "Scan the mail of our own users and networks too. It may then be refused, but is never marked."},
				{Name: "whitelist", Value: &c.Whitelist, Example: "postmaster, abuse", Doc: "Recipients that want no checks: user, user@domain or @domain. A message is left unchecked only if all its recipients are listed."},
				{Name: "split_recipients", Value: &c.SplitRecipients, Doc: "Answer 451 4.5.3 to recipients whose settings differ from those of the first one, so that the client sends them a message of their own. Without it the mildest action counts for all."},
			},
		},
		{
			Name: "spamd",
			Check: func(warn func(option, format string, args ...any)) {
				if p, broad := c.ClientWhitelist.TooBroad(); broad {
					warn("whitelist", "%s is nearly everybody, whose mail would not be scanned; expected your own networks", p)
				}
			},
			Options: []ucl.Option{
				{Name: "whitelist", Value: &c.ClientWhitelist, Doc: "Clients whose mail is not scanned."},
				{Name: "spamd_greylist", Value: &c.SpamdGreylist, Doc: "yes: greylist what the score says. no: greylist all mail of strangers before the message is sent, when nothing is known of it but the envelope: answers and bounces of your own mail, too."},
			},
		},
	}
}
