#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause

# Builds the jobs from src/ into x64.elf and aa64.elf. With --check it builds
# into a temporary folder and compares, byte for byte, with what is committed.
# The bytes depend on the compiler: Debian 12's clang 14 and lld 14
# (apt-get install clang-14 lld-14). CLANG names another clang.

set -eu
cd "$(dirname "$0")"

clang=${CLANG:-$(command -v clang-14 || command -v clang || true)}
if [ -z "$clang" ]; then
	echo "build: no clang here; on Debian 12: apt-get install clang-14 lld-14" >&2
	exit 1
fi
if ! "$clang" --version | grep -q 'clang version 14\.'; then
	echo "build: $clang is not clang 14: $("$clang" --version | head -n 1)" >&2
	exit 1
fi

# one TARGET OUTPUT FLAGS...
one() {
	target=$1 output=$2
	shift 2
	"$clang" --target="$target" "$@" -std=c11 -O2 -Wall -Wextra -Werror \
		-ffreestanding -fno-builtin -fno-stack-protector -fno-pic -static -nostdlib \
		-fno-unwind-tables -fno-asynchronous-unwind-tables \
		-Wno-unused-command-line-argument -fuse-ld=lld \
		-Wl,--image-base=0x1000000 -Wl,--build-id=none -Wl,-z,norelro -Wl,--strip-debug \
		-o "$output" src/*.c
	chmod 644 "$output"
}

# all FOLDER
all() {
	one x86_64-linux-gnu "$1/x64.elf" -mno-red-zone
	one aarch64-linux-gnu "$1/aa64.elf"
}

case ${1-} in
'')
	all .
	;;
--check)
	scratch=$(mktemp -d)
	trap 'rm -rf "$scratch"' EXIT
	all "$scratch"
	bad=0
	for name in x64.elf aa64.elf; do
		if ! cmp -s "$scratch/$name" "$name"; then
			echo "build: $name is not what src/ builds; run $(pwd)/build.sh and commit the result" >&2
			bad=1
		fi
	done
	exit $bad
	;;
*)
	echo "usage: build [--check]" >&2
	exit 2
	;;
esac
