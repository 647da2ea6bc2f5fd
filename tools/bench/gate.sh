#!/usr/bin/env bash
# Fails if a work takes more instructions, or allocates more, than tools/bench/budget.txt grants it,
# and names what takes less by so much that its budget can be lowered. Takes 15 seconds. Times
# are not looked at: they say nothing on a busy machine, while these counts repeat to a percent.
#
#   tools/bench/gate.sh             # compare
#   tools/bench/gate.sh -update     # measure and write budget.txt anew; say why in the commit
#
# The margin is 3 %, and for allocations another half of a thousandth per item. What is over the
# budget is measured twice more, and the lowest counts stand.
#
# The counts depend on the compiler and the architecture. With another minor version of Go, or
# another GOARCH, than those at the head of the budget the comparison is printed but fails nothing.
# Exit status: 0 all within the budget, or not comparable; 1 over it; 2 could not be measured.
set -euo pipefail
shopt -s inherit_errexit

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
BUDGET=${BUDGET:-tools/bench/budget.txt}
version=$(go env GOVERSION) # go1.26.8
minor=$(sed -E 's/^(go[0-9]+\.[0-9]+).*/\1/' <<<"$version")
arch=$(go env GOARCH)
die() { echo "gate.sh: $*" >&2; exit 2; }
command -v valgrind >/dev/null || die "valgrind is not installed: nothing was measured"

# measure WORK...: the lines of callgrind.sh, all works if none is named.
measure() { tools/bench/callgrind.sh "$@" || die "cannot measure"; }

update() {
	local table
	table=$(measure)
	{
		sed '/^go /,$d' "$BUDGET"
		echo "go $minor"
		echo "goarch $arch"
		echo
		echo "$table"
	} >"$tmp/budget"
	cp "$tmp/budget" "$BUDGET"
	cat "$BUDGET"
}

# header KEY: its value in the budget file.
header() { awk -v key="$1" '$1 == key { print $2 }' "$BUDGET"; }

# compare: prints a line for each work, from $tmp/measured; exits with 1 if one is over.
compare() {
	awk -v budget="$BUDGET" '
		BEGIN {
			while ((getline line < budget) > 0) {
				split(line, f, " ")
				if (f[1] ~ /^[a-z]/ && f[1] !~ /^go/) { granted[f[1]] = f[2]; allowed[f[1]] = f[3] }
			}
			printf "%-10s %12s %10s %8s %12s %10s\n", "work", "instructions", "budget", "", "allocations", "budget"
		}
		/^#/ { next }
		!($1 in granted) { printf "%-10s %12s: not in the budget\n", $1, $2; bad = 1; next }
		{
			change = ($2 / granted[$1] - 1) * 100
			note = ""
			if (change > 3) { note = note "  MORE INSTRUCTIONS"; bad = 1 }
			if ($3 > allowed[$1] * 1.03 + 0.0005) { note = note "  MORE ALLOCATIONS"; bad = 1 }
			if (change < -3) note = note "  less: lower the budget"
			if ($3 < allowed[$1] * 0.97 - 0.0005) note = note "  fewer allocations: lower the budget"
			printf "%-10s %12s %10s %+7.1f%% %12s %10s%s\n", $1, $2, granted[$1], change, $3, allowed[$1], note
			seen[$1] = 1
		}
		END {
			for (name in granted) if (!(name in seen)) { print name ": in the budget, but was not measured"; bad = 1 }
			exit bad
		}' "$tmp/measured"
}

# remeasure: the works that are over the budget once more; the lower counts stand.
remeasure() {
	local over
	mapfile -t over < <(awk '/MORE/ { print $1 }' "$tmp/report")
	[ "${#over[@]}" -gt 0 ] || return 0
	echo "over the budget, measured again: ${over[*]}"
	measure "${over[@]}" >"$tmp/again"
	awk '/^#/ { next }
		FNR == NR { count[$1] = $2; allocs[$1] = $3; next }
		$1 in count { if (count[$1] < $2) $2 = count[$1]; if (allocs[$1] < $3) $3 = allocs[$1] }
		{ print }' "$tmp/again" "$tmp/measured" >"$tmp/lower"
	mv "$tmp/lower" "$tmp/measured"
}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
case "${1:-}" in
-update) update; exit ;;
?*) die "unknown argument $1" ;;
esac
measure >"$tmp/measured"
grep '^#' "$tmp/measured" | head -n 1
ok=true
compare >"$tmp/report" || ok=false
if [ "$minor $arch" = "$(header go) $(header goarch)" ]; then
	for _ in 1 2; do
		if ! $ok; then
			remeasure
			ok=true
			compare >"$tmp/report" || ok=false
		fi
	done
	cat "$tmp/report"
	$ok || { echo "gate.sh: over the budget of $BUDGET, see above" >&2; exit 1; }
else
	cat "$tmp/report"
	echo "This is $minor $arch, the budget is for $(header go) $(header goarch): for information only."
fi
