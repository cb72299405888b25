#!/bin/sh
# Runs every fuzzer for FUZZTIME, one after the other. A crasher stays in the
# package's testdata/fuzz and is from then on a case of go test.
set -eu
cd "$(dirname "$0")/.."
GO=${GO:-go}
FUZZTIME=${FUZZTIME:-1m}
grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u | while read -r dir; do
	sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$dir"/*_test.go | sort -u | while read -r name; do
		echo "fuzz $dir $name $FUZZTIME"
		$GO test "$dir" -run '^$' -fuzz "^$name\$" -fuzztime "$FUZZTIME" </dev/null | grep -E '^(ok|FAIL|---|panic|\s+)' | tail -20
	done
done
