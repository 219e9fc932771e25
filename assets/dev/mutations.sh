#!/bin/sh
# mutations.sh SEEDS [NAME...]: whether the simulation bites. With
# tests/sim/mutations.patch applied, to a copy, SFHA_MUTATION breaks one rule of
# the core at a time: the simulation must find a seed that fails within so many.
# With `check` in place of SEEDS: only whether the patch still applies.
set -eu
# shellcheck source-path=SCRIPTDIR
. "$(dirname -- "$0")/common.sh"

seeds=${1:?how many seeds, or check}
shift
patch=tests/sim/mutations.patch
if [ "$seeds" = check ]; then
	git apply --check "$patch" || die "the core has changed: make $patch anew"
	exit
fi
names=$*
[ -n "$names" ] || names=$(sed -n 's/^+.*mutated("\([a-z-]*\)").*/\1/p' "$patch")

# A target folder of its own: cargo takes the copy's crates for the original's.
work=$(target_dir)/mutations
CARGO_TARGET_DIR=$work/target
export CARGO_TARGET_DIR
rm -rf "$work/tree"
mkdir -p "$work/tree"
git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- -cf - | tar -xmf - -C "$work/tree"
cd "$work/tree"
patch -s -p1 <"$patch"

simulate() {
	cargo nextest run --profile soak --fail-fast --cargo-profile lab -p sfha-sim --test simulation "$@"
}

say "the simulation, with rules that can be broken"
cargo nextest run --cargo-quiet --cargo-profile lab -p sfha-sim --no-run
survivors=
for name in $names; do
	log=$work/$name.log
	caught=
	# First the seed that caught it last.
	known=$(sed -n "s/^$name \([0-9]*\) \([a-z_]*\)$/\1 \2/p" "$patch")
	if [ -n "$known" ]; then
		SFHA_MUTATION=$name SFHA_SIM_SEED=${known% *} simulate -E "test(=${known#* })" >"$log" 2>&1 || caught=1
	fi
	for some in $((seeds / 10)) "$seeds"; do
		[ -z "$caught" ] || break
		SFHA_MUTATION=$name SFHA_SIM_SEEDS=$some simulate >"$log" 2>&1 || caught=1
	done
	if [ -z "$caught" ]; then
		survivors="$survivors $name"
		say "$name: not caught by $seeds seeds"
		continue
	fi
	# Not by a crash.
	grep -q '^ *seed [0-9]*: ' "$log" || die "$name fails, and not by a check of the simulation: $log"
	say "$name"
	sed -n -e 's/^ *\(seed [0-9]*: .*\)/   \1/p' -e 's/^ *again: .* \([a-z_]*\)$/   \1/p' "$log" | cut -c1-200 | head -n 2
done
[ -z "$survivors" ] || die "the simulation is too weak for:$survivors"
