package config

import "rmilter/internal/ucl"

// old declares the directives of old rmilter.conf files and of rspamd's quick start
// that this version does not act on. Those with a note are obsolete for good; the
// others wait for a version that serves them, and leave this list when a package
// declares them.
func old() []*ucl.Section {
	return []*ucl.Section{
		{Ignored: append(unservedSections(),
			ucl.Ignored{Name: "tempfiles_mode", Note: "files in tempdir always have mode 0600"},
			ucl.Ignored{Name: "use_dcc", Note: "DCC is no longer asked"},
			ucl.Ignored{Name: "dcc", Note: "DCC is no longer asked"},
			ucl.Ignored{Name: "use_redis", Note: "a section redis { } says the same"},
			ucl.Ignored{Name: "spf_domains", Note: "there is no list of domains for SPF any more"},
			ucl.Ignored{Name: "rule", Note: "rules of the old milter; use actions { } and settings { }"},
			ucl.Ignored{Name: "beanstalk", Note: "queues are no longer fed"},
			ucl.Ignored{Name: "id_regexp", Note: "message ids are taken as they are"},
			ucl.Ignored{Name: "lifetime", Note: "use the options of greylisting { }"},
		)},
		{Name: "spamd", Ignored: oldSpamd()},
	}
}

// unservedSections are sections which are accepted whole.
func unservedSections() []ucl.Ignored {
	var list []ucl.Ignored
	for _, name := range []string{
		"clamav", "redis", "memcached", "limits", "greylisting", "dkim", "dns",
		"classifier", "metric", "group", "symbols", "rbl", "surbl", "modules", "options", "logging", "composites",
	} {
		list = append(list, ucl.Ignored{Name: name})
	}
	return list
}

// oldSpamd are the directives of spamd { }, which once told where rspamd was.
func oldSpamd() []ucl.Ignored {
	const (
		itself = "rmilter judges mail itself and asks no rspamd"
		waits  = "rmilter judges mail itself; there is no rspamd to wait for"
	)
	return []ucl.Ignored{
		{Name: "spamd_greylist"}, {Name: "trace_symbol"}, {Name: "trace_addr"},
		{Name: "servers", Note: itself},
		{Name: "also_check", Note: itself},
		{Name: "compression", Note: itself},
		{Name: "spamd_settings_id", Note: itself + "; use settings \"NAME\" { }"},
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
