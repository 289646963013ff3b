#!/bin/sh
# Into the environment of the tests: acmd itself, editable, and pyfuse3 where this machine can build it.
#   tools/prepare.sh PYTHON
set -eu
cd "$(dirname "$0")/.."
env -u PIP_BUILD_CONSTRAINT "$1" -m pip install --quiet --no-deps --no-build-isolation --editable .
PIP_BUILD_CONSTRAINT=$PWD/requirements/all.txt "$1" tools/fuse.py
