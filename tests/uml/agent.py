"""The bed's end of the way into a guest: one connection for each command."""

from __future__ import annotations

import base64
import json
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

from tests.hosts.inside import PATH, HostError, Result
from tests.uml.network import TapNetwork

PORT = 7007
CONNECT_TIMEOUT_S = 2.0
POLL_S = 0.5


def run(
    network: TapNetwork,
    name: str,
    address: str,
    command: list[str],
    *,
    is_on: Callable[[], bool],
    timeout_s: float,
    check: bool,
    stdin: bytes | None,
    env: dict[str, str] | None,
) -> Result:
    """Run `command` in the guest to its end: as tests.hosts.inside.run, with its errors."""
    started = time.monotonic()
    deadline = started + timeout_s
    words = " ".join(command)[:300]
    variables = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "TERM": "dumb", **(env or {})}
    request = {
        "argv": command,
        "env": variables,
        "stdin": None if stdin is None else base64.b64encode(stdin).decode(),
    }
    if not is_on():
        raise HostError(f"{name} is off: cannot run {words}")
    try:
        with network.connect(address, PORT, min(timeout_s, CONNECT_TIMEOUT_S)) as connection:
            connection.settimeout(timeout_s)
            data = json.dumps(request).encode()
            connection.sendall(struct.pack(">I", len(data)) + data)
            connection.settimeout(POLL_S)
            (length,) = struct.unpack(">I", _receive(connection, 4, deadline, is_on))
            answer: dict[str, Any] = json.loads(_receive(connection, length, deadline, is_on))
    except TimeoutError:
        raise HostError(f"{name}: {words} took longer than {timeout_s} s") from None
    except OSError as error:
        raise HostError(f"{name}: {words}: {error}") from error
    out, err = (base64.b64decode(answer[key]).decode(errors="replace") for key in ("stdout", "stderr"))
    result = Result(answer["returncode"], out, err, time.monotonic() - started)
    if check and result.returncode != 0:
        said = (out[-4000:] + err[-4000:]).strip()
        raise HostError(f"{name}: {words} ended with {result.returncode}: {said}")
    return result


def _receive(connection: socket.socket, length: int, deadline: float, is_on: Callable[[], bool]) -> bytes:
    data = b""
    while len(data) < length:
        try:
            part = connection.recv(min(length - len(data), 1 << 20))
        except TimeoutError:
            if time.monotonic() > deadline:
                raise
            if not is_on():
                raise ConnectionError("the host went off") from None
            continue
        if not part:
            raise ConnectionError("the host ended the connection")
        data += part
    return data
