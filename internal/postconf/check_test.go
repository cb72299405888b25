package postconf

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/config"
)

// stock is what postconf -x prints of Postfix 3.7 as the packages set it up, as far as
// it matters.
const stock = `compatibility_level = 3.6
config_directory = /etc/postfix
content_filter =
inet_interfaces = all
inet_protocols = all
internal_mail_filter_classes =
mail_owner = postfix
mail_version = 3.7.11
message_size_limit = 10240000
milter_command_timeout = 30s
milter_connect_macros = j {daemon_name} {daemon_addr} v _
milter_connect_timeout = 30s
milter_content_timeout = 300s
milter_data_macros = i
milter_default_action = tempfail
milter_end_of_data_macros = i
milter_end_of_header_macros = i
milter_helo_macros = {tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}
milter_macro_daemon_name = mx.example.com
milter_mail_macros = i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} {mail_mailer}
milter_protocol = 6
milter_rcpt_macros = i {rcpt_addr} {rcpt_host} {rcpt_mailer}
milter_unknown_command_macros =
mydomain = example.com
myhostname = mx.example.com
mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128
mynetworks_style = host
non_smtpd_milters =
queue_directory = /var/spool/postfix
receive_override_options =
recipient_delimiter = +
smtpd_milter_maps =
smtpd_milters =
smtpd_proxy_filter =
smtpd_recipient_restrictions =
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination
smtpd_sasl_auth_enable = no
`

// stockMaster is what postconf -M prints.
const stockMaster = `smtp       inet  n       -       y       -       -       smtpd
pickup     unix  n       -       y       60      1       pickup
cleanup    unix  n       -       y       -       0       cleanup
qmgr       unix  n       -       n       300     1       qmgr
smtp       unix  -       -       y       -       -       smtp
relay      unix  -       -       y       -       -       smtp -o syslog_name=postfix/$service_name
maildrop   unix  -       n       n       -       -       pipe flags=DRXhu user=vmail argv=/usr/bin/maildrop -d ${recipient}
`

// submission is a port for users, as the quick start has it.
const (
	submission      = "submission inet  n       -       y       -       -       smtpd -o milter_macro_daemon_name=ORIGINATING\n"
	submissionNamed = "submission/inet/milter_macro_daemon_name = ORIGINATING\n"
)

// quickStart are the lines for main.cf that the documentation tells to paste.
const quickStart = `smtpd_milters = inet:127.0.0.1:9900
non_smtpd_milters = $smtpd_milters
milter_protocol = 6
milter_default_action = accept
milter_mail_macros = i {mail_addr} {client_addr} {client_name} {auth_authen}
`

// A setup is a machine with Postfix and rmilter on it.
type setup struct {
	main      string // parameters that main.cf sets, in place of the stock ones
	master    string // lines added to master.cf
	overrides string // their -Px
	conf      string // rmilter.conf
	files     fstest.MapFS
}

// connected is the quick start with a port for users.
func connected() setup {
	return setup{main: quickStart + "mynetworks = 127.0.0.0/8 [::1]/128\n", master: submission, overrides: submissionNamed, conf: "hostname = mx.example.com;\n"}
}

// with returns the setup with more lines.
func (s setup) with(main, master, overrides, conf string) setup {
	s.main, s.master, s.overrides, s.conf = s.main+main, s.master+master, s.overrides+overrides, s.conf+conf
	return s
}

// postfix is what Read would return.
func (s setup) postfix(t *testing.T) *Postfix {
	t.Helper()
	// postconf -x has the values of references.
	all := stock
	for line := range strings.Lines(s.main) {
		if strings.HasPrefix(line, "smtpd_milters = ") {
			all += line + "non_" + line
		} else if line != "non_smtpd_milters = $smtpd_milters\n" {
			all += line
		}
	}
	p, err := Parse(all, s.main, stockMaster+s.master, s.overrides)
	if err != nil {
		t.Fatal(err)
	}
	p.Dir = "/etc/postfix"
	return p
}

// check runs Check.
func (s setup) check(t *testing.T) Report {
	t.Helper()
	files := fstest.MapFS{"etc/rmilter.conf": {Data: []byte(s.conf)}}
	for name, f := range s.files {
		files[name] = f
	}
	c, _, err := config.Load("/etc/rmilter.conf", config.Options{FS: files, Lookup: lookup})
	if err != nil {
		t.Fatal(err)
	}
	return Check(s.postfix(t), c, Machine{FS: files, User: lookupUser, Group: lookupGroup, Lookup: lookup})
}

// lookup knows one name.
func lookup(_ context.Context, host string) ([]netip.Addr, error) {
	if host == "filter.example" {
		return []netip.Addr{netip.MustParseAddr("192.0.2.7")}, nil
	}
	return nil, errors.New("no such host")
}

// The machine's users: postfix is a member of group filter.
func lookupUser(name string) (int, []int, bool) {
	return 100, []int{100, 300}, name == "postfix"
}

func lookupGroup(name string) (int, bool) {
	gid, ok := map[string]int{"postfix": 100, "_rmilter": 200, "filter": 300}[name]
	return gid, ok
}

// file is an entry of the file system with owner and group.
func file(mode fs.FileMode, uid, gid uint32) *fstest.MapFile {
	return &fstest.MapFile{Mode: mode, Sys: &syscall.Stat_t{Uid: uid, Gid: gid, Ino: uint64(uid)<<20 | uint64(gid)<<10 | uint64(mode.Perm())}}
}

// summary lists severities and ids.
func summary(r Report) []string {
	var list []string
	for _, f := range r.Findings {
		list = append(list, string(f.Severity)+" "+f.ID)
	}
	return list
}

// TestQuiet wants no warning where all is as the documentation tells.
func TestQuiet(t *testing.T) {
	example, err := os.ReadFile("../../rmilter.conf.example")
	if err != nil {
		t.Fatal(err)
	}
	sasl := "smtpd_sasl_auth_enable = yes\n"
	for name, s := range map[string]setup{
		"quick start, nothing else":   {main: quickStart, conf: string(example)},
		"quick start with submission": {main: quickStart, master: submission, overrides: submissionNamed, conf: string(example)},
		"Debian's main.cf":            {main: quickStart + "mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128\n" + sasl, master: submission, overrides: submissionNamed, conf: string(example)},
	} {
		r := s.check(t)
		if r.Warnings() > 0 {
			t.Errorf("%s: got %v, want no warning: %+v", name, summary(r), r.Findings)
		}
	}
	r := connected().check(t)
	if len(r.Findings) > 0 {
		t.Errorf("got %+v, want no finding", r.Findings)
	}
	want := []ServiceReport{
		{"smtp inet", Outside, "inet:127.0.0.1:9900", "mx.example.com", false, "accept", "mail passes unfiltered (milter_default_action = accept)"},
		{"submission inet", Submission, "inet:127.0.0.1:9900", "ORIGINATING", true, "accept", "mail passes unfiltered (milter_default_action = accept)"},
		{"local mail", Local, "inet:127.0.0.1:9900", "mx.example.com", true, "accept", "mail passes unfiltered (milter_default_action = accept)"},
	}
	if diff := cmp.Diff(want, r.Services); diff != "" {
		t.Errorf("services, -want +got:\n%s", diff)
	}
}

// TestNotConnected wants to be told once how to connect.
func TestNotConnected(t *testing.T) {
	r := setup{conf: "hostname = mx.example.com;\n"}.check(t)
	want := []Finding{{
		Severity: Warning, ID: "not-connected",
		Text:   "Postfix doesn't ask rmilter, which listens on inet:9900@127.0.0.1",
		Effect: "no mail is filtered",
		File:   "main.cf",
		Line:   "smtpd_milters = inet:127.0.0.1:9900\nnon_smtpd_milters = $smtpd_milters\nmilter_protocol = 6\nmilter_default_action = accept",
	}}
	if diff := cmp.Diff(want, r.Findings); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	r = setup{main: "smtpd_milters = inet:localhost:8891\n", conf: "bind_socket = \"unix:/var/spool/postfix/rmilter/s mode=0660\";\n"}.check(t)
	if got, want := r.Findings[0].Line, "smtpd_milters = unix:rmilter/s, inet:localhost:8891\n"; len(r.Findings) != 1 || !strings.HasPrefix(got, want) {
		t.Errorf("beside another filter: got %+v, want one finding with %q", r.Findings, want)
	}
}

// A findingCase is a setup with what is to be found: a finding each with parts of its text.
type findingCase struct {
	name  string
	setup setup
	want  []string // severity, id and words, with | between
}

func findings(t *testing.T, tests []findingCase) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := tt.setup.check(t)
			var got []string
			for _, f := range r.Findings {
				got = append(got, fmt.Sprintf("%s|%s|%s|%s|%s|%s|%s", f.Severity, f.ID, f.Service, f.Text, f.Effect, f.File, f.Line))
			}
			ok := len(got) == len(tt.want)
			for i := 0; ok && i < len(got); i++ {
				for _, part := range strings.Split(tt.want[i], "|") {
					ok = ok && strings.Contains(got[i], part)
				}
			}
			if !ok {
				t.Errorf("got\n    %s\nwant\n    %s", strings.Join(got, "\n    "), strings.Join(tt.want, "\n    "))
			}
		})
	}
}

// smtpOff takes the milters off a service.
func smtpOff(line string) string {
	return line + "/smtpd_milters =\n"
}

func TestWhoAsks(t *testing.T) {
	c := connected()
	const back = "127.0.0.1:10025 inet n - n - - smtpd\n"
	findings(t, []findingCase{
		{"smtp dropped", c.with("", "", smtpOff("smtp/inet"), ""),
			[]string{"warning|not-asked|smtp inet doesn't ask rmilter|mail from other servers passes unfiltered|master.cf, smtp inet|-o smtpd_milters=inet:127.0.0.1:9900"}},
		{"submission dropped", c.with("", "", smtpOff("submission/inet"), ""),
			[]string{"warning|not-asked|submission inet|users"}},
		{"submissions by number", c.with("", "465 inet n - y - - smtpd\n", smtpOff("465/inet"), ""),
			[]string{"warning|not-asked|465 inet|users"}},
		{"smtp with no_milters", c.with("", "", "smtp/inet/receive_override_options = no_address_mappings, no_milters\n", ""),
			[]string{"warning|not-asked|smtp inet|no_milters"}},
		{"no_milters for all but one", c.with("receive_override_options = no_milters\n", "", "smtp/inet/receive_override_options =\n", ""),
			[]string{"warning|not-asked|submission inet|no_milters", "note|local-mail"}},
		{"re-injection without milters", c.with("content_filter = smtp-amavis:[127.0.0.1]:10024\n", back, smtpOff("127.0.0.1:10025/inet"), ""),
			[]string{"note|not-asked|127.0.0.1:10025 inet|right where a content filter"}},
		{"re-injection with no_milters", c.with("content_filter = smtp-amavis:[127.0.0.1]:10024\n", back, "127.0.0.1:10025/inet/receive_override_options = no_milters\n", ""),
			[]string{"note|not-asked|127.0.0.1:10025 inet|right where a content filter"}},
		{"re-injection with milters", c.with("content_filter = smtp-amavis:[127.0.0.1]:10024\n", back, "", ""),
			[]string{"warning|reinjection|127.0.0.1:10025 inet|second time|-o smtpd_milters="}},
		{"local port without content filter", c.with("", back, "", ""), nil},
		{"proxy filter", c.with("", back, "smtp/inet/smtpd_proxy_filter = 127.0.0.1:10024\n"+smtpOff("127.0.0.1:10025/inet"), ""),
			[]string{"note|not-asked|10025", "warning|proxy-filter|smtp inet|envelope only"}},
		{"another port without", c.with("", "192.0.2.1:2525 inet n - y - - smtpd\n", smtpOff("192.0.2.1:2525/inet"), ""),
			[]string{"note|not-asked|2525|unfiltered"}},
		{"postscreen", c.with("", "smtpd pass - - y - - smtpd\n", smtpOff("smtpd/pass"), ""),
			[]string{"warning|not-asked|smtpd pass"}},
		{"no local mail", c.with("non_smtpd_milters =\n", "", "", ""),
			[]string{"note|local-mail|neither filtered nor signed|non_smtpd_milters = $smtpd_milters"}},
		{"local mail by cleanup's own", c.with("non_smtpd_milters =\n", "", "cleanup/unix/non_smtpd_milters = inet:127.0.0.1:9900\n", ""), nil},
		{"only one service, milter in braces", setup{conf: "hostname = mx.example.com;\n", overrides: "smtp/inet/smtpd_milters = { inet:127.0.0.1:9900, default_action=tempfail }\n"},
			[]string{"note|local-mail"}},
		{"by elimination", c.with("smtpd_milters = inet:localhost:8891, inet:192.0.2.9:7000\n", "", "", "bind_socket = fd:3;\n"),
			[]string{"note|other-filter|opendkim (inet:localhost:8891) is asked before rmilter"}},
	})
}

func TestAddresses(t *testing.T) {
	c := connected()
	milter := func(m string) string { return "smtpd_milters = " + m + "\n" }
	findings(t, []findingCase{
		{"localhost", c.with(milter("inet:localhost:9900"), "", "", ""), []string{"note|localhost|smtpd_milters = inet:127.0.0.1:9900"}},
		{"localhost, IPv4 only", c.with(milter("inet:localhost:9900")+"inet_protocols = ipv4\n", "", "", ""), nil},
		{"localhost, both families", c.with(milter("inet:localhost:9900"), "", "", `bind_socket = "*:9900";`), nil},
		{"localhost in both", c.with(milter("inet:localhost:9900"), "", "", `bind_socket = "localhost:9900";`), []string{"note|localhost"}},
		{"port alone", c.with(milter("inet:9900"), "", "", `bind_socket = inet:9900;`), []string{"note|localhost"}},
		{"other family", c.with(milter("inet:[::1]:9900"), "", "", ""), []string{
			"warning|address|smtpd_milters names inet:[::1]:9900, but rmilter listens on inet:9900@127.0.0.1|finds nobody there: mail passes unfiltered|smtpd_milters = inet:127.0.0.1:9900"}},
		{"other address", c.with(milter("inet:192.0.2.1:9900"), "", "", ""), []string{"warning|address"}},
		{"all IPv4 addresses", c.with(milter("inet:192.0.2.1:9900"), "", "", "bind_socket = inet:9900;"), nil},
		{"all IPv4 addresses, IPv6 asked", c.with(milter("inet:[2001:db8::1]:9900"), "", "", "bind_socket = inet:9900;"), []string{"warning|address"}},
		{"a name", c.with(milter("inet:filter.example:9900"), "", "", "bind_socket = inet:9900@192.0.2.7;"), nil},
		{"a name of another", c.with(milter("inet:filter.example:9900"), "", "", ""), []string{"warning|address"}},
		{"an unknown name", c.with(milter("inet:nobody.example:9900"), "", "", ""), nil},
		{"one service only", c.with("", "", "submission/inet/smtpd_milters = inet:[::1]:9900, inet:localhost:8891\n", ""),
			[]string{"warning|address|master.cf, submission inet|-o { smtpd_milters = inet:127.0.0.1:9900, inet:localhost:8891 }"}},
		{"several of ours", c.with(milter("inet:[::1]:9900"), "", "", "bind_socket = inet:9900@127.0.0.1, inet6:9900@[::1];"), nil},
		{"systemd's sockets", func() setup {
			s := c.with(milter("unix:rmilter/s"), "", "", "")
			s.files = fstest.MapFS{
				"etc/systemd/system/sockets.target.wants/rmilter.socket": {},
				"usr/lib/systemd/system/rmilter.socket":                  {Data: []byte("[Socket]\nListenStream=127.0.0.1:9900\nFileDescriptorName=milter\n")},
				"etc/systemd/system/rmilter.socket.d/override.conf":      {Data: []byte("[Socket]\nListenStream=\nListenStream=/var/spool/postfix/rmilter/s\nSocketMode=0660\nSocketGroup=postfix\n")},
			}
			return s
		}(), nil},
		{"systemd's socket elsewhere", func() setup {
			s := c
			s.files = fstest.MapFS{
				"etc/systemd/system/sockets.target.wants/rmilter.socket": {},
				"etc/systemd/system/rmilter.socket":                      {Data: []byte("[Socket]\nListenStream=[::1]:9900\n")},
			}
			return s
		}(), []string{"warning|address|rmilter listens on [::1]:9900"}},
	})
}

func TestUnixSockets(t *testing.T) {
	at := func(milter, socket string) setup {
		return connected().with("smtpd_milters = "+milter+"\n", "", "", `bind_socket = "unix:`+socket+"\";\n")
	}
	has := func(s setup, files fstest.MapFS) setup { s.files = files; return s }
	const sock = "var/spool/postfix/rmilter/s"
	open := fstest.MapFS{"var/spool/postfix/rmilter": file(fs.ModeDir|0o755, 0, 0)}
	made := func(f *fstest.MapFile) fstest.MapFS {
		return fstest.MapFS{"var/spool/postfix/rmilter": open["var/spool/postfix/rmilter"], sock: f}
	}
	findings(t, []findingCase{
		{"relative path", at("unix:rmilter/s", "/var/spool/postfix/rmilter/s mode=0666"), nil},
		{"absolute path, chrooted", at("unix:/rmilter/s", "/var/spool/postfix/rmilter/s mode=0666"), nil},
		{"local:", at("local:rmilter/s", "/var/spool/postfix/rmilter/s mode=0666"), nil},
		{"chroot forgotten", at("unix:/run/rmilter/s", "/run/rmilter/s mode=0666"), []string{
			"warning|address|unix:/run/rmilter/s of smtpd_milters is the file /var/spool/postfix/run/rmilter/s for services that run chrooted|rmilter.conf|bind_socket = \"unix:/var/spool/postfix/run/rmilter/s mode=0660 group=postfix\";"}},
		{"not chrooted", setup{main: quickStart + "smtpd_milters = unix:/run/rmilter/s\nnon_smtpd_milters =\n", conf: "hostname = mx.example.com; bind_socket = \"unix:/run/rmilter/s mode=0666\";",
			master: "submission inet n - n - - smtpd\n", overrides: submissionNamed + "smtp/inet/smtpd_milters =\n"},
			[]string{"warning|not-asked|smtp inet", "note|local-mail"}},
		{"group that Postfix is in", at("unix:rmilter/s", "/var/spool/postfix/rmilter/s mode=0660 group=filter"), nil},
		{"group that Postfix isn't in", at("unix:rmilter/s", "/var/spool/postfix/rmilter/s mode=0660 group=_rmilter"),
			[]string{"warning|unix-rights|user postfix may not open rmilter's socket /var/spool/postfix/rmilter/s|mail passes unfiltered|mode=0660 group=postfix"}},
		{"owner only", at("unix:rmilter/s", "/var/spool/postfix/rmilter/s mode=0600"), []string{"warning|unix-rights"}},
		{"not yet there, no group", at("unix:rmilter/s", "/var/spool/postfix/rmilter/s"), nil},
		{"there, open to all", has(at("unix:rmilter/s", "/var/spool/postfix/rmilter/s mode=0600"), made(file(fs.ModeSocket|0o666, 200, 200))), nil},
		{"there, open to a group", has(at("unix:rmilter/s", "/var/spool/postfix/rmilter/s"), made(file(fs.ModeSocket|0o660, 200, 300))), nil},
		{"there, open to another group", has(at("unix:rmilter/s", "/var/spool/postfix/rmilter/s"), made(file(fs.ModeSocket|0o660, 200, 200))), []string{"warning|unix-rights"}},
		{"directory closed", has(at("unix:rmilter/s", "/var/spool/postfix/rmilter/s"),
			fstest.MapFS{"var/spool/postfix/rmilter": file(fs.ModeDir|0o700, 200, 200), sock: file(fs.ModeSocket|0o666, 200, 200)}),
			[]string{"warning|unix-rights|may not enter /var/spool/postfix/rmilter"}},
		{"another file of that name", at("unix:filter/s", "/run/rmilter/s"), []string{"warning|address"}},
		{"one file by two names", has(at("unix:filter/s", "/run/rmilter/s"), fstest.MapFS{
			"run/rmilter/s": file(fs.ModeSocket|0o666, 1, 1), "var/spool/postfix/filter/s": file(fs.ModeSocket|0o666, 1, 1)}), nil},
		{"two files", has(at("unix:filter/s", "/run/rmilter/s"), fstest.MapFS{
			"run/rmilter/s": file(fs.ModeSocket|0o666, 1, 1), "var/spool/postfix/filter/s": file(fs.ModeSocket|0o666, 2, 1)}),
			[]string{"warning|address"}},
	})
}

func TestChroot(t *testing.T) {
	for _, tt := range []struct {
		column, level string
		want          bool
	}{{"y", "3.6", true}, {"n", "0", false}, {"-", "3.6", false}, {"-", "2", false}, {"-", "0", true}, {"-", "", true}} {
		c := &checker{p: &Postfix{Main: map[string]string{"compatibility_level": tt.level}}}
		if got := c.chrooted(&Service{Chroot: tt.column}); got != tt.want {
			t.Errorf("column %s, level %q: got %v, want %v", tt.column, tt.level, got, tt.want)
		}
	}
}

func TestTimes(t *testing.T) {
	c := connected()
	held := "bind_socket = fd:3;"
	findings(t, []findingCase{
		{"content", c.with("milter_content_timeout = 10s\n", "", "", ""), []string{
			"warning|content-timeout|milter_content_timeout = 10s|1m0s|where Postfix gives up, mail passes unfiltered|main.cf|milter_content_timeout = 300s"}},
		{"content below the hard end", c.with("milter_content_timeout = 45\n", "", "", ""), []string{"note|content-timeout|waits all the same"}},
		{"content at the hard end", c.with("milter_content_timeout = 60s\n", "", "", ""), nil},
		{"command", c.with("milter_command_timeout = 1s\n", "", "", ""), []string{"warning|command-timeout|milter_command_timeout = 30s"}},
		{"per service", c.with("", "", "submission/inet/milter_command_timeout = 2s\n", ""), []string{"warning|command-timeout|master.cf, submission inet|-o milter_command_timeout=30s"}},
		{"per milter", c.with("smtpd_milters = { inet:127.0.0.1:9900, content_timeout = 5s, default_action=tempfail }\n", "", "", ""),
			[]string{"warning|content-timeout|no mail passes unfiltered|main.cf, smtpd_milters|content_timeout=300s"}},
		{"connect, nobody holds the socket", c.with("milter_connect_timeout = 10s\n", "", "", ""), nil},
		{"connect, the socket is held", c.with("milter_connect_timeout = 10s\n", "", "", held), []string{"warning|connect-timeout|shutdown_timeout (20s)|milter_connect_timeout = 30s"}},
		{"connect, long enough", c.with("milter_connect_timeout = 25s\n", "", "", held), nil},
		{"shutdown_timeout longer", c.with("", "", "", held+" shutdown_timeout = 40s;"), []string{"warning|connect-timeout|milter_connect_timeout = 50s"}},
		{"unreadable", c.with("milter_content_timeout = soon\n", "", "", ""), nil},
	})
}

func TestActions(t *testing.T) {
	c := connected()
	findings(t, []findingCase{
		{"reject", c.with("milter_default_action = reject\n", "", "", ""), []string{"warning|default-action|refused for good|milter_default_action = tempfail"}},
		{"reject by braces", c.with("smtpd_milters = { inet:127.0.0.1:9900, default_action = reject }\n", "", "", ""), []string{"warning|default-action|default_action=tempfail"}},
		{"protocol 4", c.with("milter_protocol = 4\n", "", "", ""), []string{"warning|protocol|milter_protocol = 6"}},
		{"protocol 6 with extensions", c.with("milter_protocol = 6 no_header_reply\n", "", "", ""), nil},
		{"protocol 2 for one service", c.with("", "", "smtp/inet/milter_protocol = 2, no_header_reply\n", ""), []string{"warning|protocol|master.cf, smtp inet"}},
	})
	for action, want := range map[string]string{
		"accept": "unfiltered", "tempfail": "come again", "reject": "refused for good", "shutdown": "421", "quarantine": "held", "odd": "milter_default_action = odd",
	} {
		r := c.with("milter_default_action = "+action+"\n", "", "", "").check(t)
		if got := r.Services[0]; got.Action != action || !strings.Contains(got.Without, want) {
			t.Errorf("%s: got %q, want %q in it", action, got.Without, want)
		}
	}
}

func TestOthers(t *testing.T) {
	c := connected()
	milters := func(list string) string { return "smtpd_milters = " + list + "\n" }
	policy := func(list string) string { return "smtpd_recipient_restrictions = " + list + "\n" }
	findings(t, []findingCase{
		{"opendkim before", c.with(milters("inet:localhost:8891, inet:127.0.0.1:9900"), "", "", ""), []string{"note|other-filter|opendkim (inet:localhost:8891) is asked before rmilter|signed twice|take inet:localhost:8891 out of smtpd_milters"}},
		{"opendkim after, in a socket", c.with(milters("inet:127.0.0.1:9900 unix:opendkim/opendkim.sock"), "", "", ""), []string{"note|other-filter|opendkim|after rmilter"}},
		{"opendmarc in braces", c.with(milters("inet:127.0.0.1:9900, { inet:127.0.0.1:8893, connect_timeout=3s }"), "", "", ""), []string{"note|other-filter|opendmarc"}},
		{"rspamd", c.with(milters("inet:localhost:11332 inet:127.0.0.1:9900"), "", "", ""), []string{"note|other-filter|rspamd"}},
		{"unknown", c.with(milters("inet:localhost:12345 inet:127.0.0.1:9900"), "", "", ""), nil},
		{"of one service", c.with("", "", "submission/inet/smtpd_milters = inet:127.0.0.1:9900 inet:localhost:8891\n", ""), []string{"note|other-filter|master.cf, submission inet"}},
		{"postgrey", c.with(policy("permit_mynetworks, reject_unauth_destination, check_policy_service inet:127.0.0.1:10023"), "", "", ""),
			[]string{"note|policy-service|postgrey (inet:127.0.0.1:10023) is asked in smtpd_recipient_restrictions|deferred twice|main.cf|take check_policy_service inet:127.0.0.1:10023 out"}},
		{"policyd-spf", c.with(policy("check_policy_service unix:private/policyd-spf"), "", "", ""), []string{"note|policy-service|policyd-spf"}},
		{"in braces", c.with(policy("check_policy_service { inet:localhost:10023, timeout=10s, default_action=DUNNO }, permit"), "", "", ""), []string{"note|policy-service|postgrey"}},
		{"quota", c.with(policy("check_policy_service inet:127.0.0.1:12340, check_policy_service"), "", "", ""), nil},
		{"of one service", c.with("", "", "smtp/inet/smtpd_client_restrictions = check_policy_service unix:postgrey/socket\n", ""), []string{"note|policy-service|master.cf, smtp inet"}},
		{"milter maps", c.with("smtpd_milter_maps = cidr:/etc/postfix/milter_map\n", "", "", ""), []string{"note|milter-maps|cidr:/etc/postfix/milter_map"}},
	})
}

func TestNetworks(t *testing.T) {
	c := connected()
	findings(t, []findingCase{
		{"ours lacks", c.with("mynetworks = 127.0.0.0/8 192.0.2.0/24, [2001:db8::]/32\n", "", "", ""),
			[]string{"warning|networks-missing|our_networks lacks 192.0.2.0/24, [2001:db8::]/32 of Postfix's mynetworks|treated as a stranger's|rmilter.conf|our_networks += 192.0.2.0/24, [2001:db8::]/32;"}},
		{"ours has a part", c.with("mynetworks = 127.0.0.0/8 192.0.2.0/24\n", "", "", "our_networks += 192.0.2.0/25;"),
			[]string{"warning|networks-missing|our_networks lacks 192.0.2.128/25 of"}},
		{"in pieces", c.with("mynetworks = 127.0.0.0/8 192.0.2.0/24\n", "", "", "our_networks += 192.0.2.0/25, 192.0.2.128/25;"), nil},
		{"without loopback", c.with("", "", "", "our_networks = 192.0.2.0/24;"), []string{"warning|networks-missing|our_networks lacks 127.0.0.0/8, [::1]/128", "warning|networks-wider|our_networks has 192.0.2.0/24|our_networks = [];"}},
		{"wider", c.with("mynetworks = 127.0.0.0/8, 192.0.2.0/24\n", "", "", "our_networks += 192.0.0.0/16;"),
			[]string{"warning|networks-wider|our_networks has 192.0.0.0/23, 192.0.3.0/24|never marked|our_networks = 127.0.0.0/8, 192.0.2.0/24, [::1]/128;"}},
		{"negated", c.with("mynetworks = 127.0.0.0/8, !192.0.2.1, 192.0.2.0/30\n", "", "", "our_networks += 192.0.2.0, 192.0.2.2/31;"), nil},
		{"negated too late", c.with("mynetworks = 127.0.0.0/8, 192.0.2.0/30, !192.0.2.1\n", "", "", "our_networks += 192.0.2.0, 192.0.2.2/31;"), []string{"warning|networks-missing|192.0.2.1 of"}},
		{"relays count", c.with("mynetworks = 127.0.0.0/8 198.51.100.5\n", "", "", "trusted_relays = 198.51.100.5;"), []string{"note|relay-in-networks|198.51.100.5"}},
		{"a table", c.with("mynetworks = 127.0.0.0/8 hash:/etc/postfix/nets /etc/postfix/list 192.0.2.1/24\n", "", "", "our_networks += 192.0.2.0/24;"),
			[]string{"note|networks-unknown|hash:/etc/postfix/nets, /etc/postfix/list, 192.0.2.1/24", "note|networks-wider"}},
		{"a host name", c.with("mynetworks = 127.0.0.0/8 192.0.2.7\n", "", "", "our_networks += filter.example;"), nil},
	})
	// postconf prints a default, which main.cf doesn't set.
	p, err := Parse(stock+quickStart+"mynetworks = 127.0.0.1/32 192.0.2.2/32 [::1]/128 [2001:db8::2]/128 [fe80::fc:ff:fe00:1]/128\n", quickStart, stockMaster, "")
	if err != nil {
		t.Fatal(err)
	}
	conf, _, err := config.Load("/rmilter.conf", config.Options{FS: fstest.MapFS{"rmilter.conf": {Data: []byte("hostname = mx.example.com;")}}, Lookup: lookup})
	if err != nil {
		t.Fatal(err)
	}
	r := Check(p, conf, Machine{FS: fstest.MapFS{}, User: lookupUser, Group: lookupGroup, Lookup: lookup})
	if got := summary(r); !slices.Equal(got, []string{"note networks-missing"}) || !strings.Contains(r.Findings[0].Text, "lacks 192.0.2.2, [2001:db8::2]/128 of") {
		t.Errorf("default of Postfix: got %+v, want a note about two addresses", r.Findings)
	}
}

func TestDaemonNames(t *testing.T) {
	c := connected()
	plain := setup{main: c.main, conf: c.conf, master: "submission inet n - y - - smtpd\n"}
	sasl := "submission/inet/smtpd_sasl_auth_enable = yes\n"
	findings(t, []findingCase{
		{"none, without logins", plain, []string{"warning|daemon-name|submission inet has the daemon name mx.example.com|ours only from our_networks|master.cf, submission inet|-o milter_macro_daemon_name=ORIGINATING"}},
		{"none, with logins", plain.with("", "", sasl, ""), []string{"note|daemon-name|who log in is ours all the same"}},
		{"another", plain.with("", "", sasl+"submission/inet/milter_macro_daemon_name = SUBMIT\n", ""), []string{"warning|daemon-name|SUBMIT"}},
		{"another, listed", plain.with("", "", "submission/inet/milter_macro_daemon_name = SUBMIT\n", "originating_daemons = SUBMIT;"), nil},
		{"list of another", c.with("", "", "", "originating_daemons = SUBMIT;"), []string{"warning|daemon-name|ORIGINATING|milter_macro_daemon_name=SUBMIT"}},
		{"known by its log name", c.with("", "192.0.2.1:2587 inet n - y - - smtpd\n", "192.0.2.1:2587/inet/syslog_name = postfix/submission\n", ""), []string{"warning|daemon-name|2587"}},
		{"known by TLS", c.with("", "2465 inet n - y - - smtpd\n", "2465/inet/smtpd_tls_wrappermode = yes\n", ""), []string{"warning|daemon-name|2465"}},
		{"of a filter", c.with("", "", "smtp/inet/milter_macro_daemon_name = VERIFYING\n", ""), nil},
		{"on port 25", c.with("", "", "smtp/inet/milter_macro_daemon_name = ORIGINATING\n", ""),
			[]string{"warning|daemon-name-public|smtp inet has the daemon name ORIGINATING|taken for your own|master.cf, smtp inet|take out"}},
		{"for all", c.with("milter_macro_daemon_name = ORIGINATING\n", "", "", ""), []string{"warning|daemon-name-public|main.cf|milter_macro_daemon_name = $myhostname"}},
		{"the host's name is listed", c.with("", "", "", "originating_daemons = ORIGINATING, mx.example.com;"), []string{"warning|daemon-name-public|rmilter.conf|originating_daemons = ORIGINATING;"}},
	})
}

func TestMacros(t *testing.T) {
	c := connected()
	sasl := "submission/inet/smtpd_sasl_auth_enable = yes\n"
	findings(t, []findingCase{
		{"daemon name", c.with("milter_connect_macros = j v _\n", "", "", ""), []string{"warning|macro|milter_connect_macros lacks {daemon_name}|submission inet|milter_connect_macros = j v _ {daemon_name}"}},
		{"daemon name at MAIL", c.with("milter_connect_macros = j\nmilter_mail_macros = i {daemon_name}\n", "", "", ""), nil},
		{"login, ours by name", c.with("milter_mail_macros = i\n", "", sasl, ""), []string{"note|macro|milter_mail_macros lacks {auth_authen}|user=-"}},
		{"login", setup{main: c.main + "milter_mail_macros = i\n", conf: c.conf, master: "submission inet n - y - - smtpd\n", overrides: sasl},
			[]string{"warning|macro|{auth_authen}|stranger's|milter_mail_macros = i {auth_authen}", "warning|daemon-name"}},
		{"without braces", c.with("milter_mail_macros = i auth_authen\n", "", sasl, ""), nil},
		{"queue id", c.with("milter_mail_macros = {auth_authen}\nmilter_rcpt_macros =\nmilter_data_macros =\nmilter_end_of_header_macros =\nmilter_end_of_data_macros =\n", "", "", ""),
			[]string{"note|macro|milter_end_of_data_macros lacks i|qid|milter_end_of_data_macros = i"}},
	})
}

func TestRest(t *testing.T) {
	c := connected()
	findings(t, []findingCase{
		{"large messages", c.with("message_size_limit = 52428800\n", "", "", ""), []string{"note|size|message_size_limit = 52428800 in Postfix, max_size = 10M|first 256 KB|message_size_limit = 10485760\nor in rmilter.conf: max_size = 50M;"}},
		{"no limit", c.with("message_size_limit = 0\n", "", "", ""), []string{"note|size|message_size_limit = 0"}},
		{"twice is not far", c.with("message_size_limit = 20971520\n", "", "", ""), nil},
		{"spool", c.with("message_size_limit = 52428800\n", "", "", "max_size = 0; spool_limit = 40M;"), []string{"note|size|spool_limit = 40M|spool_limit = 100M;"}},
		{"delimiter", c.with("recipient_delimiter = -\n", "", "", ""), []string{`note|delimiter|recipient_delimiter is - in Postfix and "+" in rmilter|recipient_delimiter = "-";`}},
		{"delimiters in another order", c.with("recipient_delimiter = +-\n", "", "", `recipient_delimiter = "-+";`), nil},
		{"no delimiter", c.with("recipient_delimiter =\n", "", "", ""), nil},
		{"names", c.with("myhostname = mail.example.com\nmilter_macro_daemon_name = mail.example.com\n", "", "", ""), []string{"note|hostname|mail.example.com|mx.example.com|hostname = mail.example.com;"}},
		{"bounces", c.with("internal_mail_filter_classes = bounce, notify\n", "", "", ""), []string{"note|bounces|bounce notify|never refused"}},
	})
}

// TestUnused tells of words for milters that Postfix doesn't know.
func TestUnused(t *testing.T) {
	p := setup{}.postfix(t)
	p.Unused = parseUnused("postconf: warning: /etc/postfix/main.cf: unused parameter: smtpd_milter=inet:127.0.0.1:9900\npostconf: warning: /etc/postfix/main.cf: unused parameter: foo=1\n")
	r := Check(p, config.Default(), Machine{FS: fstest.MapFS{}, User: lookupUser, Group: lookupGroup, Lookup: lookup})
	if got := summary(r); !slices.Equal(got, []string{"note unused", "warning not-connected"}) || r.Findings[0].Text != "Postfix knows no parameter smtpd_milter" {
		t.Errorf("got %+v", r.Findings)
	}
}
