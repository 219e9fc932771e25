#!/bin/sh
# CHANGELOG.md, in the form that Debian wants, on stdout.
set -eu
# shellcheck source-path=SCRIPTDIR
. "$(dirname -- "$0")/common.sh"

version=$(package_version)
awk -v version="$version" '
	# One entry, in lines of Debian'\''s length.
	function flush(   words, n, i, line) {
		if (item == "") return
		n = split(item, words, " ")
		line = "  *"
		for (i = 1; i <= n; i++) {
			if (length(line " " words[i]) > 78) { print line; line = "   " }
			line = line " " words[i]
		}
		print line
		item = ""
	}
	function close_entry() {
		flush()
		if (open) printf "\n -- sfha developers <anhost77@users.noreply.github.com>  %s\n\n", date
		open = 0
	}
	/^## \[/ {
		close_entry()
		name = $2; gsub(/[][]/, "", name)
		day = $NF
		if (name == "Unreleased") { name = version; day = "" }
		if (name in seen) next
		seen[name] = 1
		if (day !~ /^[0-9]+-[0-9]+-[0-9]+$/) day = "2026-01-01"
		("LC_ALL=C date -R -u -d " day) | getline date
		printf "sfha (%s-1) unstable; urgency=medium\n\n", name
		open = 1
		next
	}
	open && /^- / { flush(); item = substr($0, 3); next }
	open && /^  [^ ]/ { item = item " " substr($0, 3) }
	END { close_entry() }
' CHANGELOG.md
