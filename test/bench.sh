#!/bin/sh
# Drives a rmilter of its own through the milter port and prints messages/s, latency,
# CPU a message and memory. BENCH_SHORT=1 makes it a smoke test. Loopback only; it ends
# by itself and stops only the process that it started.
set -eu
cd "$(dirname "$0")/.."
GO=${GO:-go}
dir=$(mktemp -d)
pid=
cleanup() {
	[ -z "$pid" ] || kill "$pid" 2>/dev/null || true
	[ -z "$pid" ] || wait "$pid" 2>/dev/null || true
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM
n=20000 warm=2000 idle=500
[ -z "${BENCH_SHORT:-}" ] || { n=300 warm=50 idle=20; }

$GO build -o "$dir/milterload" ./test/milterload
cat >"$dir/rmilter.conf" <<CONF
bind_socket = inet:0@127.0.0.1;
control_socket = $dir/control.sock;
dns { nameserver = "127.0.0.1:9"; }
worker "controller" { bind_socket = "127.0.0.1:0"; }
worker "normal" { bind_socket = []; }
data_dir = $dir/data;
log = stderr;
CONF
bin/rmilter -c "$dir/rmilter.conf" 2>"$dir/log" &
pid=$!
addr=
i=0
while [ -z "$addr" ]; do
	addr=$(sed -n 's/.*listening service=milter address=inet:\([0-9]*\)@.*/127.0.0.1:\1/p' "$dir/log")
	i=$((i + 1))
	[ $i -lt 500 ] || { cat "$dir/log" >&2; exit 1; }
	kill -0 $pid 2>/dev/null || { cat "$dir/log" >&2; exit 1; }
	[ -n "$addr" ] || sleep 0.02
done
for c in 1 8 64; do
	echo "== $c connections, one message each"
	"$dir/milterload" -addr "$addr" -c $c -n $n -warmup $warm -pid $pid
done
echo "== 8 connections, 20 messages each"
"$dir/milterload" -addr "$addr" -c 8 -per-conn 20 -n $n -warmup $warm -pid $pid
echo "== $idle idle connections"
"$dir/milterload" -addr "$addr" -idle $idle -pid $pid
