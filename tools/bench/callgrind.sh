#!/usr/bin/env bash
# Counts the instructions of one Add, next to those of lock, append, unlock. Needs valgrind. Two
# runs with different numbers of items are subtracted, so that starting up and closing cancel out.
# Unlike times, the counts hardly differ between runs, so they can be gated on.
#
#   tools/bench/callgrind.sh
#
#   N1, N2   the two numbers of items (200000, 1200000)
#   LIMIT    if set: exit with 1 if an Add takes more instructions
set -euo pipefail
shopt -s inherit_errexit

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
N1=${N1:-200000}
N2=${N2:-1200000}
LIMIT=${LIMIT:-}
command -v valgrind >/dev/null || { echo "callgrind.sh: valgrind is not installed" >&2; exit 2; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
go build -buildvcs=false -o "$tmp/addcost" ./tools/bench/addcost

# instructions IMPL N: those of the whole process. Callgrind cannot follow the runtime's preemption
# signals.
instructions() {
	if ! GOMAXPROCS=1 GOGC=off GODEBUG=asyncpreemptoff=1 \
		valgrind --tool=callgrind --callgrind-out-file="$tmp/profile" \
		"$tmp/addcost" -impl "$1" -n "$2" >"$tmp/log" 2>&1; then
		cat "$tmp/log" >&2
		return 1
	fi
	awk '$1 ~ /^(summary|totals):$/ { total = $2 } END { print total }' "$tmp/profile"
}

# per_item IMPL: instructions per item, with two decimals.
per_item() {
	local few many
	few=$(instructions "$1" "$N1")
	many=$(instructions "$1" "$N2")
	awk -v few="$few" -v many="$many" -v n=$((N2 - N1)) 'BEGIN { printf "%.2f\n", (many - few) / n }'
}

echo "$(go env GOVERSION) $(go env GOARCH), $(valgrind --version), N $N1 and $N2"
lock=$(per_item lock)
printf '%-8s %8s instructions per item\n' lock "$lock"
batcher=$(per_item batcher)
printf '%-8s %8s instructions per item\n' batcher "$batcher"
awk -v b="$batcher" -v l="$lock" 'BEGIN { printf "%-8s %8.2f\n", "ratio", b / l }'
if [ -n "$LIMIT" ]; then
	awk -v b="$batcher" -v limit="$LIMIT" 'BEGIN { exit !(b <= limit) }' ||
		{ echo "callgrind.sh: more than $LIMIT instructions per Add" >&2; exit 1; }
fi
