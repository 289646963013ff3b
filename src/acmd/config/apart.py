"""Loading in a short-lived process of its own.

For two reasons: the schema's library costs 18 MB, which a daemon should not keep for values that
it reads once; and looking at the cluster's directory may hang for ever, which only a process
that can be abandoned may do. `python -m acmd.config.apart FILE` prints one JSON object.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from acmd.config.model import Config, build
from acmd.config.problems import ConfigRefused, Problem
from acmd.errors import ConfigError

START_LIMIT_S = 30.0
LOAD_LIMIT_S = 20.0
EXAMINE_LIMIT_S = 10.0
_LAST_WAIT_S = 0.5


def load_apart(file: str, *, limit_s: float = LOAD_LIMIT_S) -> Config:
    """As `load.load` for this host. Blocks for up to `limit_s`. Raises ConfigRefused, or ConfigError."""
    answer = _ask([file], limit_s)
    if answer is None:
        raise ConfigError(f"{file}: was not read within {limit_s:g} s", "look at the disk that it is on")
    if answer["problems"]:
        raise ConfigRefused(answer["file"], [Problem(**problem) for problem in answer["problems"]])
    return build(answer["file"], answer["tree"])


def load_and_examine_apart(file: str, *, limit_s: float) -> tuple[Config, list[Problem]]:
    """Both at once, in two processes: a daemon that is started again has little time to adopt.

    `limit_s` bounds the look at the directory. Raises as `load_apart`.
    """
    with ThreadPoolExecutor(max_workers=1) as pool:
        looking = pool.submit(_ask, [file, "--directory"], limit_s)
        config = load_apart(file)
        return config, _problems(looking.result(), config, limit_s)


def examine_apart(config: Config, *, limit_s: float = EXAMINE_LIMIT_S) -> list[Problem]:
    """As `directory.examine` for this host; storage that does not answer within `limit_s` is a problem."""
    return _problems(_ask([config.file, "--directory"], limit_s), config, limit_s)


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


def _ask(arguments: list[str], limit_s: float) -> dict[str, Any] | None:
    """What the process prints, or None at the limit. It is killed then, and not waited for.

    `limit_s` counts from its first sign: on a busy host, starting takes long and says nothing of the storage.
    """
    environment = dict(os.environ)
    environment.pop("NOTIFY_SOCKET", None)  # it must not speak to systemd in the daemon's place
    environment["PYTHONPATH"] = os.pathsep.join(entry for entry in sys.path if entry)
    child = subprocess.Popen(
        # -P: what lies in the current directory is not imported
        [sys.executable, "-P", "-m", "acmd.config.apart", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
    output = _listen(child, limit_s)
    if output is None:
        child.kill()
        _give_up(child)
        return None
    child.stdout.close()  # type: ignore[union-attr]
    code = child.wait()  # it has closed its end, so it is about to go
    if code != 0:
        raise RuntimeError(f"the process that loads the configuration ended with {code}")
    answer: dict[str, Any] = json.loads(output)
    return answer


def _listen(child: subprocess.Popen[bytes], limit_s: float) -> bytes | None:
    """All that it prints, or None when its start, or what follows, takes too long."""
    pipe = child.stdout
    if pipe is None:
        raise RuntimeError("a child without a pipe")
    output, deadline, started = b"", time.monotonic() + START_LIMIT_S, False
    while True:
        left_s = max(0.0, deadline - time.monotonic())
        if not select.select([pipe], [], [], left_s)[0]:
            return None
        piece = os.read(pipe.fileno(), 65536)
        if not piece:
            return output
        output += piece
        if not started:
            started, deadline = True, time.monotonic() + limit_s


def _give_up(child: subprocess.Popen[bytes]) -> None:
    """Let go of a killed process; one that hangs in the kernel is left to it."""
    if child.stdout:
        child.stdout.close()
    try:
        child.wait(_LAST_WAIT_S)
    except subprocess.TimeoutExpired:
        child.returncode = -9  # it will be that; until then nobody is to wait for it


def main(arguments: list[str]) -> int:
    """Print the answer for a file: its tree, or with `--directory` what is wrong with the directory."""
    from acmd.config.directory import examine  # noqa: PLC0415 - the schema is for this process alone
    from acmd.config.host import this_host  # noqa: PLC0415
    from acmd.config.load import load_with_origins  # noqa: PLC0415

    file, *options = arguments
    host = this_host()
    sys.stdout.write("\n")
    sys.stdout.flush()  # the sign: from here on only files and storage can take long
    answer: dict[str, Any] = {"file": file, "tree": {}, "problems": []}
    try:
        loaded = load_with_origins(file, host=host)
        answer["tree"] = loaded.tree
        if "--directory" in options:
            answer["problems"] = [problem.plain() for problem in examine(loaded.config, host)]
    except ConfigRefused as refused:
        answer["problems"] = [problem.plain() for problem in refused.problems]
    sys.stdout.write(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
