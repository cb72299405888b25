#!/bin/sh
# Installs what the end-to-end tests need on Debian: Redis, and Postfix as a package without
# a configuration, and, unpacked into folders of their own, sendmail, which conflicts
# with Postfix as a package, and rspamd, of which rspamadm and rspamc alone are run. It asks
# nothing, starts no service, and does nothing and takes no time when all is there.
# RMILTER_TEST_CACHE changes where those folders are.
set -eu

cache=${RMILTER_TEST_CACHE:-/var/cache/rmilter-test}
sendmail=$cache/sendmail/usr/libexec/sendmail/sendmail
rspamadm=$cache/rspamd/usr/bin/rspamadm
rspamc=$cache/rspamd/usr/bin/rspamc
packages="postfix m4 make gcc libc6-dev procps util-linux hostname redis-server redis-sentinel redis-tools python3-authres opendkim opendkim-tools python3-dkim python3-nacl libmail-dkim-perl"

missing_packages() {
	for p in $packages; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || printf ' %s' "$p"
	done
}

# missing_libraries names the shared libraries that the unpacked programs lack.
missing_libraries() {
	LD_LIBRARY_PATH=$cache/rspamd/usr/lib/rspamd ldd "$sendmail" "$rspamadm" "$rspamc" 2>&1 |
		sed -n 's/^[[:space:]]*\([^ ]*\) => not found$/\1/p'
}

has_sendmail() { [ -x "$sendmail" ] && [ -r "$cache/sendmail/usr/share/sendmail/cf/m4/cf.m4" ]; }
has_rspamadm() { [ -x "$rspamadm" ] && [ -x "$rspamc" ] && [ -d "$cache/rspamd/usr/share/rspamd/lualib" ]; }
has_all() { [ -z "$(missing_packages)" ] && has_sendmail && has_rspamadm && [ -z "$(missing_libraries)" ]; }

if has_all; then
	exit 0
fi
missing=$(missing_packages)

if [ "$(id -u)" -ne 0 ]; then
	if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
		exec sudo -n RMILTER_TEST_CACHE="$cache" sh "$0"
	fi
	echo "test/install.sh: not root, and sudo is not to be had. Missing:" >&2
	[ -z "$missing" ] || echo "  packages:$missing" >&2
	has_sendmail || echo "  sendmail, unpacked in $cache/sendmail" >&2
	has_rspamadm || echo "  rspamd, unpacked in $cache/rspamd" >&2
	if has_sendmail && has_rspamadm && [ -n "$(missing_libraries)" ]; then
		echo "  libraries: $(missing_libraries | tr '\n' ' ')" >&2
	fi
	exit 1
fi

for tool in apt-get dpkg dpkg-deb debconf-set-selections; do
	command -v "$tool" >/dev/null 2>&1 || { echo "test/install.sh: $tool is missing; this script knows Debian only" >&2; exit 1; }
done

export DEBIAN_FRONTEND=noninteractive
work=$(mktemp -d)
policy=/usr/sbin/policy-rc.d
made_policy=
cleanup() {
	rm -rf "$work"
	[ -z "$made_policy" ] || rm -f "$policy"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

# Packages must not start their services.
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
	made_policy=yes
fi

apt() { apt-get -q -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 "$@" </dev/null; }
install() { apt install -y --no-install-recommends --no-upgrade "$@"; }

# unpack puts the packages named into the folder $cache/$1, with a list of the
# libraries that they need.
unpack() {
	name=$1
	shift
	mkdir "$work/deb" "$work/root"
	# _apt, the user that downloads, must reach the folder.
	chmod 755 "$work"
	! id _apt >/dev/null 2>&1 || chown _apt "$work/deb"
	(cd "$work/deb" && apt download "$@")
	for d in "$work"/deb/*.deb; do
		dpkg -x "$d" "$work/root"
	done
	dpkg-deb -f "$(ls "$work/deb/$1"_*.deb)" Depends | tr ',' '\n' |
		sed -n '/^ *libjs-/d; s/^ *\(lib[a-z0-9.+-]*\).*/\1/p' >"$work/root/libraries"
	# Without setgid bits the copies run for their owner alone, as the tests need it.
	find "$work/root" -type f -perm /6000 -exec chmod ug-s {} +
	chmod -R go-w "$work/root"
	chmod 755 "$work/root"
	mkdir -p "$cache"
	chmod go-w "$cache"
	rm -rf "$cache/$name" "$cache/$name.new"
	cp -a "$work/root" "$cache/$name.new"
	mv "$cache/$name.new" "$cache/$name"
	rm -rf "$work/deb" "$work/root"
}

# One unreachable archive among several need not matter.
apt update || echo "test/install.sh: apt-get update failed, going on with the lists at hand" >&2

if [ -n "$missing" ]; then
	echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections
	# shellcheck disable=SC2086
	install $missing
fi

has_sendmail || unpack sendmail sendmail-bin sendmail-base sendmail-cf
has_rspamadm || unpack rspamd rspamd

if [ -n "$(missing_libraries)" ]; then
	# shellcheck disable=SC2046
	install $(cat "$cache/sendmail/libraries" "$cache/rspamd/libraries")
fi

if ! has_all; then
	echo "test/install.sh: still missing:$(missing_packages) $(missing_libraries | tr '\n' ' ')" >&2
	exit 1
fi
