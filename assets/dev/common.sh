# shellcheck shell=sh
# Sourced by the scripts beside it.

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
cd "$root" || exit

say() {
	printf '== %s\n' "$*"
}

die() {
	printf 'sfha: %s\n' "$*" >&2
	exit 1
}

# Where cargo puts its results, whatever was configured.
target_dir() {
	if [ -n "${CARGO_TARGET_DIR:-}" ]; then
		case "$CARGO_TARGET_DIR" in
		/*) printf '%s\n' "$CARGO_TARGET_DIR" ;;
		*) printf '%s\n' "$root/$CARGO_TARGET_DIR" ;;
		esac
	else
		printf '%s\n' "$root/target"
	fi
}

package_version() {
	sed -n '/^\[workspace.package\]/,/^\[/ s/^version = "\(.*\)"/\1/p' Cargo.toml
}
