package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/signing"
	"rmilter/internal/store/redis"
	"rmilter/internal/ucl"
)

// An oldLine is a directive of old rmilter.conf files as people write it, and what it
// becomes: the value of an option, or the exact warning.
type oldLine struct {
	section, directive, value string
	option                    string // which has the value then; "" for the directive's own name
	want                      string // the option's value, or a warning that ends in a note
}

// oldLines are all directives that the old milter knew.
func oldLines() []oldLine {
	const (
		itself = " has no effect: rmilter judges mail itself and asks no rspamd"
		waits  = " has no effect: rmilter judges mail itself; there is no rspamd to wait for"
		awl    = " has no effect: a client that passed is known for expire_white"
		kept   = " has no effect: diverging messages are no longer kept"
		dcc    = " has no effect: DCC is no longer asked"
		mirror = ": mirrored servers; expected one, the first counts"
	)
	return []oldLine{
		{"", "bind_socket", "unix:/var/run/rmilter/rmilter.sock", "", "unix:/var/run/rmilter/rmilter.sock"},
		{"", "bind_socket", `"inet:9900@127.0.0.1"`, "", "inet:9900@127.0.0.1"},
		{"", "bind_socket", "local:/run/rmilter.sock", "", "unix:/run/rmilter.sock"},
		{"", "bind_socket", "inet6:9900@[::1]", "", "inet6:9900@[::1]"},
		{"", "bind_socket", "fd:3", "", "fd:3"},
		{"", "pidfile", "/var/run/rmilter/rmilter.pid", "", `"/var/run/rmilter/rmilter.pid"`},
		{"", "tempdir", "/tmp", "", `"/tmp"`},
		{"", "tempfiles_mode", "00600", "", "tempfiles_mode has no effect: files in tempdir always have mode 0600"},
		{"", "max_size", "20M", "", "20M"},
		{"", "max_size", "0", "", "0"},
		{"", "strict_auth", "YES", "", "yes"},
		{"", "check_auth", "on", "strict_auth", "yes"},
		{"", "use_dcc", "yes", "", "use_dcc" + dcc},
		{"", "dcc", "yes", "", "dcc" + dcc},
		{"", "whitelist", "postmaster, <abuse@example.com>, @example.org, user1", "", "postmaster, abuse@example.com, @example.org, user1"},
		{"", "our_networks", "127.0.0.1/32, [::1]/128, 192.168.0.0/16", "", "127.0.0.1, [::1]/128, 192.168.0.0/16"},
		{"", "our_networks", `"192.0.2.1, mx.example.com"`, "", "192.0.2.1, mx.example.com"},
		{"", "use_redis", "yes", "", "use_redis has no effect: a section redis { } says the same"},
		{"", "syslog_name", `"rmilter2"`, "", `"rmilter2"`},
		{"", "spf_domains", "example.com, example.org", "", "spf_domains has no effect: there is no list of domains for SPF any more"},
		{"", "rule", "{ reject \"No\"; helo /^localhost$/; }", "", "rule has no effect: rules of the old milter; use actions { } and settings { }"},
		{"", "beanstalk", "{ servers = bot.example.com:3132; copy_server = bot.example.com; send_beanstalk_copy = yes; }", "", "beanstalk has no effect: queues are no longer fed; use redis { copy_channel; }"},
		{"", "id_regexp", `"/^x.*$/"`, "", "id_regexp has no effect: message ids are taken as they are"},
		{"", "lifetime", "172800", "", "lifetime has no effect: use the options of greylisting { }"},
		{"", "clamav_servers", "localhost:3310", "", "clamav_servers has no effect: use clamav { servers; }"},
		{"", "clamav_connect_timeout", "1s", "", "clamav_connect_timeout has no effect: use clamav { connect_timeout; }"},
		{"", "clamav_port_timeout", "4s", "", "clamav_port_timeout has no effect: use clamav { results_timeout; }"},
		{"", "clamav_results_timeout", "20s", "", "clamav_results_timeout has no effect: use clamav { results_timeout; }"},
		{"", "memcached_servers", "localhost", "", "memcached_servers has no effect: use redis { servers; }"},

		{"clamav", "servers", "clamav.example.com:3310:2, 127.0.0.1, /run/clamd.ctl", "", "clamav.example.com:3310:2, 127.0.0.1, /run/clamd.ctl"},
		{"clamav", "connect_timeout", "500ms", "", "500ms"},
		{"clamav", "port_timeout", "4s", "", "port_timeout has no effect: clamd is asked over one connection; use results_timeout"},
		{"clamav", "results_timeout", "5m", "", "5m"},
		{"clamav", "error_time", "20", "", "20s"},
		{"clamav", "dead_time", "600", "", "10m"},
		{"clamav", "maxerrors", "5", "", "5"},
		{"clamav", "whitelist", "192.0.2.0/24", "", "192.0.2.0/24"},

		{"spamd", "servers", "r:localhost:11333, r:spam.example.com:11333:2", "", "servers" + itself},
		{"spamd", "also_check", "r:spam.example.com", "", "also_check" + itself},
		{"spamd", "diff_dir", "/var/tmp/diff", "", "diff_dir" + kept},
		{"spamd", "symbols_dir", "/var/tmp/symbols", "", "symbols_dir" + kept},
		{"spamd", "check_symbols", `"A, B"`, "", "check_symbols" + kept},
		{"spamd", "timeout", "5s", "", "timeout" + waits},
		{"spamd", "connect_timeout", "1s", "", "connect_timeout" + waits},
		{"spamd", "results_timeout", "20s", "", "results_timeout" + waits},
		{"spamd", "error_time", "10", "", "error_time" + waits},
		{"spamd", "dead_time", "300", "", "dead_time" + waits},
		{"spamd", "maxerrors", "10", "", "maxerrors" + waits},
		{"spamd", "retry_count", "5", "", "retry_count" + waits},
		{"spamd", "retry_timeout", "1s", "", "retry_timeout" + waits},
		{"spamd", "tempfail_on_error", "yes", "", "yes"},
		{"spamd", "spamd_temp_fail", "yes", "tempfail_on_error", "yes"},
		{"spamd", "reject_message", `"Spam; contact # us"`, "", `"Spam; contact # us"`},
		{"spamd", "rspamd_metric", `"default"`, "", "rspamd_metric has no effect: there is one metric; use actions { }"},
		{"spamd", "spamd_soft_fail", "yes", "", "spamd_soft_fail has no effect: a soft reject is always answered 451"},
		{"spamd", "spamd_greylist", "no", "", "no"},
		{"spamd", "spamd_never_reject", "true", "", "yes"},
		{"spamd", "spamd_spam_add_header", "false", "", "no"},
		{"spamd", "spam_header", `"X-Spam-Flag"`, "", `"X-Spam-Flag"`},
		{"spamd", "spam_header_value", `"YES"`, "", `"YES"`},
		{"spamd", "spam_no_auth_header", "yes", "", "yes"},
		{"spamd", "spam_bar_char", `"x"`, "", "spam_bar_char has no effect: the bar is gone; use extended_spam_headers"},
		{"spamd", "extended_spam_headers", "yes", "", "yes"},
		{"spamd", "extended_headers_rcpt", "@example.com, root", "", "@example.com, root"},
		{"spamd", "spamd_settings_id", `"outbound"`, "", "spamd_settings_id" + itself + `; use settings "NAME" { }`},
		{"spamd", "compression", "yes", "", "compression" + itself},
		{"spamd", "whitelist", "127.0.0.1/32, [::1]/128, 192.168.0.0/16", "", "127.0.0.1, [::1]/128, 192.168.0.0/16"},
		{"spamd", "trace_symbol", `"FUZZY_DENIED"`, "", `"FUZZY_DENIED"`},
		{"spamd", "trace_addr", `"bcc@example.com"`, "", `"bcc@example.com"`},

		{"redis", "servers_grey", "a.example.com, b.example.com:6380", "", "a.example.com, b.example.com:6380"},
		{"redis", "servers_grey", "{a.example.com, b.example.com}", "", "servers_grey" + mirror},
		{"redis", "servers_white", "localhost", "", "localhost"},
		{"redis", "servers_limits", "127.0.0.1:6379", "", "127.0.0.1:6379"},
		{"redis", "servers_id", `"localhost"`, "", "localhost"},
		{"redis", "servers_spam", "localhost", "", "localhost"},
		{"redis", "servers_copy", "localhost", "", "localhost"},
		{"redis", "copy_probability", "0.25", "", "0.25"},
		{"redis", "copy_probability", "50", "", "0.5"},
		{"redis", "spam_channel", `"spam"`, "", `"spam"`},
		{"redis", "copy_channel", `"copy"`, "", `"copy"`},
		{"redis", "id_prefix", `"message_id."`, "", `"message_id."`},
		{"redis", "grey_prefix", `"grey."`, "", `"grey."`},
		{"redis", "white_prefix", `"white."`, "", `"white."`},
		{"redis", "password", `"secret"`, "", `"********"`},
		{"redis", "dbname", `"5"`, "", "5"},
		{"redis", "connect_timeout", "2s", "", "2s"},
		{"redis", "error_time", "20", "", "20s"},
		{"redis", "dead_time", "60", "", "1m"},
		{"redis", "maxerrors", "3", "", "3"},
		{"redis", "protocol", "tcp", "", "protocol has no effect: Redis is spoken over TCP or a Unix socket"},

		{"limits", "enable", "no", "", "no"},
		{"limits", "limit_to", "20:0.016666667", "", "20:0.016666667"},
		{"limits", "limit_to_ip", "30:0.025", "", `"30 / 20m"`},
		{"limits", "limit_to_ip_from", "100:0.033333333", "", "100:0.033333333"},
		{"limits", "limit_bounce_to", "5:0.000277778", "", "5:0.000277778"},
		{"limits", "limit_bounce_to_ip", "0:0", "", "0:0"},
		{"limits", "limit_bounce_addrs", "postmaster, symantec_antivirus_for_smtp_gateways, <>, null", "", `postmaster, symantec_antivirus_for_smtp_gateways, "<>", null`},
		{"limits", "limit_whitelist", "194.67.45.4/32", "", "194.67.45.4"},
		{"limits", "limit_whitelist_ip", "192.0.2.0/24", "limit_whitelist", "192.0.2.0/24"},
		{"limits", "limit_whitelist_rcpt", " postmaster, mailer-daemon", "", "postmaster, mailer-daemon"},

		{"greylisting", "enable", "false", "", "no"},
		{"greylisting", "timeout", "600s", "", "10m"},
		{"greylisting", "expire", "3d", "", "3d"},
		{"greylisting", "expire_white", "12h", "", "12h"},
		{"greylisting", "whitelist", "127.0.0.1,\n\t\t192.168.1.1,\n\t\t192.168.2.0/24", "", "127.0.0.1, 192.168.1.1, 192.168.2.0/24"},
		{"greylisting", "greylisted_message", `"Later, please"`, "", `"Later, please"`},
		{"greylisting", "awl_enable", "yes", "", "awl_enable" + awl},
		{"greylisting", "awl_pool", "10M", "", "awl_pool" + awl},
		{"greylisting", "awl_hits", "10", "", "awl_hits" + awl},
		{"greylisting", "awl_ttl", "3600s", "", "awl_ttl" + awl},

		{"dkim", "enable", "off", "", "no"},
		{"dkim", "header_canon", "simple", "", "simple"},
		{"dkim", "body_canon", "simple", "", "simple"},
		{"dkim", "sign_alg", "sha1", "", "sign_alg has no effect: RFC 8301 forbids sha1; sha256 is taken"},
		{"dkim", "auth_only", "no", "", "auth_only has no effect: the mail of strangers is never signed, whoever they say they are; name hosts of yours in sign_networks"},
		{"dkim", "sign_networks", "192.168.0.0/16", "", "192.168.0.0/16"},
		{"dkim", "fold_header", "no", "", "fold_header has no effect: signatures are always folded"},
		{"dkim", "rspamd_sign", "yes", "", "rspamd_sign has no effect: rmilter signs itself; use domain { }"},
		{"dkim domain", "key", "/etc/dkim/dkim_example.key", "", `"/etc/dkim/dkim_example.key"`},
		{"dkim domain", "key", `"/etc/dkim/key_with_underscores"`, "", `"/etc/dkim/key_with_underscores"`},
		{"dkim domain", "domain", `"Example.COM"`, "", `"example.com"`},
		{"dkim domain", "domain", `"*"`, "", `"*"`},
		{"dkim domain", "selector", `"dkim"`, "", `"dkim"`},
	}
}

// files returns the line among what the section needs besides, in two files so that
// nothing is set twice in one.
func (l oldLine) files() (main, local string) {
	text := l.directive + " = " + l.value + ";"
	if strings.HasPrefix(l.value, "{") && l.section == "" {
		text = l.directive + " " + l.value
	}
	switch {
	case l.section == "dkim domain":
		local = "dkim { domain { " + text
		for _, other := range []string{"key = /k", "domain = x", "selector = s"} {
			if !strings.HasPrefix(other, l.directive) {
				local += " " + other + ";"
			}
		}
		return "", local + " }; };"
	case l.section != "":
		text = l.section + " { " + text + " };"
	}
	return map[string]string{
		"clamav": "clamav { servers = localhost; }",
		"redis":  "redis { servers = localhost; spam_channel = x; copy_channel = y; }",
		"dkim":   "dkim { domain { key = /etc/dkim; domain = \"*\"; selector = \"dkim\"; }; };",
		"spamd":  "spamd { trace_symbol = X; trace_addr = x; }",
	}[l.section], text
}

// TestOldDirectives shows for every directive of old files what it becomes.
func TestOldDirectives(t *testing.T) {
	seen := map[string]bool{}
	for _, l := range oldLines() {
		seen[l.section+" "+l.directive] = true
		main, local := l.files()
		c, remarks, err := load(files("/etc/rmilter.conf", main, "/etc/rmilter.conf.local", local))
		if err != nil {
			t.Errorf("%s: %v", local, err)
			continue
		}
		var warnings []string
		for _, r := range remarks {
			if r.Severity == ucl.Warning {
				warnings = append(warnings, r.Text)
			}
		}
		got := strings.Join(warnings, "\n")
		if got == "" {
			name := l.directive
			if l.option != "" {
				name = l.option
			}
			got = c.option(strings.TrimSpace(l.section + " " + name)).Value.String()
		}
		if got != l.want {
			t.Errorf("%s:\n got %s\nwant %s", local, got, l.want)
		}
	}
	for _, s := range oldDirectives() {
		for _, word := range strings.Fields(s.words) {
			if !seen[s.path+" "+word] {
				t.Errorf("%s %s is not tested", s.path, word)
			}
		}
	}
}

// TestOldDirectivesListed shows that the documentation lists every directive which is
// declared as one of the old milter's.
func TestOldDirectivesListed(t *testing.T) {
	listed := map[string]bool{}
	for _, s := range oldDirectives() {
		for _, word := range strings.Fields(s.words) {
			if listed[s.path+" "+word] {
				t.Errorf("%s %s is listed twice", s.path, word)
			}
			listed[s.path+" "+word] = true
		}
	}
	for _, s := range old() {
		for _, i := range s.Ignored {
			if !listed[s.Name+" "+i.Name] {
				t.Errorf("%s %s is not listed", s.Name, i.Name)
			}
		}
	}
	for _, l := range oldLines() {
		if !listed[l.section+" "+l.directive] {
			t.Errorf("%s %s is not listed", l.section, l.directive)
		}
	}
}

// TestStateDefaults shows the defaults of what keeps state.
func TestStateDefaults(t *testing.T) {
	const want = `redis {
    servers = [];
    servers_grey = [];
    servers_white = [];
    servers_limits = [];
    servers_id = [];
    servers_spam = [];
    servers_copy = [];
    mode = single;
    sentinel_master = "";
    tls = no;
    ca_file = "";
    cert_file = "";
    key_file = "";
    username = "";
    password = "";
    sentinel_username = "";
    sentinel_password = "";
    dbname = 0;
    spam_channel = "";
    copy_channel = "";
    copy_probability = 1;
    id_prefix = "id";
    grey_prefix = "grey";
    white_prefix = "white";
    connect_timeout = 1s;
    error_time = 10s;
    maxerrors = 10;
    dead_time = 10s;
}
greylisting {
    enable = yes;
    timeout = 5m;
    expire = 1d;
    expire_white = 30d;
    warmup = 10m;
    whitelist = [];
    whitelist_domain = [];
    whitelist_rcpt = [];
    greylisted_message = "Try again later";
}
limits {
    enable = yes;
    user = 0:0;
    limit_to = 0:0;
    limit_to_ip = 0:0;
    limit_to_ip_from = 0:0;
    limit_bounce_to = 0:0;
    limit_bounce_to_ip = 0:0;
    limit_bounce_addrs = postmaster, mailer-daemon, "<>", null, fetchmail-daemon;
    limit_ours = no;
    limit_whitelist = [];
    limit_whitelist_user = [];
    limit_whitelist_rcpt = postmaster, mailer-daemon;
}
replies {
    enable = yes;
    expire = 7d;
    skip = [];
    known_expire = 30d;
    max_known = 100000;
    max_new = 500;
}
`
	c := Default()
	var got strings.Builder
	for _, name := range []string{"redis", "greylisting", "limits", "replies"} {
		got.WriteString(dump(t, c, name))
	}
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestLaterDefaults shows the defaults of what later versions serve.
func TestLaterDefaults(t *testing.T) {
	const want = `    trace_symbol = "";  # not served by this version
    trace_addr = "";  # not served by this version
}
clamav {  # not served by this version
    servers = [];
    on_error = tempfail;
    connect_timeout = 1s;
    results_timeout = 20s;
    error_time = 10s;
    maxerrors = 10;
    dead_time = 5m;
    whitelist = [];
}
`
	c := Default()
	var got strings.Builder
	for _, name := range []string{"spamd", "clamav"} {
		got.WriteString(dump(t, c, name))
	}
	text := got.String()
	if at := strings.Index(text, "    trace_symbol"); at >= 0 { // the spamd section has served options, too
		text = text[at:]
	}
	if diff := cmp.Diff(want, text); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestStateFields shows that the values arrive where their packages read them.
func TestStateFields(t *testing.T) {
	c, remarks, err := load(files("/etc/rmilter.conf", `
redis { servers = a, b:1; mode = cluster; tls = yes; ca_file = /etc/ca.pem; cert_file = /etc/c.pem; key_file = /etc/k.pem; username = u; password = p; db = 0; copy_probability = "5%"; white_prefix = w; }
greylisting { warmup = 1m; whitelist_rcpt = sales, @example.org; whitelist_domain = *.example.com, example.net; }
limits { limit_user = "10 / 1m"; limit_bounce_to_ip = 5:0.5; limit_ours = yes; limit_whitelist_user = news; }
replies { expire = 2d; skip = subject, antivirus; max_new = 3; }
spamd { spamd_greylist = no; }
`))
	if err != nil {
		t.Fatal(err)
	}
	wantRemarks := []string{"warning: skip: \"antivirus\" counts for answers, too: whoever answers may have a virus or a stolen name; expected other checks and groups"}
	if diff := cmp.Diff(wantRemarks, texts(remarks)); diff != "" {
		t.Errorf("remarks (-want +got):\n%s", diff)
	}
	want := []any{
		ucl.Servers{{Host: "a"}, {Host: "b", Port: 1}}, redis.Cluster, ucl.Flag(true), ucl.String("/etc/ca.pem"), ucl.String("/etc/c.pem"), ucl.String("/etc/k.pem"),
		ucl.String("u"), "p", redis.Probability(0.05), ucl.String("w"),
		60 * second, "sales, @example.org", "example.com, example.net",
		ucl.Bucket{Burst: 10, Rate: 10.0 / 60}, ucl.Bucket{Burst: 5, Rate: 0.5}, ucl.Flag(true), "news",
		2 * 24 * 3600 * second, []string{"subject"}, ucl.Int(3),
		ucl.Flag(false),
	}
	got := []any{
		c.Redis.Servers, c.Redis.Mode, c.Redis.TLS, c.Redis.CAFile, c.Redis.CertFile, c.Redis.KeyFile,
		c.Redis.Username, c.Redis.Password.Reveal(), c.Redis.CopyProbability, c.Redis.WhitePrefix,
		c.Greylist.Warmup, c.Greylist.WhitelistRcpt.String(), c.Greylist.WhitelistDomain.String(),
		c.Limits.User, c.Limits.BounceToIP, c.Limits.Ours, c.Limits.WhitelistUser.String(),
		c.Replies.Expire, c.Replies.Skipped(), c.Replies.MaxNew,
		c.Filter.SpamdGreylist,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestLaterFields shows that the values arrive where their packages will read them.
func TestLaterFields(t *testing.T) {
	c, _, err := load(files("/etc/rmilter.conf", `
dns { nameserver = "127.0.0.1", [::1]:5353; }
clamav { servers = /run/clamd.ctl; on_error = accept; }
`))
	if err != nil {
		t.Fatal(err)
	}
	l := c.Later
	want := []any{
		ucl.Servers{{Host: "127.0.0.1"}, {Host: "::1", Port: 5353}},
		ucl.Servers{{Path: "/run/clamd.ctl"}}, AcceptOnError,
	}
	got := []any{c.DNS.Nameservers, l.ClamAV.Servers, l.ClamAV.OnError}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestDKIM shows the defaults of signing, that what old files say needlessly is taken
// silently, and that the blocks of domains arrive and are dumped.
func TestDKIM(t *testing.T) {
	const head = `dkim {
    enable = yes;
    sign_domain = header;
    allow_username_mismatch = no;
    sign_networks = [];
    header_canon = relaxed;
    body_canon = relaxed;
`
	if got := dump(t, Default(), "dkim"); got != head+"}\n" {
		t.Errorf("got defaults\n%s\nwant\n%s}", got, head)
	}
	c, remarks, err := load(files("/etc/rmilter.conf", `
dkim {
  sign_alg = SHA256; auth_only = on; fold_header = yes; rspamd_sign = no;
  domain { key = /etc/dkim; domain = "*"; selector = "dkim"; }; domain "Example.com" { key = /k; selector = S }
}
`))
	if err != nil || len(remarks) != 0 {
		t.Fatalf("got remarks %v, error %v, want none", texts(remarks), err)
	}
	want := []*signing.Domain{{Key: "/etc/dkim", Domain: "*", Selector: "dkim"}, {Key: "/k", Domain: "example.com", Selector: "s"}}
	if diff := cmp.Diff(want, c.DKIM.Domains); diff != "" {
		t.Errorf("domains (-want +got):\n%s", diff)
	}
	const domains = "    domain {\n        key = \"/etc/dkim\";\n        domain = \"*\";\n        selector = \"dkim\";\n    }\n" +
		"    domain \"Example.com\" {\n        key = \"/k\";\n        domain = \"example.com\";\n        selector = \"s\";\n    }\n}\n"
	if got := dump(t, c, "dkim"); got != head+domains {
		t.Errorf("got\n%s\nwant\n%s", got, head+domains)
	}
}

// TestLaterFaults has values that these sections refuse.
func TestLaterFaults(t *testing.T) {
	for in, want := range map[string]string{
		"redis { mode = sharded }":                                     `mode: "sharded" is not known here; expected single, sentinel or cluster`,
		"redis { dbname = cache }":                                     `dbname: "cache" is not a whole number; expected digits only`,
		"redis { copy_probability = 101 }":                             `copy_probability: "101" is not a probability; expected 0.0 to 1.0, or up to 100 in percent`,
		"redis { copy_probability = often }":                           `copy_probability: "often" is not a probability; expected 0.0 to 1.0, or up to 100 in percent`,
		"redis { servres = a }":                                        `unknown directive "servres" in section redis; did you mean servers?`,
		"redis { user = a }":                                           `unknown directive "user" in section redis; did you mean username?`,
		"redis { dbname = -1 }":                                        `dbname: -1 is out of range; expected 0 to 1000000`,
		"greylisting { enabled = no }":                                 `unknown directive "enabled" in section greylisting; did you mean enable?`,
		"greylisting { expire_white = 20y }":                           `expire_white: 7300d is out of range; expected 0s to 3650d`,
		"greylisting { whitelist_domain = \"a b\" }":                   `whitelist_domain: "a b" is not a domain; expected one such as example.com`,
		"limits { enabled = no }":                                      `unknown directive "enabled" in section limits; did you mean enable?`,
		"replies { ttl = 1d }":                                         `unknown directive "ttl" in section replies; did you mean expire?`,
		"replies { expire = 1s }":                                      `expire: 1s is out of range; expected 1m to 365d`,
		"replies { max_known = 0 }":                                    `max_known: 0 is out of range; expected 4096 to 10000000`,
		"clamav { on_error = reject }":                                 `on_error: "reject" is not known here; expected accept or tempfail`,
		"clamav { maxerrors = 0 }":                                     `maxerrors: 0 is out of range; expected 1 to 1000000`,
		"clamav { error_time = ten }":                                  `error_time: "ten" is not a time; expected a number with ms, s, m, h, d or w as in 30s`,
		"greylisting { timeout = 300 }":                                `timeout: the time 300 has no unit; expected ms, s, m, h, d or w: did you mean 300s?`,
		"limits { limit_to = 20 }":                                     `limit_to: "20" is not a limit; expected BURST:RATE as in 20:0.0166, or a number in a time as in "100 / 1h"`,
		"dkim { domain { key = /k; domain = a; selector = \"a b\" } }": `selector: "a b" is not a selector; expected a word such as dkim`,
		"dkim { sign_domain = sender }":                                `sign_domain: "sender" is not known here; expected header or envelope`,
		"dkim { header_canon = strict }":                               `header_canon: "strict" is not known here; expected simple or relaxed`,
		"dkim { domain { } }":                                          `section domain is not complete; expected key, domain and selector in it`,
		"dkim { domain { key = /k } }":                                 `section domain is not complete; expected domain and selector in it`,
		"dkim { domain \"a\" { selector = s } }":                       `section domain "a" is not complete; expected key in it`,
		"dkim { domain { key = k; domain = a; selector = s } }":        `key: "k" is not a path; expected one that begins with /`,
		"dns { nameserver = ns.example.com }":                          `nameserver: "ns.example.com" is not the address of a resolver; expected one such as 127.0.0.1`,
		"dns { nameserver = /run/dns }":                                `nameserver: "/run/dns" is not the address of a resolver; expected one such as 127.0.0.1`,
		"metric \"default\" { actions { rejcet = 5 } }":                `unknown directive "rejcet" in section actions; did you mean reject?`,
		"metric \"default\" { colour = red }":                          `unknown directive "colour" in section metric "default"`,
		"clasifier { }":                                                `unknown section "clasifier"`,
	} {
		_, _, err := load(files("/etc/rmilter.conf", in))
		e, ok := err.(*ucl.Error)
		if !ok || len(e.Faults) != 1 {
			t.Errorf("%s: got %v, want one fault", in, err)
			continue
		}
		if got := e.Faults[0].Text; got != want {
			t.Errorf("%s:\n got %s\nwant %s", in, got, want)
		}
	}
}

// TestUnservedNeedsNoRestart changes what this version does not serve.
func TestUnservedNeedsNoRestart(t *testing.T) {
	before := Default()
	after, _, err := load(files("/etc/rmilter.conf", "dns { nameserver = 127.0.0.1 } spamd { trace_symbol = A; trace_addr = b } clamav { servers = a }"))
	if err != nil {
		t.Fatal(err)
	}
	if got := after.RestartNeeded(before); got != nil {
		t.Errorf("got %v, want none", got)
	}
}

// TestGeneratedWithoutUnserved shows that the example and the tables of the reference
// have nothing that this version does not serve.
func TestGeneratedWithoutUnserved(t *testing.T) {
	reference, _, ok := strings.Cut(Reference(), "## Directives of old files")
	if !ok {
		t.Fatal("the reference has no directives of old files")
	}
	for _, word := range []string{"clamav {", "metric ", "trace_symbol", "port_timeout"} {
		if strings.Contains(Example(), word) || strings.Contains(reference, word) {
			t.Errorf("%s is in the example or in the reference", word)
		}
	}
}
