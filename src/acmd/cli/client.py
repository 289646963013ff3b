"""Asking the daemon on its control socket: with a limit, and a clear error for each way to fail."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any

from acmd.cli import NOT_RUNNING
from acmd.config.glance import Glance
from acmd.errors import AcmdError

ASK_LIMIT_S = 10.0
LOOK_LIMIT_S = 2.0
POLL_S = 0.05
QUESTIONS = ("status", "history", "events", "fence-result")
_ANSWER_LIMIT = 4 << 20
_RECEIVE = 65_536


class NotRunning(AcmdError):
    """Nobody listens on the control socket of this cluster on this host."""

    exit_code = NOT_RUNNING


class Unanswered(AcmdError):
    """The daemon was asked, and may have done it or do it yet."""


class Refused(AcmdError):
    """The daemon said no, and why; nothing was changed."""


def control_socket(place: Glance) -> str:
    """Where the daemon of that cluster listens on this host."""
    return f"{place.run_dir}/control.sock"


def ask(place: Glance, request: dict[str, Any], limit_s: float = ASK_LIMIT_S) -> dict[str, Any]:
    """The daemon's answer within `limit_s`. Raises NotRunning, Refused or AcmdError."""
    try:
        answer = exchange(control_socket(place), request, limit_s)
    except KeyboardInterrupt:
        if request["do"] not in QUESTIONS:
            print("acmd: whether that was ordered is not known; `acmd status` shows it", file=sys.stderr)
        raise
    except Unanswered as error:
        if request["do"] in QUESTIONS:
            raise
        raise AcmdError(f"{error.what}; whether it follows the order is not known", error.remedy) from None
    if "error" in answer:
        raise Refused(str(answer["error"]), str(answer.get("remedy", "")))
    return answer


def exchange(path: str, request: dict[str, Any], limit_s: float) -> dict[str, Any]:
    """One line there, one line back, refusals included. Raises NotRunning or AcmdError."""
    until = time.monotonic() + limit_s
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(limit_s)
        try:
            _connect(connection, path)
            connection.sendall(json.dumps(request).encode() + b"\n")
            line = _line(connection, until)
        except (FileNotFoundError, ConnectionRefusedError):
            raise NotRunning(
                f"no acmd daemon runs for this cluster on this host: nobody listens on {path}",
                "start it (systemctl start acmd); its log says why it ended",
            ) from None
        except PermissionError:
            raise AcmdError(
                f"{path} may not be used by this user", "use root, or a member of the socket's group"
            ) from None
        except TimeoutError:
            raise Unanswered(
                f"the daemon did not answer within {limit_s:g} s on {path}",
                "it is overloaded or stopped (SIGSTOP?); its guard acts without it. Look at its log",
            ) from None
        except OSError as error:
            raise AcmdError(
                f"the daemon cannot be asked on {path}: {(error.strerror or str(error)).lower()}",
                "try again; if it stays, look at the daemon's log",
            ) from None
    return _understood(path, line)


def _connect(connection: socket.socket, path: str) -> None:
    """A socket's name has at most 107 bytes; a longer path is reached through its open directory."""
    if len(os.fsencode(path)) < 108:
        connection.connect(path)
        return
    directory = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        connection.connect(f"/proc/self/fd/{directory}/{os.path.basename(path)}")
    finally:
        os.close(directory)


def _line(connection: socket.socket, until: float) -> bytes:
    received = bytearray()
    while not received.endswith(b"\n") and len(received) < _ANSWER_LIMIT:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        piece = connection.recv(_RECEIVE)
        if not piece:
            break
        received += piece
    return bytes(received)


def _understood(path: str, line: bytes) -> dict[str, Any]:
    if not line:
        raise Unanswered(
            f"the daemon closed {path} without an answer", "it may just be ending; try again in a moment"
        )
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise AcmdError(f"what answers on {path} is not an acmd daemon", "look at who owns that socket")
    return answer


def snapshots(place: Glance, limit_s: float) -> Iterator[tuple[float, dict[str, Any]]]:
    """(seconds since the first, snapshot), again and again until `limit_s` has passed; once at least.

    A daemon that is starting, or does not answer for once, is asked again. Raises NotRunning.
    """
    began = time.monotonic()
    while True:
        try:
            yield time.monotonic() - began, ask(place, {"do": "status"}, LOOK_LIMIT_S)
        except NotRunning:
            raise
        except AcmdError:
            pass
        if time.monotonic() - began >= limit_s:
            return
        time.sleep(POLL_S)
