"""Reading files that may lie on dead storage: by a process that is given up at its limit."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from acmd.errors import AcmdError

LIMIT_S = 10.0
ROUNDS = 20
_LOOK = """
import base64, json, os, sys, time
found = {"files": {}, "taken_s": []}
for path in sys.argv[2:]:
    try:
        real = os.path.realpath(path)
        status = os.stat(real)
        entry = {"real": real, "age_s": time.time() - status.st_mtime, "mtime_ns": status.st_mtime_ns,
                 "device": status.st_dev}
        if os.path.isfile(real):
            with open(real, "rb") as file:
                entry["bytes"] = base64.b64encode(file.read(1 << 18)).decode()
        found["files"][path] = entry
    except OSError as error:
        found["files"][path] = {"error": error.strerror}
for _ in range(int(sys.argv[1])):
    began = time.monotonic()
    try:
        with open(sys.argv[2], "rb") as file:
            file.read(4096)
        found["taken_s"].append(time.monotonic() - began)
    except OSError:
        break
print(json.dumps(found))
"""
_LIST = """
import json, os, sys
try:
    print(json.dumps(sorted(os.listdir(sys.argv[1]))))
except FileNotFoundError:
    print("[]")
"""
_WRITE = """
import os, sys
path, text = sys.argv[1:]
if text:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
    os.write(handle, text.encode())
    os.fsync(handle)
else:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
"""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen, by path. A path that is not there has a key `error` alone."""

    files: dict[str, dict[str, Any]]
    taken_s: list[float]

    def text(self, path: str) -> str | None:
        """A file's text; None when it cannot be read."""
        entry = self.files[path]
        if "bytes" not in entry:
            return None
        return base64.b64decode(entry["bytes"]).decode("utf-8", "replace")


def look(paths: list[str], rounds: int = 0) -> Look:
    """Read files and how old they are; with `rounds` also how fast the first one is read.

    Raises AcmdError when storage does not answer within 10 s.
    """
    answer = json.loads(_run(paths[0], _LOOK, str(rounds), *paths))
    return Look(answer["files"], answer["taken_s"])


def names(directory: str) -> list[str]:
    """What is in a directory; nothing when it is not there. Raises AcmdError."""
    listed: list[str] = json.loads(_run(directory, _LIST, directory))
    return listed


def write(path: str, text: str) -> None:
    """A small file on shared storage; no text removes it. Raises AcmdError."""
    _run(path, _WRITE, path, text)


def _run(path: str, script: str, *arguments: str) -> bytes:
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", script, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )
    try:
        output, _ = child.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.returncode = -9  # it hangs in the kernel; nobody is to wait for it
        raise AcmdError(
            f"{path}: the storage did not answer within {LIMIT_S:g} s",
            "look at the mount and the file server",
        ) from None
    if child.returncode:
        raise AcmdError(f"{path} cannot be used", "look at the mount, and whether root may write there")
    return output
