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

# One at a time; a test that reads the package meets the old one or the new one.
mkdir -p "$out"
exec 9>"$out/.lock"
flock 9

# Elsewhere an edited Cargo.toml may run ahead of the lock file.
locked=
[ "$profile" = lab ] && [ "${CI:-}" != true ] || locked=--locked

say "programs ($profile)"
# shellcheck disable=SC2086 # empty, or one option
cargo build $locked --profile "$profile" -p sfha-daemon -p sfha-wg -p sfha-tui --bins

# cargo leaves the symbols in a program whose own crate is compiled otherwise than the rest.
strip --strip-all "$bin/sfha-wg"

# What the package contains besides the programs and the files in git.
mkdir -p "$gen"
./assets/dev/changelog.sh | gzip -9n >"$gen/changelog.Debian.gz.new"
./assets/dev/third-party.sh "$gen/THIRD-PARTY.gz"
./assets/dev/man.sh "$bin/sfha" "$gen/man"
for shell in bash zsh fish; do
	"$bin/sfha" --lang fr completions "$shell" >"$gen/completion.$shell.new"
	[ -s "$gen/completion.$shell.new" ] || die "'sfha completions $shell' prints nothing"
done
find "$gen" -name '*.new' | while read -r new; do mv "$new" "${new%.new}"; done

# What went in, by content: cargo gives a program back its old time when it
# switches between two states of the sources.
inputs=$(find "$bin/sfhad" "$bin/sfha" "$bin/sfha-wg" "$gen" assets README.md README.en.md CHANGELOG.md \
	sfha-daemon/Cargo.toml Cargo.toml -type f -exec md5sum {} + | sort -k 2 | md5sum)
count=$(find "$out" -name 'sfha_*_amd64.deb' 2>/dev/null | wc -l)
if [ "$count" = 1 ] && [ "$inputs" = "$(cat "$out/.inputs" 2>/dev/null)" ]; then
	say "up to date: $(cd "$out" && ls sfha_*_amd64.deb)"
	exit 0
fi

rm -rf "$out/.new" "$out/.inputs"
fast=
[ "$profile" = release ] || fast=--fast
mkdir "$out/.new"
# shellcheck disable=SC2086 # each empty, or one option
cargo deb --quiet $locked -p sfha-daemon --profile "$profile" --no-build --no-strip $fast --output "$out/.new/"
# liblzma's filter for x86 machine code before its strongest compression: cargo-deb has neither, and dpkg reads both.
# A dictionary larger than what is packed would only cost memory where it is installed.
if [ "$profile" = release ]; then
	deb=$(find "$out/.new" -name 'sfha_*.deb')
	(
		cd "$out/.new"
		ar x "$deb" debian-binary control.tar.xz data.tar.xz
		xz --decompress data.tar.xz
		xz --format=xz --check=crc64 --x86 --lzma2=preset=9e,dict=32MiB data.tar
		rm "$deb"
		ar rcD "$deb" debian-binary control.tar.xz data.tar.xz
		rm debian-binary control.tar.xz data.tar.xz
	)
	limit=$((6 * 1024 * 1024))
	[ "$(stat -c %s "$deb")" -lt $limit ] || die "the package is larger than $limit bytes"
fi
for old in "$out"/sfha_*.deb; do
	[ -e "$out/.new/${old##*/}" ] || rm -f "$old"
done
mv -f "$out"/.new/sfha_*.deb "$out/"
rmdir "$out/.new"
echo "$inputs" >"$out/.inputs"
say "package: $(cd "$out" && ls -s --block-size=1K sfha_*_amd64.deb)"
