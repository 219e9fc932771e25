#!/bin/sh
# Everything that can be judged without running sfha, quickest first.
set -eu
# shellcheck source-path=SCRIPTDIR
. "$(dirname -- "$0")/common.sh"

say "format"
cargo fmt --all --check

say "scripts"
shellcheck -x .ci/run assets/dev/*.sh assets/debian/postinst assets/debian/prerm assets/debian/postrm tests/src/guest/*.sh

say "alert rules and dashboard"
rules=assets/prometheus/sfha.rules.yml
# What each alert rings for is in a test; one without is found here.
sed -n 's/.*- alert: *//p' "$rules" | while read -r alert; do
	grep -q "alertname: $alert,.*exp_alerts: \[\]" tests/alerts/sfha.rules.test.yml || die "no test of the alert $alert"
done
promtool test rules tests/alerts/sfha.rules.test.yml >/dev/null
checked=$(mktemp)
trap 'rm -f "$checked"' EXIT
# The queries of the dashboard as rules, which promtool reads; Grafana puts a time in place of the variable.
jq '{groups: [{name: "dashboard", rules: [[.panels[].targets[]?.expr | gsub("\\$__rate_interval"; "5m")]
	| to_entries[] | {record: "panel:\(.key)", expr: .value}]}]}' assets/grafana/sfha.json >"$checked"
promtool check rules "$rules" "$checked" >/dev/null

say "rules to be broken"
./assets/dev/mutations.sh check

say "paths of one machine"
# A path that exists on one machine only has no place in a tracked file. What
# tests write to /root is in a node of theirs.
if git grep -nIE '(/home/|/work/|/root/[.])[A-Za-z0-9._]' -- . ':!Cargo.lock' ':!assets/dev/check.sh'; then
	die "the lines above name a folder of one machine"
fi

say "licences and origins"
# Not `advisories`: their database is not to be had everywhere CI runs.
# It reads every crate's manifest, other systems' included; offline, so that a
# registry's silence is not taken for a verdict.
cargo fetch --quiet
cargo deny --offline --log-level error check licenses bans sources

say "dependencies"
# Each one was chosen; why is written down.
sed -n '/^\[workspace.dependencies\]/,/^\[/ s/^\([a-z_-][a-z0-9_-]*\) *=.*/\1/p' Cargo.toml | while read -r crate; do
	# A renamed crate goes by its own name.
	name=$(sed -n "s/^$crate *= .*package = \"\([^\"]*\)\".*/\1/p" Cargo.toml)
	case $crate in sfha-*) continue ;; esac
	grep -qE "[ |]${name:-$crate}[ ,.]" docs/dependencies.md || die "docs/dependencies.md does not say why ${name:-$crate} is there"
done

say "lints"
cargo clippy --workspace --all-targets --quiet -- -D warnings

say "documentation"
# Whoever reads this documentation sees what is private, too.
RUSTDOCFLAGS='-D warnings -A rustdoc::private_intra_doc_links' cargo doc --workspace --no-deps --document-private-items --quiet

say "all checks passed"
