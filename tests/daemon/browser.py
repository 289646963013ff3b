"""A headless Chromium, asked over its debugging pipe: what a page loads, and what it looks like."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)
LIMIT_S = 60.0
PHONE, DESK = (360, 740), (1280, 900)


def chromium() -> str | None:
    """Debian's, or none."""
    return shutil.which("chromium")


class Browser:
    """One page of it. `requested` has the address of everything that it asked for."""

    def __init__(self, out: int, into: int) -> None:
        self._out, self._into = out, into
        self._rest = b""
        self._number = 0
        self._session = ""
        self.requested: list[str] = []
        self._loaded = 0
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self._ask(f"{domain}.enable")

    def open(self, address: str, size: tuple[int, int], *, dark: bool = False) -> None:
        """Load a page in a window of that size, and wait until all of it is there."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": width < 500}
        self._ask("Emulation.setDeviceMetricsOverride", **metrics)
        colours = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._ask("Emulation.setEmulatedMedia", features=[colours])
        before = self._loaded
        self._ask("Page.navigate", url=address)
        until = time.monotonic() + LIMIT_S
        while self._loaded == before:
            self._hear(until)

    def value(self, expression: str) -> Any:
        """What an expression comes to in the page."""
        found = self._ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def screenshot(self, file: Path) -> None:
        """The whole page, also what is below the window."""
        found = self._ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(found["data"]))

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        number = self._number
        wire = {"id": number, "method": method, "params": parameters}
        if self._session:
            wire["sessionId"] = self._session
        os.write(self._into, json.dumps(wire).encode() + b"\0")
        until = time.monotonic() + LIMIT_S
        while True:
            said = self._hear(until)
            if said.get("id") == number:
                assert "error" not in said, f"{method}: {said['error']}"
                found: dict[str, Any] = said["result"]
                return found

    def _hear(self, until: float) -> dict[str, Any]:
        """The next message."""
        while b"\0" not in self._rest:
            left_s = until - time.monotonic()
            assert left_s > 0, "the browser does not answer"
            if select.select([self._out], [], [], left_s)[0]:
                piece = os.read(self._out, 1 << 20)
                assert piece, "the browser has ended"
                self._rest += piece
        line, _, self._rest = self._rest.partition(b"\0")
        said: dict[str, Any] = json.loads(line)
        if said.get("method") == "Network.requestWillBeSent":
            self.requested.append(said["params"]["request"]["url"])
        self._loaded += said.get("method") == "Page.loadEventFired"
        return said


@contextmanager
def browser(directory: Path) -> Iterator[Browser]:
    """Started with an empty profile below `directory`, and ended with all its processes."""
    program = chromium()
    assert program is not None
    profile = directory / "profile"
    profile.mkdir()
    their_in, our_out = os.pipe()
    our_in, their_out = os.pipe()
    for number, wanted in ((their_in, 3), (their_out, 4)):
        os.set_inheritable(number, True)
        assert number != wanted
    command = [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    # The browser talks on descriptors 3 and 4.
    script = f'exec 3<&{their_in} 4>&{their_out}; exec "$@"'
    process = subprocess.Popen(
        ["bash", "-c", script, "bash", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(their_in, their_out),
        env={**os.environ, "HOME": str(directory)},
    )
    os.close(their_in)
    os.close(their_out)
    try:
        yield Browser(our_in, our_out)
    finally:
        with suppress(OSError):
            os.write(our_out, b'{"id":0,"method":"Browser.close"}\0')
        os.close(our_out)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(our_in)
