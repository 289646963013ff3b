#!/bin/sh
# Makes .venv from the lock files, or does nothing when it is there and fits.
#   tools/venv.sh          acmd and what it runs on
#   tools/venv.sh tox      the same, and tox for `make test`
# Needs Python >= 3.11 with venv, and nothing else; PYTHON=/path/to/python3 chooses one.
set -eu
cd "$(dirname "$0")/.."
venv=.venv

say() { printf '%s\n' "$*" >&2; }

suits() { # suits PYTHON: runs, and is new enough (a pyenv shim may exist and not run)
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

choose() { # sets $python, or says what is missing
    found= unable=
    for python in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if suits "$python"; then
            "$python" -c 'import ensurepip, venv' >/dev/null 2>&1 && return
            unable=${unable:-$python}
        else
            is=$(version "$python") || continue
            found="$found $python is $is;"
        fi
    done
    if [ -n "$unable" ]; then
        say "acmd: $unable (Python $(version "$unable")) cannot make virtual environments: it lacks ensurepip or venv."
        say "      Debian, Ubuntu:  sudo apt-get install python$(version "$unable")-venv"
        say "      Then run make again."
    else
        say "acmd: Python 3.11 or newer is needed;${found:- no python3 was found${PYTHON:+ as $PYTHON};} nothing was changed."
        say "      Debian 12 or newer, Ubuntu 24.04 or newer:  sudo apt-get install python3 python3-venv"
        say "      RHEL 9 and the like:                        sudo dnf install python3.11"
        say "      Installed somewhere else?                   make PYTHON=/path/to/python3.12 demo"
    fi
    exit 1
}

# -I: neither PYTHONPATH nor user packages leak in. -qq: errors only.
install() {
    PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 "$venv/bin/python" -I -m pip install -qq "$@" </dev/null || {
        say "acmd: the packages of the lock files could not be installed (see above); nothing is half done, run make again."
        say "      They come from where pip is set to look: no network? a mirror? see 'pip config list', PIP_INDEX_URL."
        exit 1
    }
}

# What the environment was made of. The path belongs to it: a moved environment does not run.
made_of() { { pwd; cat "$@"; } | cksum; }
fits() { [ -x "$venv/bin/python" ] && suits "$venv/bin/python" && [ "$(cat "$venv/$1" 2>/dev/null)" = "$2" ]; }

base=$(made_of pyproject.toml requirements/build.txt requirements/runtime.txt)
if ! fits .made-of-base "$base"; then
    choose
    say "acmd: setting up $venv with $python ($(version "$python")), once"
    rm -rf "$venv"
    "$python" -m venv "$venv"
    install --require-hashes -r requirements/build.txt
    # Without isolation: a package that comes as source is built by the pinned tools just installed.
    install --require-hashes --no-build-isolation -r requirements/runtime.txt
    install --no-deps --no-build-isolation --editable .
    echo "$base" >"$venv/.made-of-base"
fi

if [ "${1:-}" = tox ]; then
    tox=$(made_of requirements/tox.txt)
    if ! fits .made-of-tox "$tox"; then
        install --require-hashes --no-build-isolation -r requirements/tox.txt
        echo "$tox" >"$venv/.made-of-tox"
    fi
fi
