#!/bin/sh
# Compiles the programs that look up again and fails if what is committed differs.
#
# Needs clang-14, llvm-strip-14 and libbpf's headers; where CI=true is not set
# and they are missing, there is nothing to check.
set -eu
cd "$(dirname "$0")/.."

if ! command -v clang-14 >/dev/null || ! command -v llvm-strip-14 >/dev/null; then
	echo "bpf/check.sh: clang-14 or llvm-strip-14 is missing (apt-get install clang-14 llvm-14 libbpf-dev)" >&2
	[ "${CI:-}" = true ] && exit 1
	exit 0
fi

committed=$(mktemp -d)
trap 'cp "$committed"/* .; rm -r "$committed"' EXIT
cp lookup_bpfel.go lookup_bpfel.o "$committed"
go generate -run bpf2go .

for file in lookup_bpfel.go lookup_bpfel.o; do
	if ! cmp "$file" "$committed/$file"; then
		echo "bpf/check.sh: bench/lpm/$file is not what its source gives; run go generate ./bench/lpm and commit" >&2
		exit 1
	fi
done
