#!/bin/sh
# setup.sh WHAT...: installs what is missing for
#   build  the compiler's companions and what makes the package
#   lab    whole nodes on this machine: namespaces, nspawn, a guest kernel
#   check  lints of scripts, licences and alert rules
#   fuzz   the compiler of libFuzzer
#   bench  what the measurements compare with
# Debian's packages by apt-get, cargo's tools by `cargo install`. Starts and
# enables no service on this machine. Nothing missing: says nothing, does nothing.
set -eu
# shellcheck source-path=SCRIPTDIR
. "$(dirname -- "$0")/common.sh"

# The oldest releases that do, or what is installed where there is none.
nextest=0.9.143
deb=3.8.0
deny=0.20.2

packages=
tools=
for what in "$@"; do
	case "$what" in
	build)
		packages="$packages gcc libc6-dev dpkg-dev jq gzip xz-utils binutils
			libcpg-dev libquorum-dev libvotequorum-dev libcmap-dev libcfg-dev"
		tools="$tools cargo-deb:$deb"
		;;
	lab)
		packages="$packages corosync corosync-qdevice corosync-qnetd systemd systemd-container dbus
			iproute2 nftables iputils-ping
			tcpdump wireguard-tools tmux qemu-system-x86 linux-image-amd64 busybox-static kmod
			procps util-linux fence-agents mmdebstrap lintian libfaketime"
		tools="$tools cargo-nextest:$nextest"
		;;
	check)
		packages="$packages shellcheck jq prometheus"
		tools="$tools cargo-deny:$deny"
		;;
	fuzz)
		packages="$packages g++"
		;;
	bench)
		packages="$packages keepalived wireguard-go wireguard-tools"
		;;
	*) die "setup.sh: no such part: $what" ;;
	esac
done

installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=
for package in $packages; do
	installed "$package" || missing="$missing $package"
done
wanted=
for tool in $tools; do
	command -v "${tool%:*}" >/dev/null || wanted="$wanted $tool"
done

# Everything that can be refused is refused before anything is done.
command -v cargo >/dev/null || die "cargo is missing: install Rust first (rustup reads rust-toolchain.toml)"
if [ -n "$missing" ]; then
	command -v apt-get >/dev/null || die "this is set up for Debian; missing here:$missing"
	[ "$(id -u)" = 0 ] || die "must be root once, to install:$missing"
fi
# Only the laboratory itself needs root beyond that.
for what in "$@"; do
	if [ "$what" = lab ] && [ "$(id -u)" != 0 ]; then
		die "must be root: the tests and the demo make network namespaces and boot nodes in them"
	fi
done

if [ -n "$missing" ]; then
	say "installing Debian packages:$missing"
	export DEBIAN_FRONTEND=noninteractive
	# Their services shall neither start now (policy-rc.d) ...
	policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		# Put back in any case, also after an interruption.
		trap 'rm -f "$policy"' EXIT
		trap 'exit 130' INT TERM
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
	fi
	log=$(mktemp)
	# shellcheck disable=SC2086 # a list of words
	if ! { apt-get -q update && apt-get -q -o Dpkg::Use-Pty=0 install -y --no-install-recommends $missing; } >"$log" 2>&1; then
		cat "$log" >&2
		rm -f "$log"
		die "apt-get failed: see above"
	fi
	rm -f "$log"
	# ... nor at the next boot.
	for unit in corosync corosync-qdevice corosync-qnetd keepalived nftables prometheus; do
		case " $missing " in
		*[[:space:]]"$unit"[[:space:]]*) systemctl --quiet disable "$unit.service" 2>/dev/null || true ;;
		esac
	done
fi

for tool in $wanted; do
	say "installing ${tool%:*} ${tool#*:} (compiled here, some minutes)"
	# Tools that run for seconds do not deserve minutes of optimising; packing does.
	case $tool in cargo-deb:*) level=1 ;; *) level=0 ;; esac
	CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=$level CARGO_PROFILE_RELEASE_DEBUG=0 \
		CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_TARGET_DIR="$(target_dir)/tools" \
		cargo install --locked --quiet --version "${tool#*:}" "${tool%:*}"
	rm -rf "$(target_dir)/tools"
done
