package config

import "rmilter/internal/ucl"

// old declares the directives of old rmilter.conf files that are obsolete for good.
func old() []*ucl.Section {
	return []*ucl.Section{
		{Ignored: []ucl.Ignored{
			{Name: "tempfiles_mode", Note: "files in tempdir always have mode 0600"},
			{Name: "use_dcc", Note: "DCC is no longer asked"},
			{Name: "dcc", Note: "DCC is no longer asked"},
			{Name: "use_redis", Note: "a section redis { } says the same"},
			{Name: "spf_domains", Note: "there is no list of domains for SPF any more"},
			{Name: "rule", Note: "rules of the old milter; use actions { } and settings { }"},
			{Name: "beanstalk", Note: "queues are no longer fed; use redis { copy_channel; }"},
			{Name: "id_regexp", Note: "message ids are taken as they are"},
			{Name: "lifetime", Note: "use the options of greylisting { }"},
			{Name: "clamav_servers", Note: "use clamav { servers; }"},
			{Name: "clamav_connect_timeout", Note: "use clamav { connect_timeout; }"},
			{Name: "clamav_port_timeout", Note: "use clamav { results_timeout; }"},
			{Name: "clamav_results_timeout", Note: "use clamav { results_timeout; }"},
			{Name: "memcached_servers", Note: "use redis { servers; }"},
		}},
		{Name: "spamd", Ignored: oldSpamd()},
	}
}

// oldSpamd are the directives of spamd { }, which once told where rspamd was.
func oldSpamd() []ucl.Ignored {
	const (
		itself = "rmilter judges mail itself and asks no rspamd"
		waits  = "rmilter judges mail itself; there is no rspamd to wait for"
	)
	return []ucl.Ignored{
		{Name: "servers", Note: itself},
		{Name: "also_check", Note: itself},
		{Name: "compression", Note: itself},
		{Name: "spamd_settings_id", Note: itself + "; use settings \"NAME\" { }"},
		{Name: "timeout", Note: waits},
		{Name: "connect_timeout", Note: waits},
		{Name: "results_timeout", Note: waits},
		{Name: "error_time", Note: waits},
		{Name: "dead_time", Note: waits},
		{Name: "maxerrors", Note: waits},
		{Name: "retry_count", Note: waits},
		{Name: "retry_timeout", Note: waits},
		{Name: "diff_dir", Note: "diverging messages are no longer kept"},
		{Name: "symbols_dir", Note: "diverging messages are no longer kept"},
		{Name: "check_symbols", Note: "diverging messages are no longer kept"},
		{Name: "rspamd_metric", Note: "there is one metric; use actions { }"},
		{Name: "spamd_soft_fail", Note: "a soft reject is always answered 451"},
		{Name: "spam_bar_char", Note: "the bar is gone; use extended_spam_headers"},
	}
}
