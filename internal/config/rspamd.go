package config

import "rmilter/internal/ucl"

// rspamd declares the sections of rspamd's files which this version does not act on.
// Each leaves this list when a package declares it.
func rspamd() []*ucl.Section {
	var list []ucl.Ignored
	for _, name := range []string{
		"classifier", "groups", "lang_detection", "logging", "modules", "neighbours",
		"options",
	} {
		list = append(list, ucl.Ignored{Name: name})
	}
	own := map[string]string{
		"antivirus":     "clamav { }",
		"dkim_signing":  "dkim { }",
		"greylist":      "greylisting { }",
		"known_senders": "replies { }",
		"ratelimit":     "limits { }",
	}
	for _, name := range modules() {
		i := ucl.Ignored{Name: name}
		if own[name] != "" {
			i.Note = "a module of rspamd; use " + own[name]
		}
		list = append(list, i)
	}
	list = append(list, ucl.Ignored{Name: "lua", Note: "there are no rules in Lua"})
	return []*ucl.Section{{Ignored: list}, metric()}
}

// metric declares what is left of a metric without its actions, see splitMetric.
func metric() *ucl.Section {
	s := &ucl.Section{Name: "metric", Key: "NAME"}
	for _, name := range []string{"groups", "grow_factor", "unknown_weight"} {
		s.Ignored = append(s.Ignored, ucl.Ignored{Name: name})
	}
	return &ucl.Section{
		Name:   "metric",
		Key:    "NAME",
		Keys:   []string{"default"},
		Doc:    "rspamd's word for the scores and actions. Its actions, groups and symbols count as if they stood outside.",
		Repeat: func(string) *ucl.Section { return s },
	}
}

// modules are the names of rspamd's modules, each of which has a section. Those that
// are words of rmilter's, too, are left out: dcc, dkim, redis, replies, settings and
// whitelist.
func modules() []string {
	return []string{
		"aliases", "antivirus", "asn", "aws_s3", "bayes_expiry", "bimi", "chartable", "clickhouse", "clustering",
		"contextal", "dkim_signing", "elastic", "emails", "ensure_hostname", "external_relay", "external_services",
		"fann_redis", "force_actions", "forged_recipients", "fuzzy_check", "gpt", "greylist", "history_redis",
		"http_headers", "ip_score", "known_senders", "llm_embeddings", "maillist", "maps_stats", "metadata_exporter",
		"metric_exporter", "mid", "milter_headers", "mime_types", "multimap", "mx_check", "neural", "p0f",
		"phishing", "ratelimit", "reputation", "rmilter_headers", "rspamd_update",
		"spamassassin", "spamtrap", "trie", "url_redirector", "url_reputation", "url_suspect", "url_tags",
	}
}
