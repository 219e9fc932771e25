#!/bin/sh
# third-party.sh FILE.gz: the crates inside the package, with their licences and
# the texts these ask to be passed on. Needs only what cargo has downloaded.
set -eu
# shellcheck source-path=SCRIPTDIR
. "$(dirname -- "$0")/common.sh"

file=${1:?file to write}
[ -z "$(find "$file" -newer Cargo.lock 2>/dev/null)" ] || exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cargo tree -p sfha-daemon -p sfha-wg -p sfha-tui --edges normal --target x86_64-unknown-linux-gnu \
	--prefix none --format '{p}' | awk '$3 !~ /^\(/ { print $1, substr($2, 2) }' | sort -u >"$work/used"
cargo metadata --format-version 1 --filter-platform x86_64-unknown-linux-gnu |
	jq -r '.packages[] | select(.source) | [.name + " " + .version, .license // "see its text", .manifest_path] | @tsv' |
	sort -u >"$work/known"

mkdir "$work/text" "$work/who"
{
	echo "sfha contains these Rust crates, linked statically. Their sources are on"
	echo "crates.io under the same name and version, unchanged. sfha's own sources and"
	echo "Cargo.lock are all it takes to link it again with a changed copy of one."
	echo
	while IFS='	' read -r crate licence manifest; do
		grep -qxF "$crate" "$work/used" || continue
		printf '%-44s %s\n' "$crate" "$licence"
		for text in "${manifest%/*}"/[Ll][Ii][Cc][Ee][Nn][CcSs][Ee]* "${manifest%/*}"/COPYING* "${manifest%/*}"/NOTICE*; do
			[ -f "$text" ] || continue
			sum=$(md5sum <"$text" | cut -d' ' -f1)
			[ -e "$work/text/$sum" ] || cp "$text" "$work/text/$sum"
			echo "$crate" >>"$work/who/$sum"
		done
	done <"$work/known"
	for who in "$work"/who/*; do
		printf '\n%s\n' "------------------------------------------------------------------------"
		sort -u "$who" | paste -sd, | sed 's/,/, /g' | fold -s -w 72
		printf '%s\n\n' "------------------------------------------------------------------------"
		cat "$work/text/${who##*/}"
	done
} >"$work/all"
gzip -9n "$work/all"
mv "$work/all.gz" "$file"
