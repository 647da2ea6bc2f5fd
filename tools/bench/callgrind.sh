#!/usr/bin/env bash
# Counts what one item costs: instructions (by callgrind, so it needs valgrind) and objects
# allocated. Two runs with different numbers of items are subtracted, so that starting up and
# closing cancel out. Unlike times, the counts hardly differ between runs; gate.sh holds them
# against a budget.
#
#   tools/bench/callgrind.sh            # all works, a line each: name, instructions, allocations
#   tools/bench/callgrind.sh lock add   # these; addcost -list names them all
#
#   N1, N2   the two numbers of items, for all works (each has its own)
#
# What could make the counts depend on the moment or the machine is switched off: other processors,
# garbage collection, the preemption signals (which callgrind cannot follow either), and the wide
# instructions that the runtime copies and clears memory with where there are any.
set -euo pipefail
shopt -s inherit_errexit

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
command -v valgrind >/dev/null || { echo "callgrind.sh: valgrind is not installed" >&2; exit 2; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
GOFLAGS='' GOEXPERIMENT='' GOAMD64=v1 CGO_ENABLED=0 \
	go build -buildvcs=false -pgo=off -o "$tmp/addcost" ./tools/bench/addcost

# steady COMMAND...: runs COMMAND in the environment in which counts repeat.
steady() {
	env GOMAXPROCS=1 GOGC=off GOMEMLIMIT=off GOTRACEBACK=single \
		GODEBUG=asyncpreemptoff=1,cpu.avx=off,cpu.avx2=off,cpu.erms=off,cpu.fsrm=off "$@"
}

# instructions WORK N: those of the whole process.
instructions() {
	if ! steady valgrind --tool=callgrind --callgrind-out-file="$tmp/profile" \
		"$tmp/addcost" -impl "$1" -n "$2" >"$tmp/log" 2>&1; then
		cat "$tmp/log" >&2
		return 1
	fi
	awk '$1 ~ /^(summary|totals):$/ { total = $2 } END { print total }' "$tmp/profile"
}

# objects WORK N: how many were allocated in the work.
objects() { steady "$tmp/addcost" -mallocs -impl "$1" -n "$2"; }

# per_item DIGITS COUNT WORK FEW MANY: the difference of two counts, per item.
per_item() {
	local few many
	few=$("$2" "$3" "$4")
	many=$("$2" "$3" "$5")
	awk -v few="$few" -v many="$many" -v n=$(($5 - $4)) -v digits="$1" \
		'BEGIN { printf "%.*f\n", digits, (many - few) / n }'
}

list=$("$tmp/addcost" -list)
for name in "$@"; do
	awk -v name="$name" '$1 == name { found = 1 } END { exit !found }' <<<"$list" ||
		{ echo "callgrind.sh: there is no work $name" >&2; exit 2; }
done
echo "# $(go env GOVERSION) $(go env GOARCH), $(valgrind --version)"
printf '%-10s %14s %14s\n' '# work' instructions allocations
while read -r name few many; do
	if [ $# -eq 0 ] || [[ " $* " == *" $name "* ]]; then
		count=$(per_item 2 instructions "$name" "${N1:-$few}" "${N2:-$many}")
		allocs=$(per_item 4 objects "$name" "${N1:-$few}" "${N2:-$many}")
		printf '%-10s %14s %14s\n' "$name" "$count" "$allocs"
	fi
done <<<"$list"
