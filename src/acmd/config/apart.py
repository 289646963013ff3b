"""Loading in a short-lived process of its own.

For two reasons: the schema's library costs 18 MB, which a daemon should not keep for values that
it reads once; and looking at the cluster's directory may hang for ever, which only a process
that can be abandoned may do. `python -m acmd.config.apart FILE [--directory]` prints an empty line, as a
sign that it has started, then one JSON object of what the file says, and with `--directory` one of what is
wrong with the directory.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from acmd.config.model import Config, build
from acmd.config.problems import ConfigRefused, Problem
from acmd.errors import ConfigError
from acmd.priority import for_session_of

START_LIMIT_S = 30.0
LOAD_LIMIT_S = 20.0
EXAMINE_LIMIT_S = 10.0
_LAST_WAIT_S = 0.5


def load_apart(file: str, *, limit_s: float = LOAD_LIMIT_S) -> Config:
    """As `load.load` for this host. Blocks for up to `limit_s`. Raises ConfigRefused, or ConfigError."""
    with _Apart(file) as child:
        return _config(child, file, limit_s)


def load_and_examine_apart(
    file: str, *, limit_s: float, meanwhile: Callable[[], object] = lambda: None
) -> tuple[Config, list[Problem]]:
    """Both by one process, `meanwhile` beside it: a daemon that is started again has little time to adopt.

    `limit_s` bounds the look at the directory. Raises as `load_apart`.
    """
    with _Apart(file, "--directory") as child:
        meanwhile()
        config = _config(child, file, LOAD_LIMIT_S)
        return config, _problems(child.answer(limit_s), config, limit_s)


def examine_apart(config: Config, *, limit_s: float = EXAMINE_LIMIT_S) -> list[Problem]:
    """As `directory.examine` for this host; storage that does not answer within `limit_s` is a problem."""
    with _Apart(config.file, "--directory") as child:
        loaded = child.answer(LOAD_LIMIT_S)
        if loaded is not None and loaded["problems"]:
            return _problems(loaded, config, limit_s)
        return _problems(child.answer(limit_s), config, limit_s)


def _config(child: _Apart, file: str, limit_s: float) -> Config:
    answer = child.answer(limit_s)
    if answer is None:
        raise ConfigError(f"{file}: was not read within {limit_s:g} s", "look at the disk that it is on")
    if answer["problems"]:
        raise ConfigRefused(answer["file"], [Problem(**problem) for problem in answer["problems"]])
    return build(answer["file"], answer["tree"])


def _problems(answer: dict[str, Any] | None, config: Config, limit_s: float) -> list[Problem]:
    if answer is None:
        directory = config.cluster.directory
        return [
            Problem(
                what=f"does not answer within {limit_s:g} s",
                remedy="look at the mount, the network and the file server",
                key="cluster.directory",
                value=f'"{directory}"',
                unavailable=True,
            )
        ]
    return [Problem(**problem) for problem in answer["problems"]]


class _Apart:
    """The process. One that has not answered is killed in the end, and not waited for."""

    def __init__(self, *arguments: str) -> None:
        environment = dict(os.environ)
        environment.pop("NOTIFY_SOCKET", None)  # it must not speak to systemd in the daemon's place
        environment["PYTHONPATH"] = os.pathsep.join(entry for entry in sys.path if entry)
        self._child = subprocess.Popen(
            # -P: what lies in the current directory is not imported
            [sys.executable, "-P", "-m", "acmd.config.apart", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        for_session_of(self._child.pid)
        self._pipe = self._child.stdout
        self._output = b""
        self._started = False

    def __enter__(self) -> _Apart:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.kill()  # it has said all that anybody will listen to
        if self._pipe is not None:
            self._pipe.close()
        try:
            self._child.wait(_LAST_WAIT_S)
        except subprocess.TimeoutExpired:
            self._child.returncode = -9  # it hangs in the kernel and will be that; nobody is to wait for it

    def answer(self, limit_s: float) -> dict[str, Any] | None:
        """Its next answer; None at the limit, and then for good.

        `limit_s` counts from its first sign: a start may take long on a busy host, which says nothing of
        the storage.
        """
        if not self._started:
            self._started = self._line(START_LIMIT_S) is not None
        line = self._line(limit_s) if self._started else None
        answer: dict[str, Any] | None = None if line is None else json.loads(line)
        return answer

    def _line(self, limit_s: float) -> bytes | None:
        if self._pipe is None:
            raise RuntimeError("a child without a pipe")
        deadline = time.monotonic() + limit_s
        while b"\n" not in self._output:
            left_s = max(0.0, deadline - time.monotonic())
            if not select.select([self._pipe], [], [], left_s)[0]:
                return None
            piece = os.read(self._pipe.fileno(), 65536)
            if not piece:
                code = self._child.wait()  # it has closed its end, so it is about to go
                raise RuntimeError(f"the process that loads the configuration ended with {code}")
            self._output += piece
        line, _, self._output = self._output.partition(b"\n")
        return line


def main(arguments: list[str]) -> int:
    """Print the answers for a file: its tree, and with `--directory` what is wrong with the directory."""
    from acmd.config.host import this_host  # noqa: PLC0415 - the schema is for this process alone
    from acmd.config.load import load_with_origins  # noqa: PLC0415

    file, *options = arguments
    host = this_host()
    _say()  # the sign: from here on only files and storage can take long
    try:
        loaded = load_with_origins(file, host=host)
    except ConfigRefused as refused:
        _say({"file": file, "tree": {}, "problems": [problem.plain() for problem in refused.problems]})
        return 0
    _say({"file": file, "tree": loaded.tree, "problems": []})
    if "--directory" in options:
        from acmd.config.directory import examine  # noqa: PLC0415

        _say({"problems": [problem.plain() for problem in examine(loaded.config, host)]})
    return 0


def _say(answer: dict[str, Any] | None = None) -> None:
    sys.stdout.write("\n" if answer is None else f"{json.dumps(answer)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
