package config

import (
	"fmt"
	"slices"
	"strings"

	"rmilter/internal/ucl"
)

// An oldSection is a section of old rmilter.conf files with its directives, sections
// within it among them.
type oldSection struct {
	path  string // "" for the top level
	words string // separated by blanks
}

// oldDirectives returns the directives of the old milter, those that were obsolete in
// its last version among them.
func oldDirectives() []oldSection {
	return []oldSection{
		{"", "bind_socket pidfile tempdir tempfiles_mode max_size strict_auth check_auth use_dcc whitelist our_networks use_redis " +
			"syslog_name spf_domains rule beanstalk dcc id_regexp lifetime clamav_servers clamav_connect_timeout clamav_port_timeout " +
			"clamav_results_timeout memcached_servers"},
		{"clamav", "servers connect_timeout port_timeout results_timeout error_time dead_time maxerrors whitelist"},
		{"spamd", "servers also_check diff_dir symbols_dir check_symbols timeout connect_timeout results_timeout error_time dead_time maxerrors " +
			"retry_count retry_timeout tempfail_on_error spamd_temp_fail reject_message rspamd_metric spamd_soft_fail spamd_greylist " +
			"spamd_never_reject spamd_spam_add_header spam_header spam_header_value spam_no_auth_header spam_bar_char " +
			"extended_spam_headers extended_headers_rcpt spamd_settings_id compression whitelist trace_symbol trace_addr"},
		{"redis", "servers_grey servers_white servers_limits servers_id servers_spam servers_copy copy_probability spam_channel " +
			"copy_channel id_prefix grey_prefix white_prefix password dbname connect_timeout error_time dead_time maxerrors protocol"},
		{"limits", "enable limit_to limit_to_ip limit_to_ip_from limit_bounce_to limit_bounce_to_ip limit_bounce_addrs limit_whitelist " +
			"limit_whitelist_ip limit_whitelist_rcpt"},
		{"greylisting", "enable timeout expire expire_white whitelist greylisted_message awl_enable awl_pool awl_hits awl_ttl"},
		{"dkim", "enable header_canon body_canon sign_alg auth_only sign_networks fold_header rspamd_sign"},
		{"dkim domain", "key domain selector"},
	}
}

// writeOld writes what became of the directives of old files, and what of rspamd's is
// accepted without effect.
func writeOld(b *strings.Builder, top *ucl.Section) {
	b.WriteString("## Directives of old files\n\nAn rmilter.conf of the old milter starts as it is. " +
		"A section `memcached { }` is read as `redis { }`.\n\n" +
		"| Section | Directive | What became of it |\n|---|---|---|\n")
	told := map[string]bool{}
	for _, old := range oldDirectives() {
		s, served := top, true
		for _, name := range strings.Fields(old.path) {
			s = inner(s, name)
			served = served && !s.Unserved
		}
		for _, word := range strings.Fields(old.words) {
			told[strings.TrimSpace(old.path+" "+word)] = true
			section := "top level"
			if old.path != "" {
				section = "`" + old.path + "`"
			}
			fmt.Fprintf(b, "| %s | `%s` | %s |\n", section, word, cell(became(s, word, served)))
		}
	}
	b.WriteString("\n## Directives of rspamd's files\n\nThese have no effect, and a warning says so:\n\n| Directive | Why |\n|---|---|\n")
	var whole []string
	for _, i := range ignored(top) {
		switch {
		case told[i.Name]:
		case i.Note != "":
			fmt.Fprintf(b, "| `%s` | %s |\n", i.Name, cell(i.Note))
		default:
			whole = append(whole, "`"+i.Name+"`")
		}
	}
	slices.Sort(whole)
	b.WriteString("\nThese are accepted, and a notice says that this version does not serve them: " + strings.Join(whole, ", ") + ".\n")
}

// inner returns a section within a section. Of a keyed one it is that of a block
// without a name.
func inner(s *ucl.Section, name string) *ucl.Section {
	for _, sub := range s.Sections {
		if sub.Name == name && sub.Repeat != nil {
			return sub.Repeat("")
		}
		if sub.Name == name {
			return sub
		}
	}
	panic("config: no section " + name)
}

// became tells what became of a directive of old files.
func became(s *ucl.Section, word string, served bool) string {
	for i := range s.Options {
		o := &s.Options[i]
		text := "is as it was"
		if slices.Contains(o.Aliases, word) {
			text = "is now `" + o.Name + "`"
		} else if o.Name != word {
			continue
		}
		if !served || o.Unserved {
			text += "; " + unserved
		}
		return text
	}
	for _, i := range s.Ignored {
		if i.Name == word {
			return "has no effect: " + i.Note
		}
	}
	panic("config: nobody declares " + word + " in section " + s.Name)
}

// ignored returns what a section and those within it ignore, with the sections' names.
func ignored(s *ucl.Section) []ucl.Ignored {
	var list []ucl.Ignored
	var walk func(s *ucl.Section, prefix string)
	walk = func(s *ucl.Section, prefix string) {
		for _, i := range s.Ignored {
			list = append(list, ucl.Ignored{Name: prefix + i.Name, Note: i.Note})
		}
		for _, sub := range s.Sections {
			if sub.Repeat == nil {
				walk(sub, prefix+sub.Name+" ")
				continue
			}
			for _, key := range sub.Keys {
				walk(sub.Repeat(key), prefix+sub.Name+" "+ucl.Quote(key)+" ")
			}
		}
	}
	walk(s, "")
	return list
}
