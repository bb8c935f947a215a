#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause

# Builds the resident code from src/ into x64.bin and aa64.bin. With --check
# it builds into a temporary folder and compares, byte for byte, with what is
# committed. The bytes depend on the compiler: Debian 12's clang 14 and lld 14
# (apt-get install clang-14 lld-14). CLANG and LLD name others.

set -eu
export LC_ALL=C
cd "$(dirname "$0")"

clang=${CLANG:-$(command -v clang-14 || command -v clang || true)}
lld=${LLD:-$(command -v ld.lld-14 || command -v ld.lld || true)}
if [ -z "$clang" ] || [ -z "$lld" ]; then
	echo "build.sh: no clang or no lld here; on Debian 12: apt-get install clang-14 lld-14" >&2
	exit 1
fi
if ! "$clang" --version | grep -q 'clang version 14\.'; then
	echo "build.sh: $clang is not clang 14: $("$clang" --version | head -n 1)" >&2
	exit 1
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# one ARCH OUTPUT FLAGS...
one() {
	arch=$1 output=$2
	shift 2
	for source in header.S resident.c variables.c virtual.c; do
		"$clang" "$@" -Os -Wall -Wextra -Werror -Wno-unused-command-line-argument \
			-ffreestanding -fno-builtin -fno-stack-protector -mgeneral-regs-only \
			-fpic -fvisibility=hidden -fomit-frame-pointer -fno-unroll-loops \
			-fno-unwind-tables -fno-asynchronous-unwind-tables \
			-c -o "$scratch/$arch-$source.o" "src/$source"
	done
	for base in 0 0x12345000; do
		"$lld" -static -T src/blob.ld --defsym=base=$base --orphan-handling=error --oformat=binary \
			-o "$scratch/$arch-$base" "$scratch/$arch-"*.o
	done
	# Bytes that depend on the address would need a relocation.
	if ! cmp -s "$scratch/$arch-0" "$scratch/$arch-0x12345000"; then
		echo "build.sh: the resident code for $arch depends on its address" >&2
		exit 1
	fi
	cp "$scratch/$arch-0" "$output"
	chmod 644 "$output"
}

# all FOLDER
all() {
	one x64 "$1/x64.bin" --target=x86_64-unknown-none-elf -mno-red-zone -fcf-protection=branch
	one aa64 "$1/aa64.bin" --target=aarch64-unknown-none-elf -mbranch-protection=bti -ffixed-x18
}

case ${1-} in
'')
	all .
	;;
--check)
	mkdir "$scratch/out"
	all "$scratch/out"
	bad=0
	for name in x64.bin aa64.bin; do
		if ! cmp -s "$scratch/out/$name" "$name"; then
			echo "build.sh: $name is not what src/ builds; run $(pwd)/build.sh and commit the result" >&2
			bad=1
		fi
	done
	exit $bad
	;;
*)
	echo "usage: build.sh [--check]" >&2
	exit 2
	;;
esac
