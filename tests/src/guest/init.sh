#!/bin/busybox sh
# shellcheck shell=dash
# The guest's first program, in the kernel's first file system: the disk, which
# is not to be written to, under a layer in memory, and on to the program there.
set -e
b=/bin/busybox
trap '$b echo "the guest does not start"; $b poweroff -f' EXIT
$b mount -t proc proc /proc
for module in /modules/*; do
	$b insmod "$module"
done
# `loose`: nobody else writes to what it reads.
$b mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose disk /disk
$b mount -t tmpfs -o size=75% memory /memory
$b mkdir /memory/upper /memory/work
$b mount -t overlay -o lowerdir=/disk,upperdir=/memory/upper,workdir=/memory/work overlay /root
$b umount /proc
trap - EXIT
exec $b switch_root /root /sfha-guest/boot
