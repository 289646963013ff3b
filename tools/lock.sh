#!/bin/sh
# Writes the lock files in requirements/ from the ranges in pyproject.toml (`make lock`).
#
# One resolution for everything comes first, the others are cut out of it, so that no two environments ever
# hold different versions. --universal and the hashes of all files: the same lock serves every Python >= 3.11
# and every architecture. Versions that still fit are kept; `make lock UPGRADE=1` takes the newest.
set -eu
cd "$(dirname "$0")/.."
upgrade=
[ -n "${UPGRADE:-}" ] && upgrade=--upgrade

compile() { # compile OUTPUT ARGUMENT...
    output=requirements/$1.txt
    shift
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
        "$@" --output-file "$output" >/dev/null
    echo "$output"
}

groups='build tox lint contracts tests types fuse fuse-build lock'
all=
for group in $groups; do all="$all --group $group"; done
# shellcheck disable=SC2086  # the words of $all and $upgrade are arguments of their own
compile all pyproject.toml $all $upgrade

pin='--constraint requirements/all.txt'
# shellcheck disable=SC2086
{
    compile runtime pyproject.toml $pin
    compile tests pyproject.toml --group tests $pin
    compile types pyproject.toml --group types $pin
    for group in build tox lint contracts fuse fuse-build lock; do compile "$group" --group "$group" $pin; done
}
