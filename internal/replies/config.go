package replies

import (
	"slices"
	"strings"
	"time"

	"rmilter/internal/ucl"
)

// Config are the options of replies { }: what is remembered of the mail of our users.
type Config struct {
	Enable      ucl.Flag
	Expire      ucl.Duration // how long our messages are remembered
	Skip        ucl.Strings  // names of checks and groups that don't count for an answer; see Skipped
	KnownExpire ucl.Duration // how long correspondents and senders are remembered
	MaxKnown    ucl.Int      // how many correspondents are remembered, and how many senders
	MaxNew      ucl.Int      // how many new correspondents of one account are taken in a day
}

const day = 24 * time.Hour

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		Enable:      true,
		Expire:      ucl.Duration(7 * day),
		KnownExpire: ucl.Duration(30 * day),
		MaxKnown:    100_000,
		MaxNew:      500,
	}
}

// Sections declares the options; see package ucl.
func (c *Config) Sections() []*ucl.Section {
	s := &ucl.Section{
		Name: "replies",
		Doc:  "Answers to mail of our own users are recognised, as are those who they write to.",
		Options: []ucl.Option{
			{Name: "enable", Aliases: []string{"enabled"}, Value: &c.Enable,
				Doc: "Whether mail of our own users is remembered and answers to it are recognised."},
			{Name: "expire", Value: ucl.Within(&c.Expire, ucl.Duration(time.Minute), ucl.Duration(365*day)),
				Doc: "How long after our message an answer to it is recognised."},
			{Name: "skip", Value: &c.Skip, Example: "subject, headers",
				Doc: "Checks and groups of symbols that don't count for an answer whose author is in a domain that our message went to. Viruses, limits and authentication always count."},
			{Name: "known_expire", Value: ucl.Within(&c.KnownExpire, ucl.Duration(day), ucl.Duration(365*day)),
				Doc: "How long those are known who our users wrote to, and those whose mail was accepted."},
			{Name: "max_known", Value: ucl.Within(&c.MaxKnown, shards, 10_000_000),
				Doc: "How many of each are known; the newest count."},
			{Name: "max_new", Value: ucl.Within(&c.MaxNew, 0, 1_000_000),
				Doc: "How many new ones a user can add in a day by writing to them. It keeps a stolen account from crowding out all others."},
		},
		Others:  map[string]string{"ttl": "did you mean expire?", "max_ttl": "did you mean known_expire?", "max_senders": "did you mean max_known?"},
		Ignored: oldWords(),
	}
	s.Check = func(warn func(option, format string, args ...any)) {
		for _, name := range c.Skip {
			if alwaysCounts(name) {
				warn("skip", "%.60q counts for answers, too: whoever answers may have a virus or a stolen name; expected other checks and groups", name)
			}
		}
	}
	return []*ucl.Section{s}
}

// oldWords are the options of rspamd's module that have no effect here.
func oldWords() []ucl.Ignored {
	var list []ucl.Ignored
	for _, w := range []struct{ names, note string }{
		{"action", "an answer lowers the score; use skip for checks that shall not count"},
		{"message", "the symbol is REPLY"},
		{"symbol symbol_score score", `use symbol "REPLY" { }`},
		{"key_prefix prefix", "use id_prefix of redis { }"},
		{"sender_prefix sender_key_global sender_key_size key_size max_local_size max_global_size", "what is remembered is readable and bounded; see max_known"},
		{"use_auth use_local", "the mail of all that are ours is remembered"},
		{"cookie cookie_key cookie_is_pattern cookie_valid_time min_message_id", "answers are recognised by the Message-ID"},
		{"servers read_servers write_servers password timeout db dbname", "use redis { }"},
	} {
		for name := range strings.FieldsSeq(w.names) {
			list = append(list, ucl.Ignored{Name: name, Note: w.note})
		}
	}
	return list
}

// Skipped returns the names in Skip, without those that always count.
func (c *Config) Skipped() []string {
	return slices.DeleteFunc(slices.Clone([]string(c.Skip)), alwaysCounts)
}

// alwaysCounts tells whether a check or group looks for viruses, is a limit or
// authenticates.
func alwaysCounts(name string) bool {
	switch strings.ToLower(name) {
	case "antivirus", "clamav", "virus", "viruses",
		"limits", "ratelimit",
		"arc", "authres", "dkim", "dmarc", "policies", "spf":
		return true
	}
	return false
}
