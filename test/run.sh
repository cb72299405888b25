#!/bin/sh
# make run: rmilter with its state in run/, ready for Postfix. It ends with Ctrl-C.
set -eu
cd "$(dirname "$0")/.."
dir=$PWD/run
umask 077
mkdir -p "$dir"
if [ ! -f "$dir/rmilter.conf" ]; then
	cat >"$dir/rmilter.conf" <<CONF
# Written by make run. Edit it as you like; Apply: kill -HUP the daemon's pid.
bind_socket = inet:9900@127.0.0.1;
data_dir = "$dir";
control_socket = "$dir/control.sock";
pidfile = "$dir/rmilter.pid";
log = stderr;
our_networks = 192.0.2.0/24;   # not 127.0.0.0/8: mail from this machine is to be judged here
spamd { extended_spam_headers = yes; }
CONF
fi
cat <<TEXT

rmilter listens on inet:127.0.0.1:9900. Its configuration and state are in run/.

Postfix, main.cf (then: postfix reload):
    smtpd_milters = inet:127.0.0.1:9900
    non_smtpd_milters = \$smtpd_milters
    milter_protocol = 6
    milter_default_action = accept
    milter_mail_macros = i {mail_addr} {client_addr} {client_name} {auth_authen}
sendmail, sendmail.mc:
    INPUT_MAIL_FILTER(\`rmilter', \`S=inet:9900@127.0.0.1, F=T, T=S:30s;R:60s;E:5m')dnl

To try it, in another terminal:
    bin/rmilterctl --socket run/control.sock status
    go run ./test/milterload -addr 127.0.0.1:9900 -n 100      # a hundred messages of made-up mail
    swaks --server 127.0.0.1 --to you@your.domain --body "\$(printf %s XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE- STANDARD-ANTI-UBE-TEST-EMAIL*C.34X)"
                                                              # through your Postfix: 554 5.7.1 Gtube pattern [ID]
The same string with another first letter asks for another action: Y add header,
Z rewrite subject, S soft reject, Q quarantine, D discard. The ID stands in the log
line below. Ctrl-C ends it.

TEXT
exec bin/rmilter -c "$dir/rmilter.conf"
