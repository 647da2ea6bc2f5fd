#!/usr/bin/env bash
# Runs the benchmarks of a package in rounds and compares the implementations in them. Each
# round runs every benchmark once, so that a slow spell of the machine hits all of them and not one.
# The benchmarks name the implementation, as in BenchmarkAdd/producers=8/impl=batcher.
#
#   BENCH=BenchmarkAdd ROUNDS=10 tools/bench/run.sh
#
#   PKG        the package's folder, from the root (.)
#   BENCH      which benchmarks, as for go test -bench (.)
#   ROUNDS     how many rounds; below 10 the p-values say little (10)
#   BENCHTIME  as for go test -benchtime (200ms)
#   BASE       the impl in the first column, which the others are compared with (the first one run)
#   FILTER     benchstat's -filter, such as '/producers:(1 OR 8)' (all)
#   OUT        the file that takes all rounds, from the root (bench.out, which git ignores)
set -euo pipefail
shopt -s inherit_errexit

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PKG=${PKG:-.}
BENCH=${BENCH:-.}
ROUNDS=${ROUNDS:-10}
BENCHTIME=${BENCHTIME:-200ms}
BASE=${BASE:-}
FILTER=${FILTER:-*}
OUT=${OUT:-bench.out}
benchstat=golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

header() {
	local commit cpu
	commit=$(git describe --always --dirty 2>/dev/null || echo unknown)
	cpu=$(sed -n '/^model name/{s/^[^:]*: //p;q}' /proc/cpuinfo 2>/dev/null || echo unknown)
	echo "date: $(date -u +%Y-%m-%dT%H:%MZ)"
	echo "commit: $commit"
	echo "go: $(go env GOVERSION)"
	echo "cpu: $cpu"
	echo "gomaxprocs: ${GOMAXPROCS:-$(getconf _NPROCESSORS_ONLN)}"
	echo "benchtime: $BENCHTIME"
	echo "package: $PKG"
}

# columns prints benchstat's -col: the impls, the baseline first.
columns() {
	local impls
	if [ -z "$BASE" ]; then
		echo /impl
		return
	fi
	impls=$(sed -nE 's#^Benchmark[^[:space:]]*/impl=([^/[:space:]]+).*#\1#p' "$OUT" |
		sed -E 's/-[0-9]+$//' | awk -v base="$BASE" '$0 != base && !seen[$0]++ { printf " \"%s\"", $0 }')
	echo "/impl@(\"$BASE\"$impls)"
}

go test -c -o "$tmp/bench.test" "./$PKG"
header >"$OUT"
for ((round = 1; round <= ROUNDS; round++)); do
	echo "round $round of $ROUNDS" >&2
	(cd "$PKG" && "$tmp/bench.test" -test.run '^$' -test.bench "$BENCH" -test.benchtime "$BENCHTIME" \
		-test.count 1 -test.benchmem -test.timeout 0) >>"$OUT"
done
echo "all rounds are in $OUT" >&2
go run "$benchstat" -filter "$FILTER" -col "$(columns)" "$OUT"
