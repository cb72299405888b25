package config

import (
	"rmilter/internal/ucl"
)

// hints tells the sections the words of other programs, so that the fault about such a
// word leads to ours.
func hints(top *ucl.Section) {
	const (
		postfix = "it belongs in Postfix's main.cf"
		dotted  = "did you mean .include?"
	)
	top.Others = map[string]string{
		// rspamd
		"local_addrs": "did you mean our_networks?", "local_networks": "did you mean our_networks?",
		"max_message": "did you mean max_size?", "temp_dir": "did you mean tempdir?",
		"level": "did you mean log_level?", "dbdir": "did you mean data_dir?",
		// Postfix
		"mynetworks": "did you mean our_networks?", "message_size_limit": "did you mean max_size?",
		"smtpd_milters": postfix, "non_smtpd_milters": postfix, "milter_protocol": postfix,
		"milter_default_action": postfix, "milter_macro_daemon_name": "it belongs in Postfix's main.cf or master.cf",
		"milter_connect_timeout": postfix, "milter_command_timeout": postfix, "milter_content_timeout": postfix,
		// OpenDKIM, clamav-milter, spamass-milter and others
		"socket": "did you mean bind_socket?", "milter_socket": "did you mean bind_socket?", "milter_listen": "did you mean bind_socket?",
		"milterserver": "did you mean bind_socket?", "listen": "did you mean bind_socket?", "port": "did you mean bind_socket?",
		"internalhosts": "did you mean our_networks?", "trusted_networks": "did you mean our_networks or trusted_relays?",
		"syslog": "did you mean log?", "logfile": "did you mean log?", "log_file": "did you mean log?",
		"maxmessagesize": "did you mean max_size?", "workdir": "did you mean data_dir?", "pid": "did you mean pidfile?",
		"required_score": "did you mean actions { add_header = VALUE }?", "required_hits": "did you mean actions { add_header = VALUE }?",
		"thresholds": "did you mean actions { }?",
		// How others include files
		"include": dotted, "!include": dotted, "@include": dotted, "include_dir": dotted, "source": dotted, "import": dotted,
	}
	for _, s := range top.Sections {
		if s.Name == "actions" {
			s.Others = map[string]string{"drop": "did you mean discard?", "tag": "did you mean add_header?", "spam": "did you mean add_header?", "tempfail": "did you mean soft_reject?", "defer": "did you mean soft_reject?"}
		}
	}
}
