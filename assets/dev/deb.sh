#!/bin/sh
# deb.sh release|lab: builds the three programs and packs them.
#   release  target/debian/sfha_*_amd64.deb, the one to hand out
#   lab      target/lab-deb/sfha_*_amd64.deb, quick to build, for tests and demo
# Leaves exactly one package there, and does nothing when it is up to date.
set -eu
# shellcheck source-path=SCRIPTDIR
. "$(dirname -- "$0")/common.sh"

profile=${1:?release or lab}
target=$(target_dir)
case "$profile" in
release) out=$target/debian ;;
lab) out=$target/lab-deb ;;
*) die "deb.sh: no such profile: $profile" ;;
esac
bin=$target/$profile
gen=$bin/package

command -v cargo-deb >/dev/null || die "cargo-deb is missing: run 'make setup'"

# Elsewhere an edited Cargo.toml may run ahead of the lock file.
locked=
[ "$profile" = lab ] && [ "${CI:-}" != true ] || locked=--locked

say "programs ($profile)"
# shellcheck disable=SC2086 # empty, or one option
cargo build $locked --profile "$profile" -p sfha-daemon -p sfha-wg -p sfha-tui --bins

# What the package contains besides the programs and the files in git.
mkdir -p "$gen"
./assets/dev/changelog.sh | gzip -9n >"$gen/changelog.Debian.gz.new"
./assets/dev/third-party.sh "$gen/THIRD-PARTY.gz"
./assets/dev/man.sh "$bin/sfha" "$gen/man"
for shell in bash zsh fish; do
	"$bin/sfha" --lang fr completions "$shell" >"$gen/completion.$shell.new"
	[ -s "$gen/completion.$shell.new" ] || die "'sfha completions $shell' prints nothing"
done
# Unchanged files keep their time, for the check below.
find "$gen" -name '*.new' | while read -r new; do
	if cmp -s "$new" "${new%.new}"; then rm "$new"; else mv "$new" "${new%.new}"; fi
done

deb=
for file in "$out"/sfha_*_amd64.deb; do
	[ -e "$file" ] || continue
	if [ -n "$deb" ]; then
		deb=
		break
	fi
	deb=$file
done
if [ -n "$deb" ]; then
	newer=$(find "$bin/sfhad" "$bin/sfha" "$bin/sfha-wg" "$gen" assets README.md CHANGELOG.md \
		sfha-daemon/Cargo.toml Cargo.toml -type f -newer "$deb" -print -quit)
	if [ -z "$newer" ]; then
		say "up to date: ${deb#"$root"/}"
		exit 0
	fi
fi

mkdir -p "$out"
rm -f "$out"/sfha_*.deb
fast=
[ "$profile" = release ] || fast=--fast
# shellcheck disable=SC2086 # each empty, or one option
cargo deb --quiet $locked -p sfha-daemon --profile "$profile" --no-build --no-strip $fast --output "$out/"
say "package: $(cd "$out" && ls -s --block-size=1K sfha_*_amd64.deb)"
