#!/bin/sh
# Runs every fuzzer for FUZZTIME, one after the other. A crasher stays in the
# package's testdata/fuzz and is from then on a case of go test.
set -eu
cd "$(dirname "$0")/.."
GO=${GO:-go}
FUZZTIME=${FUZZTIME:-1m}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
out=$tmp/out
cache=$($GO env GOCACHE)/fuzz
n=0
# The program of a package is built once for all of its fuzzers.
for dir in $(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do
	$GO test -c -fuzz . -o "$tmp/fuzz.test" "$dir"
	for name in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$dir"/*_test.go | sort -u); do
		n=$((n + 1))
		# When the time is over in the middle of a run, it may be called a failure, without
		# an input: "context deadline exceeded". It is none.
		if ! (cd "$dir" && exec "$tmp/fuzz.test" -test.run '^$' -test.fuzz "^$name\$" -test.fuzztime "$FUZZTIME" \
			-test.fuzzcachedir "$cache/$dir") </dev/null >"$out" 2>&1 &&
			{ ! grep -q '^ *context deadline exceeded$' "$out" || grep -q 'Failing input' "$out"; }; then
			cat "$out"
			echo "FAIL $dir $name"
			exit 1
		fi
		echo "$name: $(grep '^fuzz: elapsed' "$out" | tail -1 | sed 's/^fuzz: //')"
	done
done
[ $n -gt 0 ] || { echo "no fuzzer found" >&2; exit 1; }
echo "$n fuzzers, $FUZZTIME each: no crasher"
