"""Starts, steers and ends a fault-injecting file system."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

from tests.tree import ROOT

_START_S = 20.0
_END_S = 5.0


def missing() -> str:
    """What this machine lacks for it, "" when nothing."""
    if importlib.util.find_spec("pyfuse3") is None:
        return "pyfuse3 is not installed (needs gcc, pkg-config, libfuse3-dev, python3-dev, fuse3)"
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "/dev/fuse cannot be opened"
    if os.geteuid() != 0 and shutil.which("fusermount3") is None:
        return "fusermount3 (package fuse3) is needed to mount without being root"
    return ""


class FaultFS:
    """Mounts `backing` at `mountpoint` (both are made); use it as a context."""

    def __init__(self, backing: Path, mountpoint: Path) -> None:
        self.backing = backing
        self.mountpoint = mountpoint
        self._socket_path = mountpoint.with_name(f"{mountpoint.name}.control")
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def __enter__(self) -> Self:
        self.backing.mkdir(parents=True, exist_ok=True)
        self.mountpoint.mkdir(parents=True, exist_ok=True)
        log = self.mountpoint.with_name(f"{self.mountpoint.name}.log")
        command = [sys.executable, "-m", "tests.faultfs", str(self.backing), str(self.mountpoint)]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*command, "--control", str(self._socket_path)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_S
        while True:
            control = socket.socket(socket.AF_UNIX)
            try:
                control.connect(str(self._socket_path))
            except OSError:
                control.close()
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.__exit__()
                    raise RuntimeError(f"the file system did not start: {log.read_text()}") from None
                time.sleep(0.02)
            else:
                control.settimeout(_END_S)
                self._control = control
                return self

    def __exit__(self, *exception: object) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if os.path.ismount(self.mountpoint):
            subprocess.run(["umount", "--lazy", str(self.mountpoint)], check=False)

    def _ask(self, **wish: Any) -> Any:
        if self._control is None:
            raise RuntimeError("it is not mounted")
        self._control.sendall(json.dumps(wish).encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            piece = self._control.recv(65_536)
            if not piece:
                raise RuntimeError("the file system has ended")
            answer += piece
        return json.loads(answer)

    def add(
        self,
        action: str,
        *ops: str,
        name: str = "*",
        error: int = errno.EIO,
        seconds: float = 0.0,
        jitter: float = 0.0,
        count: int = -1,
        skip: int = 0,
    ) -> int:
        """A new rule (see `tests.faultfs.rules`); its number."""
        wish = {"action": action, "ops": ops, "name": name, "error": error, "seconds": seconds}
        return int(self._ask(do="add", **wish, jitter=jitter, count=count, skip=skip))

    def clear(self, number: int | None = None) -> None:
        """Take a rule, or all, out of force; what is stalled goes on."""
        self._ask(do="clear", number=number)

    def hits(self, number: int) -> int:
        """How many operations the rule was applied to."""
        return int(self._ask(do="hits", number=number))

    def counts(self) -> dict[str, int]:
        """Operations of each kind since the last time."""
        return dict(self._ask(do="counts"))
