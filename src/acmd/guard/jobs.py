"""PID 1's word: whether a unit of an active-only service has a job, runs, or is about to start again.

A few messages of D-Bus over PID 1's own socket (or the system bus, where that is not there), never
waited for: what was not answered is not known, and what is not known counts as a job. An answer
counts only if it was asked for after the last `forget`, which is when the gate moved.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from typing import Any

PRIVATE, SYSTEM_BUS = "/run/systemd/private", "/run/dbus/system_bus_socket"
LIMIT_NS = 1_000_000_000  # a question without an answer by then: the connection is made anew
FRESH_NS = 40_000_000  # a younger answer is not asked for again
# The same while nothing is armed and all is gone. Asking about a unit that is not loaded makes PID 1 load it,
# and say so to everybody on its socket, which would wake the guard to ask again, and again.
CALM_NS = 900_000_000
STOP_PAUSE_NS = 200_000_000
LONGEST = 1 << 20
NO_REPLY = 1
SYSTEMD, MANAGER = "org.freedesktop.systemd1", "/org/freedesktop/systemd1"
QUIET = {b"inactive", b"failed"}


class UnitJobs:
    """The units of active-only services, as PID 1 sees them. Without units there is nothing to ask."""

    def __init__(self, units: tuple[str, ...], sockets: tuple[str, ...] = (PRIVATE, SYSTEM_BUS)) -> None:
        self.units = units
        self.fault = ""
        self.calm = False  # nothing is armed, and all was seen gone
        self.handle = -1
        self._sockets = sockets
        self._poll: select.epoll | None = None
        self._link: socket.socket | None = None
        self._speaks = False  # the other side took our word for who we are
        self._data = b""
        self._serial = 0
        self._asked: tuple[int, int] | None = None  # serial, when
        self._answer: tuple[int, bool] | None = None  # when, pending
        self._stopped_ns = 0

    def attach(self, poll: select.epoll) -> None:
        """Wake this poll when an answer comes: `handle` becomes readable."""
        self._poll = poll

    def forget(self) -> None:
        """The gate moved: what PID 1 said, or is about to say, speaks of the time before."""
        self._asked = self._answer = None

    def pending(self) -> bool:
        """Whether anything is queued, on the move or active; True as long as PID 1 has not said."""
        if not self.units:
            return False
        self.receive()
        now_ns = time.monotonic_ns()
        if self._asked is not None and now_ns - self._asked[1] > LIMIT_NS:
            self._hang_up("PID 1 does not answer")
        answer = self._answer
        fresh_ns = CALM_NS if self.calm and answer is not None and not answer[1] else FRESH_NS
        if self._asked is None and (answer is None or now_ns - answer[0] > fresh_ns):
            self._ask(now_ns)
        return answer is None or answer[1] or now_ns - answer[0] > 3 * LIMIT_NS

    def stop(self) -> None:
        """Ask PID 1 for a stop of all units, in the place of any queued start. Not waited for."""
        now_ns = time.monotonic_ns()
        if not self.units or now_ns - self._stopped_ns < STOP_PAUSE_NS or not self._speaks:
            return
        self._stopped_ns = now_ns
        for unit in self.units:
            self._send(
                "StopUnit", "ss", _string(unit) + _pad(_string(unit), 4) + _string("replace"), NO_REPLY
            )

    def close(self) -> None:
        """Hang up."""
        self._hang_up("closed")
        self._poll = None

    # -- the connection -----------------------------------------------------------------------------

    def _connect(self) -> None:
        for path in self._sockets:
            link = socket.socket(
                socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
            )
            try:
                link.connect(path)
                # In one piece: PID 1 overlooks what comes together with a BEGIN of its own.
                link.send(b"\0AUTH EXTERNAL %s\r\nBEGIN\r\n" % str(os.getuid()).encode().hex().encode())
            except OSError as problem:
                link.close()
                self.fault = f"PID 1 cannot be asked: {path}: {problem.strerror}"
                continue
            self._link, self.handle, self._data, self._speaks = link, link.fileno(), b"", False
            if self._poll is not None:
                self._poll.register(self.handle, select.EPOLLIN)
            return

    def _hang_up(self, why: str) -> None:
        self.fault = f"PID 1 cannot be asked: {why}"
        if self._link is not None:
            if self._poll is not None:
                self._poll.unregister(self.handle)
            self._link.close()
            self._sockets = (*self._sockets[1:], *self._sockets[:1])  # the other one, next time
        self._link, self.handle, self._speaks, self._asked = None, -1, False, None

    def _ask(self, now_ns: int) -> None:
        if self._link is None:
            self._connect()
        if self._link is None:
            return
        names = b""
        for unit in self.units:
            names += _pad(names, 4) + _string(unit)
        if self._speaks:
            self._send("ListUnitsByNames", "as", struct.pack("<I", len(names)) + names)
        if self._link is not None:
            self._asked = (self._serial if self._speaks else 0, now_ns)

    def _send(self, member: str, signature: str, body: bytes, flags: int = 0, to: str = SYSTEMD) -> None:
        path, interface = (
            (MANAGER, f"{SYSTEMD}.Manager") if to == SYSTEMD else (f"/{to.replace('.', '/')}", to)
        )
        self._serial += 1
        fields = b""
        for code, kind, text in ((1, b"o", path), (2, b"s", interface), (3, b"s", member), (6, b"s", to)):
            fields += _pad(fields, 8) + bytes((code, 1)) + kind + b"\0" + _string(text)
        if signature:
            fields += _pad(fields, 8) + b"\x08\x01g\0" + bytes((len(signature),)) + signature.encode() + b"\0"
        head = struct.pack("<cBBBIII", b"l", 1, flags, 1, len(body), self._serial, len(fields)) + fields
        message = head + _pad(head, 8) + body
        try:
            if self._link is None or self._link.send(message) != len(message):
                raise OSError(0, "it takes no more")
        except OSError as problem:
            self._hang_up(str(problem.strerror))

    def receive(self) -> None:
        """Take what has come, without waiting."""
        while self._link is not None:
            try:
                piece = self._link.recv(65536)
            except BlockingIOError:
                break
            except OSError as problem:
                self._hang_up(str(problem.strerror))
                break
            self._data += piece
            if not piece or len(self._data) > LONGEST:
                self._hang_up("it hung up")
        try:
            while self._link is not None and self._take():
                pass
        except (struct.error, ValueError, IndexError, OSError) as problem:
            self._hang_up(f"not understood: {problem!r}")

    def _take(self) -> bool:
        """One message out of what has come. False when there is no whole one."""
        if not self._speaks:
            line, end, rest = self._data.partition(b"\r\n")
            if not end:
                return False
            if not line.startswith(b"OK"):
                raise ValueError(line[:80].decode("ascii", "replace"))
            self._data, self._speaks = rest, True
            self._begin()
            return True
        if len(self._data) < 16:
            return False
        order = "<" if self._data[:1] == b"l" else ">"
        kind, _, _, body_size, _, fields_size = struct.unpack_from(f"{order}BBBIII", self._data, 1)
        begin = 16 + fields_size + -fields_size % 8
        if len(self._data) < begin + body_size:
            return False
        message, self._data = self._data[: begin + body_size], self._data[begin + body_size :]
        if kind in {2, 3} and self._asked is not None and _reply_to(message, order) == self._asked[0]:
            asked_ns, self._asked = self._asked[1], None
            if kind == 3:
                self.fault = "PID 1 refuses to say which jobs there are"
            else:
                self._answer = (asked_ns, any(not quiet for quiet in _rows(message, order, begin)))
                self.fault = ""
        return True

    def _begin(self) -> None:
        """The other side knows who we are: messages may follow."""
        if self._link is not None and self._link.getpeername() == SYSTEM_BUS:
            self._send("Hello", "", b"", to="org.freedesktop.DBus")
        if self._asked is not None:
            self._ask(self._asked[1])


def _pad(data: bytes, size: int) -> bytes:
    return bytes(-len(data) % size)


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<I", len(raw)) + raw + b"\0"


def _reply_to(message: bytes, order: str) -> int:
    """The serial that this message answers: header field 5."""
    (size,) = struct.unpack_from(f"{order}I", message, 12)
    at = 16
    while at < 16 + size:
        at += -at % 8
        code, kind = message[at], message[at + 2 : at + 3]
        at += 4
        if kind == b"u":
            at += -at % 4
            if code == 5:
                return int(struct.unpack_from(f"{order}I", message, at)[0])
            at += 4
        elif kind == b"g":
            at += message[at] + 2
        else:
            at += -at % 4
            at += 4 + int(struct.unpack_from(f"{order}I", message, at)[0]) + 1
    return -1


def _rows(message: bytes, order: str, begin: int) -> list[bool]:
    """For each unit of a(ssssssouso) whether it is down with nothing queued, and not about to come again."""
    (size,) = struct.unpack_from(f"{order}I", message, begin)
    at = begin + 4 + -(begin + 4) % 8
    end, quiet = at + size, []
    while at < end:
        at += -at % 8
        row: list[Any] = []
        for kind in "ssssssouso":
            at += -at % 4
            (number,) = struct.unpack_from(f"{order}I", message, at)
            at += 4
            if kind == "u":
                row.append(number)
            else:
                row.append(message[at : at + number])
                at += number + 1
        quiet.append(row[3] in QUIET and row[7] == 0 and b"auto-restart" not in row[4])
    return quiet
