#!/bin/sh
# Runs every fuzzer for FUZZTIME, one after the other. A crasher stays in the
# package's testdata/fuzz and is from then on a case of go test.
set -eu
cd "$(dirname "$0")/.."
GO=${GO:-go}
FUZZTIME=${FUZZTIME:-1m}
out=$(mktemp)
trap 'rm -f "$out"' EXIT
n=0
for file in $(grep -rl --include='*_test.go' '^func Fuzz' . | sort); do
	for name in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file"); do
		n=$((n + 1))
		# When the time is over in the middle of a run, go test may call that a failure,
		# without an input: "context deadline exceeded". It is none.
		if ! $GO test "$(dirname "$file")" -run '^$' -fuzz "^$name\$" -fuzztime "$FUZZTIME" </dev/null >"$out" 2>&1 &&
			{ ! grep -q '^ *context deadline exceeded$' "$out" || grep -q 'Failing input' "$out"; }; then
			cat "$out"
			echo "FAIL $file $name"
			exit 1
		fi
		echo "$name: $(grep '^fuzz: elapsed' "$out" | tail -1 | sed 's/^fuzz: //')"
	done
done
[ $n -gt 0 ] || { echo "no fuzzer found" >&2; exit 1; }
echo "$n fuzzers, $FUZZTIME each: no crasher"
