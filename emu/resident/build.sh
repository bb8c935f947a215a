#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause

# Builds the code of this folder from src/ and testdata/src/ into x64.bin,
# aa64.bin and their like. With --check it builds into a temporary folder and
# compares, byte for byte, with what is committed. The bytes depend on the compiler: Debian 12's clang 14 and lld 14
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

# compile OBJECT SOURCE FLAGS...
compile() {
	object=$1 source=$2
	shift 2
	"$clang" -Wall -Wextra -Werror -Wno-unused-command-line-argument \
		-ffreestanding -fno-builtin -fno-stack-protector \
		-fpic -fvisibility=hidden -fomit-frame-pointer -fno-unroll-loops \
		-fno-unwind-tables -fno-asynchronous-unwind-tables \
		"$@" -c -o "$object" "src/$source"
}

# link OUTPUT OBJECTS...
link() {
	output=$1
	shift
	for base in 0 0x12345000; do
		"$lld" -static -T src/blob.ld --defsym=base=$base --orphan-handling=error --oformat=binary \
			-o "$scratch/at-$base" "$@"
	done
	# Bytes that depend on the address would need a relocation.
	if ! cmp -s "$scratch/at-0" "$scratch/at-0x12345000"; then
		echo "build.sh: $output depends on its address" >&2
		exit 1
	fi
	cp "$scratch/at-0" "$output"
	chmod 644 "$output"
}

# services OUTPUT FLAGS...
services() {
	output=$1
	shift
	for source in header.S resident.c variables.c virtual.c; do
		compile "$scratch/$source.o" "$source" -Os -mgeneral-regs-only "$@"
	done
	link "$output" "$scratch/header.S.o" "$scratch/resident.c.o" "$scratch/variables.c.o" "$scratch/virtual.c.o"
}

# trampoline ARCH FOLDER MORE-OBJECTS FLAGS...
trampoline() {
	arch=$1 folder=$2 more=$3
	shift 3
	compile "$scratch/trampoline.S.o" "trampoline-$arch.S" "$@"
	compile "$scratch/trampoline.c.o" trampoline.c -Os -mgeneral-regs-only "$@"
	compile "$scratch/sha256.c.o" sha256.c -O2 -mgeneral-regs-only "$@"
	# shellcheck disable=SC2086 # there may be none
	link "$folder/trampoline-$arch.bin" "$scratch/trampoline.S.o" "$scratch/trampoline.c.o" "$scratch/sha256.c.o" $more
	for name in stub payload; do
		compile "$scratch/$name.o" "../testdata/src/$name-$arch.S" "$@"
		link "$folder/testdata/$name-$arch.bin" "$scratch/$name.o"
	done
}

# all FOLDER
all() {
	x64='--target=x86_64-unknown-none-elf -mno-red-zone'
	aa64='--target=aarch64-unknown-none-elf -ffixed-x18'
	# shellcheck disable=SC2086 # these are lists
	{
		services "$1/x64.bin" $x64 -fcf-protection=branch
		services "$1/aa64.bin" $aa64 -mbranch-protection=bti

		compile "$scratch/sha256-x64.c.o" sha256-x64.c $x64 -O2 -msse4.1 -msha
		trampoline x64 "$1" "$scratch/sha256-x64.c.o" $x64
		trampoline aa64 "$1" '' $aa64 -mstrict-align
	}
}

case ${1-} in
'')
	all .
	;;
--check)
	mkdir -p "$scratch/out/testdata"
	all "$scratch/out"
	bad=0
	for name in x64.bin aa64.bin trampoline-x64.bin trampoline-aa64.bin testdata/*.bin; do
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
