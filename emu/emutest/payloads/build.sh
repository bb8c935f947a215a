#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause

# Builds the payloads from src/ into x64/ and aa64/. With --check it builds
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

# A driver stays in memory when its entry point has returned, an application
# does not: the subsystem of the image says which it is.
subsystem() {
	case $1 in
	driver) echo efi_boot_service_driver ;;
	*) echo efi_application ;;
	esac
}

# one TARGET SOURCE OUTPUT
one() {
	target=$1 source=$2 output=$3 flags=
	case $target in x86_64-*) flags="-mno-red-zone" ;; esac
	"$clang" --target="$target" $flags -std=c11 -Os -Wall -Wextra -Werror \
		-ffreestanding -fno-builtin -fno-stack-protector -mgeneral-regs-only \
		-fno-unwind-tables -fno-asynchronous-unwind-tables -ffunction-sections \
		-Wno-unused-command-line-argument -nostdlib -fuse-ld=lld \
		-Wl,-subsystem:"$(subsystem "$(basename "$source" .c)")" \
		-Wl,-entry:efi_main -Wl,-nodefaultlib -Wl,-timestamp:0 -Wl,-opt:ref \
		-o "$output" "$source"
	chmod 644 "$output"
}

# all FOLDER
all() {
	mkdir -p "$1/x64" "$1/aa64"
	for source in src/*.c; do
		name=$(basename "$source" .c)
		one x86_64-unknown-windows "$source" "$1/x64/$name.efi"
		one aarch64-unknown-windows "$source" "$1/aa64/$name.efi"
	done
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
	for arch in x64 aa64; do
		for file in "$scratch/$arch"/*.efi "$arch"/*.efi; do
			name=$arch/$(basename "$file")
			if ! cmp -s "$scratch/$name" "$name"; then
				echo "build: $name is not what src/ builds; run $(pwd)/build.sh and commit the result" >&2
				bad=1
			fi
		done
	done
	exit $bad
	;;
*)
	echo "usage: build [--check]" >&2
	exit 2
	;;
esac
