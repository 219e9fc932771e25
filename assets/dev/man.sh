#!/bin/sh
# man.sh SFHA FOLDER: the man pages, gzipped, below FOLDER. The part on commands
# is what the program itself says of them, so that it cannot be out of date.
set -eu
# shellcheck source-path=SCRIPTDIR
. "$(dirname -- "$0")/common.sh"

sfha=${1:?the program sfha}
folder=${2:?folder to write to}
version=$(package_version)
date=$(LC_ALL=C git log -1 --format=%as -- assets/man 2>/dev/null || true)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# help LANG COMMAND...: one section for a command, then those below it. A help
# text lists commands after the first heading that ends on "s:", until a blank line.
help() (
	lang=$1
	shift
	text=$(COLUMNS=76 "$sfha" --lang "$lang" "$@" --help)
	if [ $# -gt 0 ]; then printf '.SS sfha %s\n' "$*"; fi
	printf '.EX\n'
	# The options that all commands share are printed once, at the top.
	printf '%s\n' "$text" |
		if [ $# -gt 0 ]; then awk '/^(Options communes|Common options).*:$/ { hidden = 1 } /^$/ { hidden = 0 } !hidden'; else cat; fi |
		cat -s | sed -e '/./,$!d' -e 's/\\/\\e/g' -e 's/-/\\-/g' -e "s/^\([.']\)/\\\\\&\1/"
	printf '.EE\n'
	printf '%s\n' "$text" | awk '/^(Commandes|Commands).*:$/ { on = 1; next } /^$/ { on = 0 } on && /^  [a-z]/ { print $1 }' |
		while read -r name; do
			case $name in help | version) continue ;; esac
			help "$lang" "$@" "$name"
		done
)

for lang in en fr; do
	help "$lang" >"$work/commands"
	grep -q '^\.SS sfha mesh token' "$work/commands" || die "man.sh no longer understands 'sfha --help' ($lang)"
	for page in assets/man/"$lang"/*; do
		name=${page##*/}
		section=man${name##*.}
		mkdir -p "$folder/$lang/$section"
		sed -e "/^@COMMANDS@\$/{
				r $work/commands
				d
			}" -e "s/@VERSION@/$version/" -e "s/@DATE@/$date/" "$page" |
			gzip -9n >"$folder/$lang/$section/$name.gz.new"
	done
done
