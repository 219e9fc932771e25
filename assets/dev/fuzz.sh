#!/bin/sh
# fuzz.sh SECONDS [TARGET...]: every parser of what strangers can send or write,
# under libFuzzer, for so many seconds each, two at a time. A finding fails and
# is kept in target/fuzz/found/; the program named there repeats it. With
# FUZZ_SEED the inputs are the same each time, as far as the seconds go.
set -eu
# shellcheck source-path=SCRIPTDIR
. "$(dirname -- "$0")/common.sh"

seconds=${1:?seconds for each target}
shift
[ $# -gt 0 ] || set -- token files mesh-api probe uapi socket events keepalived
fuzz=$(target_dir)/fuzz
mkdir -p "$fuzz/found"

# Coverage for libFuzzer, by options that a stable compiler has. A folder of its
# own: with other options everything is compiled anew.
say "fuzz targets"
RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions -Coverflow-checks --cfg fuzzing" \
	CARGO_TARGET_DIR="$fuzz" cargo build --quiet --locked --profile lab -p sfha-fuzz \
	--target x86_64-unknown-linux-gnu

one() {
	mkdir -p "$fuzz/corpus/$1"
	log=$fuzz/$1.log
	if "$fuzz/x86_64-unknown-linux-gnu/lab/fuzz-$1" "$fuzz/corpus/$1" "tests/fuzz/seeds/$1" \
		-seed="${FUZZ_SEED:-0}" -max_total_time="$seconds" -max_len=16384 -timeout=10 -rss_limit_mb=1024 \
		-artifact_prefix="$fuzz/found/$1-" -print_final_stats=1 >"$log" 2>&1; then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
		covered=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
		say "$1: ${runs:-no} inputs, ${covered:-no} edges, nothing found"
		# Less is a target that does not run at all.
		[ "${runs:-0}" -gt 1000 ]
	else
		tail -n 40 "$log" >&2
		say "$1: an input that must not do that; see above"
		return 1
	fi
}

status=0
while [ $# -gt 0 ]; do
	one "$1" &
	first=$!
	if [ $# -gt 1 ]; then
		one "$2" || status=1
		shift
	fi
	shift
	wait "$first" || status=1
done
exit $status
