package config

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"rmilter/internal/ucl"
)

// warned returns the warnings of a load of /etc/rmilter.conf with their positions in
// it, each on a line.
func warned(t *testing.T, m fs.FS) string {
	t.Helper()
	_, remarks, err := load(m)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, r := range remarks {
		if r.Severity == ucl.Warning {
			r.Line = ""
			all = append(all, strings.ReplaceAll(r.String(), "warning: ", ""))
		}
	}
	return strings.ReplaceAll(strings.Join(all, "\n"), "/etc/rmilter.conf:", "")
}

// TestContradictions has what contradicts itself and, beside it, what is nearly the
// same and does not.
func TestContradictions(t *testing.T) {
	const (
		server = `servers = localhost; `
		key    = `domain { key = /etc/dkim; domain = "*"; selector = "dkim"; } `
	)
	for _, c := range []struct{ name, in, want string }{
		{"defaults", "", ""},
		{"empty sections", "redis { } dns { } greylisting { } limits { } dkim { } clamav { } spamd { } actions { }", ""},

		{"greylist above reject", "actions { greylist = 20; add_header = off; reject = 15; }", "1:11: greylist: 20 is never reached, as reject is taken from 15 on (1:44); expected less, or off"},
		{"greylist below reject", "actions { greylist = 14.9; add_header = off; reject = 15; }", ""},
		{"equal", "actions { add_header = 8; reject = 8; }", "1:11: add_header: 8 is never reached, as reject is taken from 8 on (1:27); expected less, or off"},
		{"two lines", "actions { reject = 9 }\nactions { add_header = 10; greylist = off }", "2:11: add_header: 10 is never reached, as reject is taken from 9 on (1:11); expected less, or off"},
		{"below a default", "actions { reject = 5; }", "1:11: reject: 5 is not above add_header = 6 (the default), which is never taken then; expected more, or add_header = off"},
		{"the default is off", "actions { reject = 5; add_header = off; }", ""},
		{"above a default", "actions { add_header = 15; greylist = 3; }", "1:11: add_header: 15 is never reached, as reject is taken from 15 on (the default); expected less, or off"},
		{"the nearest of several", "actions { add_header = 12; rewrite_subject = 11; quarantine = 10; }", "1:11: add_header: 12 is never reached, as quarantine is taken from 10 on (1:50); expected less, or off\n1:28: rewrite_subject: 11 is never reached, as quarantine is taken from 10 on (1:50); expected less, or off"},
		{"reject of nothing", "actions { reject = 0; }", "1:11: reject: 0 is the score of mail in which nothing was found; expected a score above 0, or off"},
		{"reject below nothing", "actions { reject = -1; }", "1:11: reject: -1 is the score of mail in which nothing was found; expected a score above 0, or off"},
		{"discard of nothing", "actions { discard = 0; }", "1:11: discard: 0 is the score of mail in which nothing was found; expected a score above 0, or off"},
		{"greylist everything", "actions { greylist = 0; }", ""},

		{"settings, inherited", "actions { add_header = 6; }\nsettings a { rcpt = a; actions { reject = 6; } }", "2:34: reject: 6 is not above add_header = 6 (1:11), which is never taken then; expected more, or add_header = off"},
		{"settings, own", "settings a { rcpt = a; actions { reject = 30; add_header = 30; } }", "1:47: add_header: 30 is never reached, as reject is taken from 30 on (1:34); expected less, or off"},
		{"settings, main only", "actions { add_header = 16; }\nsettings a { rcpt = a; actions { greylist = 3; } }", "1:11: add_header: 16 is never reached, as reject is taken from 15 on (the default); expected less, or off"},
		{"settings, default", "settings a { rcpt = a; actions { reject = default; } }", ""},
		{"settings, reject 0", "settings a { rcpt = a; actions { reject = 0; } }", "1:34: reject: 0 is the score of mail in which nothing was found; expected a score above 0, or off"},
		{"settings without rcpt", "settings a { enable = no; }", "1:1: rcpt: the block has no recipients and no effect; expected rcpt = alice@example.com, @example.org"},
		{"settings, empty", "settings \"a\" { }", "1:1: rcpt: the block has no recipients and no effect; expected rcpt = alice@example.com, @example.org"},
		{"settings, rcpt empty", "settings a { rcpt = []; }", "1:14: rcpt: the block has no recipients and no effect; expected rcpt = alice@example.com, @example.org"},
		{"settings hidden", "settings a { rcpt = @example.com, bob; }\nsettings b { rcpt = alice@example.com, bob@example.net, BOB; }", `2:14: rcpt: the block has no effect, as all its recipients are in settings "a", which comes first; expected this block before that one`},
		{"settings hidden by two", "settings a { rcpt = x }\nsettings b { rcpt = y }\nsettings c { rcpt = y, x@example.com }", `3:14: rcpt: the block has no effect, as all its recipients are in settings "b", settings "a", which comes first; expected this block before that one`},
		{"settings hidden in part", "settings a { rcpt = @example.com; }\nsettings b { rcpt = carol@example.org, alice@example.com; }", `2:14: rcpt: here without effect, as settings "a" comes first: alice@example.com; expected this block before that one`},
		{"settings, from narrow to broad", "settings a { rcpt = alice@example.com; }\nsettings b { rcpt = @example.com, alice; }", ""},
		{"settings, other domain", "settings a { rcpt = alice@example.com; }\nsettings b { rcpt = alice@example.org, @example.net; }", ""},
		{"settings, merged", "settings a { rcpt = a; }\nsettings a { rcpt += b; }", ""},

		{"subject without the old one", "actions { rewrite_subject = 9; subject = \"SPAM\"; }", "1:32: subject: there is no %s in it, so the old subject is lost; expected %s in its place"},
		{"subject with a percent sign", "actions { subject = \"100%% spam\"; }", "1:11: subject: there is no %s in it, so the old subject is lost; expected %s in its place"},
		{"subject with the old one", "actions { subject = \"[%d] %s\"; }", ""},

		{"our_networks", "our_networks = 192.0.2.0/24, 0.0.0.0/0;", "1:1: our_networks: 0.0.0.0/0 is nearly everybody, whose mail would be taken for yours; expected your own networks"},
		{"our_networks, IPv6", "our_networks = [2000::]/3;", "1:1: our_networks: [2000::]/3 is nearly everybody, whose mail would be taken for yours; expected your own networks"},
		{"our_networks, large", "our_networks = 10.0.0.0/8, [fd00::]/8, [fe80::]/10, [2001::]/16;", ""},
		{"trusted_relays", "trusted_relays = 128.0.0.0/1;", "1:1: trusted_relays: 128.0.0.0/1 is nearly everybody, whose mail would never be refused; expected your own relays"},
		{"trusted_relays, large", "trusted_relays = 10.0.0.0/8;", ""},
		{"spamd whitelist", "spamd { whitelist = ::/0; }", "1:9: whitelist: [::]/0 is nearly everybody, whose mail would not be scanned; expected your own networks"},
		{"spamd whitelist, large", "spamd { whitelist = 172.16.0.0/12; }", ""},
		{"secure_ip", "worker controller { secure_ip = 0.0.0.0/0; }", "1:21: secure_ip: 0.0.0.0/0 is nearly everybody, who gets full rights without a password; expected your own addresses"},
		{"secure_ip, large", "worker controller { secure_ip = 10.0.0.0/8; }", ""},
		{"lists of sections", "clamav { " + server + "whitelist = ::/0 } greylisting { whitelist = ::/0 } limits { limit_whitelist = ::/0 } dkim { " + key + " sign_networks = ::/0 }",
			"1:31: whitelist: [::]/0 is nearly everybody; expected your own networks\n1:64: whitelist: [::]/0 is nearly everybody; expected your own networks, or enable = no\n1:92: limit_whitelist: [::]/0 is nearly everybody; expected your own networks, or enable = no\n" +
				"1:186: sign_networks: [::]/0 is nearly everybody, whose mail would be signed as yours; expected your own networks"},

		{"controller open", "worker controller { bind_socket = \"*:11334\"; }", "1:21: bind_socket: *:11334 can be reached from other machines, and there is no password; expected password = TEXT, or a socket of 127.0.0.1"},
		{"controller open by address", "worker controller { bind_socket = \"localhost:1\", \"192.0.2.1:11334\"; }", "1:21: bind_socket: 192.0.2.1:11334 can be reached from other machines, and there is no password; expected password = TEXT, or a socket of 127.0.0.1"},
		{"controller with password", "worker controller { bind_socket = \"*:11334\"; password = x; }", ""},
		{"controller with enable_password", "worker controller { bind_socket = \"*:11334\"; enable_password = x; }", ""},
		{"controller on loopback", "worker controller { bind_socket = \"localhost:11334\", \"127.0.0.2:1\", \"[::1]:11334\", /run/c, fd:7; }", ""},
		{"same passwords", "worker controller { password = x; enable_password = x; }", "1:35: enable_password: who knows password may change everything, too, as both are the same; expected two, or password alone"},
		{"two passwords", "worker controller { password = x; enable_password = y; }", ""},

		{"max_size", "max_size = 200M;", "1:1: max_size: max_size = 200M is above half of spool_limit = 256M, which counts; expected a larger spool_limit"},
		{"spool_limit", "spool_limit = 8M;", "1:1: spool_limit: max_size = 10M is above half of spool_limit = 8M, which counts; expected a larger spool_limit"},
		{"max_size is half", "max_size = 128M;", ""},
		{"max_size unlimited", "max_size = 0; spool_limit = 1M;", ""},
		{"originating_daemons", "hostname = mx.example.com; originating_daemons = ORIGINATING, MX.example.com;", "1:28: originating_daemons: MX.example.com is Postfix's name for every listener, so all mail would be ours; expected the milter_macro_daemon_name of the submission service"},
		{"originating_daemons, others", "hostname = mx.example.com; originating_daemons = submission, smtps;", ""},
		{"spam_no_auth_header", "spamd { spam_no_auth_header = no; }", "1:9: spam_no_auth_header: no has no effect, the mail of our own users and networks is never marked; expected yes, or strict_auth to refuse it"},

		{"trace_symbol alone", "spamd { trace_symbol = X; }", "1:9: trace_symbol: there is nobody to send messages to; expected trace_addr, too"},
		{"trace_addr alone", "spamd { trace_addr = x; }", "1:9: trace_addr: there is no symbol to look for; expected trace_symbol, too"},
		{"trace", "spamd { trace_symbol = X; trace_addr = x; }", ""},

		{"greylisting expires first", "greylisting { timeout = 1h; expire = 30m; }", "1:29: expire: with expire = 30m and timeout = 1h nobody passes, as each is forgotten before its time is over; expected an expire that is longer"},
		{"greylisting by a default", "greylisting { timeout = 2d; }", "1:15: timeout: with expire = 1d and timeout = 2d nobody passes, as each is forgotten before its time is over; expected an expire that is longer"},
		{"greylisting", "greylisting { timeout = 1h; expire = 2h; }", ""},

		{"dkim without domain", "dkim { body_canon = simple; }", "1:8: body_canon: the section has no domain, so nothing is signed; expected domain { key; domain; selector; }"},
		{"dkim off", "dkim { enable = no; body_canon = simple; }", ""},
		{"dkim", "dkim { body_canon = simple; " + key + "}", ""},
		{"dkim, no domain", "dkim { domain { domain = \"exam ple\"; key = /k; selector = s } domain { domain = \".example.org\"; key = /k; selector = s } domain { domain = \"bücher.example\"; key = /k; selector = s } }",
			`1:17: domain: "exam ple" is no domain and no part of one, so it never signs; expected one such as example.com`},
		{"dkim, a key twice", "dkim {\n domain a { key = /a; selector = s }\n domain { domain = A; key = /b; selector = s }\n domain a { key = /c; selector = t }\n}", `3:23: key: "a" with selector "s" has the key "/a" already; expected one`},

		{"clamav without servers", "clamav { on_error = accept; }", "1:10: on_error: the section names no servers, so nothing is scanned for viruses; expected servers = HOST:3310"},
		{"clamav off", "clamav { servers = []; on_error = accept; }", ""},

		{"redis without servers", "redis { dbname = 5; }", "1:9: dbname: the section names no servers; expected servers = HOST:6379"},
		{"redis with some servers", "redis { dbname = 5; servers_limits = localhost; }", ""},
		{"sentinels", "redis { " + server + "mode = cluster; sentinel_master = m; }", "1:30: mode: cluster has no sentinels, but sentinel_master names their master; expected sentinel"},
		{"sentinels implied", "redis { " + server + "sentinel_master = m; }", ""},
		{"sentinels without master", "redis { " + server + "mode = sentinel; }", "1:30: mode: sentinel needs the name of the master; expected sentinel_master = NAME"},
		{"cluster with database", "redis { " + server + "mode = cluster; dbname = 3; }", "1:46: dbname: a cluster has database 0 only; expected 0, or mode = single"},
		{"cluster", "redis { " + server + "mode = cluster; dbname = 0; }", ""},
		{"servers without channel", "redis { servers_spam = localhost; }", "1:9: servers_spam: nothing is published without a channel; expected spam_channel, too"},
		{"channels without servers", "redis { servers = []; spam_channel = s; copy_channel = c; }", "1:23: spam_channel: there is no server to publish on; expected servers or servers_spam\n1:41: copy_channel: there is no server to publish on; expected servers or servers_copy"},
		{"channel on other servers", "redis { servers_grey = localhost; copy_channel = c; }", ""},
		{"certificates without TLS", "redis { " + server + "ca_file = /a; }", "1:30: ca_file: certificates are for TLS; expected tls = yes"},
		{"certificate without key", "redis { " + server + "tls = yes; cert_file = /a; }", "1:41: cert_file: a certificate needs its key; expected cert_file and key_file"},
		{"certificates", "redis { " + server + "tls = yes; ca_file = /a; cert_file = /b; key_file = /c; }", ""},
		{"channel", "redis { servers_copy = localhost; copy_channel = c; }", ""},

		{"bounces without senders", "limits { limit_bounce_to = 5:1; limit_bounce_addrs = []; }", "1:33: limit_bounce_addrs: no mail is a bounce with this empty list, so the limits of bounces have no effect; expected senders such as <>"},
		{"no bounces", "limits { limit_bounce_addrs = []; }", ""},
		{"bounces by address", "limits { limit_bounce_addrs = daemon@example.com; }", "1:10: limit_bounce_addrs: daemon@example.com matches no sender; expected what stands before its @"},

		{"skip", "replies { skip = subject, headers, correspondence; }", ""},
		{"skip what nothing is called", "replies { skip = subjects; }", "1:11: skip: there is no check or group \"subjects\"; expected one of docs/symbols.md"},
		{"skip what always counts", "replies { skip = clamav; }", "1:11: skip: \"clamav\" counts for answers, too: whoever answers may have a virus or a stolen name; expected other checks and groups"},
		{"skip a group of the site's own rules", "replies { skip = trade; } regexp \"CHEAP\" { re = /cheap/; group = trade; }", ""},
		{"skip a group of rules in files", "rule_files = /etc/x.rules; replies { skip = trade; }", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := warned(t, files("/etc/rmilter.conf", c.in)); got != c.want {
				t.Errorf("%s\n got %s\nwant %s", c.in, got, c.want)
			}
		})
	}
}

// TestSockets has sockets that are named twice: faults, or warnings when it is a
// default of the controller.
func TestSockets(t *testing.T) {
	const (
		worker = `worker "controller" bind_socket`
		end    = ", too; expected different sockets"
	)
	for _, c := range []struct{ in, want string }{
		{"bind_socket = inet:1@127.0.0.1; worker controller { bind_socket = \"127.0.0.1:1\"; }", worker + ": 127.0.0.1:1 is that of bind_socket" + end},
		{"bind_socket = inet:1@127.0.0.1; worker controller { bind_socket = \"127.0.0.1:2\", \"127.0.0.2:1\", \"[::1]:1\"; }", ""},
		{"bind_socket = inet:1@127.0.0.1; worker controller { bind_socket = \"localhost:1\"; }", worker + ": localhost:1 is that of bind_socket" + end},
		{"bind_socket = inet:1@127.0.0.1; worker controller { bind_socket = \"*:1\"; password = x; }", worker + ": *:1 is that of bind_socket" + end},
		{"bind_socket = inet:1; worker controller { bind_socket = \"127.0.0.1:1\"; }", worker + ": 127.0.0.1:1 is that of bind_socket" + end},
		{"bind_socket = inet:1; worker controller { bind_socket = \"[::1]:1\"; }", ""},
		{"bind_socket = inet6:1@[::1]; worker controller { bind_socket = \"localhost:1\"; }", ""},
		{"bind_socket = inet6:1@[::1]; worker controller { bind_socket = \"[::]:1\"; password = x; }", worker + ": [::]:1 is that of bind_socket" + end},
		{"bind_socket = inet:0@127.0.0.1; worker controller { bind_socket = \"127.0.0.1:0\"; }", ""},
		{"worker controller { bind_socket = \"127.0.0.1:9900\"; }", worker + ": 127.0.0.1:9900 is that of bind_socket" + end},
		{"bind_socket = inet:11334@127.0.0.1;", "warning: bind_socket: inet:11334@127.0.0.1 is that of " + worker + end},
		{"bind_socket = unix:/run/x.sock; control_socket = /run/x.sock;", "control_socket: unix:/run/x.sock is that of bind_socket" + end},
		{"bind_socket = \"unix:/run/x.sock mode=0660\"; worker controller { bind_socket = /run/x.sock; }", worker + ": unix:/run/x.sock is that of bind_socket" + end},
		{"bind_socket = unix:/run/x.sock; control_socket = /run/y.sock;", ""},
		{"bind_socket = fd:3, fd:4, fd:3;", "bind_socket: fd:3 is that of bind_socket" + end},
		{"bind_socket = systemd:a, systemd:b; worker controller { bind_socket = systemd:a; }", worker + ": systemd:a is that of bind_socket" + end},
		{"bind_socket = unix:/run/x; pidfile = /run/x;", "pidfile: /run/x is the socket of bind_socket, too; expected a file of its own"},
		{"bind_socket = unix:/run/x; pidfile = /run/x.pid;", ""},
	} {
		_, remarks, err := load(files("/etc/rmilter.conf", c.in))
		got := list(remarks, err)
		_, got, _ = strings.Cut(got, ": ")
		got, _, _ = strings.Cut(got, "\n")
		if got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.in, got, c.want)
		}
	}
}

// TestManySockets compares no more sockets than a machine may have.
func TestManySockets(t *testing.T) {
	in := "bind_socket = fd:3" + strings.Repeat(", unix:/run/x", 100_000)
	if _, _, err := load(files("/etc/rmilter.conf", in)); err == nil {
		t.Error("the same socket many times is accepted")
	}
}

// TestDirectories has a data_dir and a tempdir that are none.
func TestDirectories(t *testing.T) {
	for in, want := range map[string]string{
		"data_dir = /file":           `data_dir: "/file" is no directory; expected one that exists`,
		"data_dir = /file/inside":    "",
		"data_dir = /tmp":            "",
		"data_dir = /does/not/exist": "",
		"tempdir = /file":            `tempdir: "/file" is no directory; expected one that exists`,
		"tempdir = /tmp":             "",
	} {
		_, _, err := load(files("/etc/rmilter.conf", in, "/file", "text"))
		got := ""
		if e, ok := err.(*ucl.Error); ok {
			got = e.Faults[0].Text
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
	if _, _, err := Load("/etc/rmilter.conf", Options{FS: files("/etc/rmilter.conf", "data_dir = /file", "/file", "text"), DataDir: "/tmp"}); err != nil {
		t.Errorf("the data_dir that the command line replaces is a fault: %v", err)
	}
}

// TestFileModes has configuration files that others may write.
func TestFileModes(t *testing.T) {
	for mode, want := range map[fs.FileMode]string{
		0o600: "", 0o640: "", 0o644: "", 0o755: "",
		0o660: "/etc/part.conf: others than its owner may write it (mode 0660); expected 0640 or stricter",
		0o646: "/etc/part.conf: others than its owner may write it (mode 0646); expected 0640 or stricter",
	} {
		m := files("/etc/rmilter.conf", ".include part.conf\n.include part.conf")
		m["etc/part.conf"] = &fstest.MapFile{Mode: mode}
		if got := warned(t, m); got != want {
			t.Errorf("%04o: got %q, want %q", mode, got, want)
		}
	}
}

// TestNoContradictionsWithFaults shows that a contradiction is not told which may come
// of a fault.
func TestNoContradictionsWithFaults(t *testing.T) {
	_, remarks, err := load(files("/etc/rmilter.conf", "worker controller { bind_socket = \"*:1\"; password = []; }"))
	if err == nil || len(remarks) > 0 {
		t.Errorf("got error %v and %v, want the fault alone", err, texts(remarks))
	}
}
