#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause

# Runs the payloads that are tests on real firmware, OVMF or AAVMF in QEMU,
# because a test must be right before it judges our copy of UEFI. Needs
# Debian's qemu-system-x86 (qemu-system-arm), ovmf (qemu-efi-aarch64) and mtools.
#
# usage: prove [x64|aa64] [NAME [LOADOPTIONS]]...   an argument is one line of
# the UEFI shell; with none, all tests run. READONLY=1 makes the volume
# read-only. The console is printed; the exit code is 1 if a test has failed.

set -eu
cd "$(dirname "$0")"

arch=x64
case ${1-} in x64 | aa64) arch=$1 && shift ;; esac
[ $# -gt 0 ] || set -- 'exit 0' 'exit -2' 'return 0' 'return -3' \
	events memory protocols random files vars image

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Each payload runs by itself, and the shell prints the status it ended with.
{
	echo 'echo -off'
	echo 'fs0:'
	for line; do
		echo "echo RUN $line"
		echo "${line%% *}.efi${line#"${line%% *}"}"
		echo "echo END ${line%% *} %lasterror%"
	done
	echo 'reset -s'
} | sed 's/$/\r/' >"$scratch/startup.nsh"

truncate -s 64M "$scratch/disk"
mformat -i "$scratch/disk" -F ::
mcopy -i "$scratch/disk" -s volume/* ::
mcopy -i "$scratch/disk" "$arch"/*.efi "$scratch/startup.nsh" ::

drive="file=$scratch/disk,format=raw,if=none,id=d,readonly=${READONLY:+on}"
[ -n "${READONLY-}" ] || drive=${drive%,readonly=}
case $arch in
x64)
	cp /usr/share/OVMF/OVMF_VARS_4M.fd "$scratch/vars"
	set -- qemu-system-x86_64 -machine q35 -cpu max,la57=off,cx16=off -device isa-debug-exit,iobase=0xf4,iosize=4 \
		-drive if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd
	;;
aa64)
	cp /usr/share/AAVMF/AAVMF_VARS.fd "$scratch/vars"
	set -- qemu-system-aarch64 -machine virt -cpu cortex-a57 \
		-drive if=pflash,format=raw,readonly=on,file=/usr/share/AAVMF/AAVMF_CODE.fd
	;;
esac
timeout "${TIMEOUT:-240}" "$@" -drive if=pflash,format=raw,file="$scratch/vars" -accel tcg -m 512 -net none \
	-drive "$drive" -device virtio-blk-pci,drive=d -device virtio-rng-pci \
	-display none -no-reboot -serial stdio </dev/null >"$scratch/log" 2>&1 || true
tr -d '\r' <"$scratch/log" | sed 's/\x1b\[[0-9;=?]*[A-Za-z]//g' | sed -n '/^RUN/,$p' >"$scratch/text"
cat "$scratch/text"
grep -q '^END' "$scratch/text" && ! grep -q '^FAIL' "$scratch/text"
