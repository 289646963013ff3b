"""The guard's clients: one socket, one JSON object a packet; nothing a client does holds up the guard."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
from typing import Any

CLIENTS_LIMIT = 16
PACKET_LIMIT = 4096


class Channel:
    """Who is connected. Every client hears the view when it comes, and each change of it."""

    def __init__(self, path: str, poll: select.epoll) -> None:
        self._path, self._poll = path, poll
        self._clients: dict[int, socket.socket] = {}
        self._listener = _listen(path)
        self._told = ""
        poll.register(self._listener.fileno(), select.EPOLLIN)

    def is_listener(self, handle: int) -> bool:
        """Whether somebody wants to connect when this descriptor is readable."""
        return handle == self._listener.fileno()

    def accept(self, view: dict[str, Any]) -> None:
        """Let one client in: root, or the user that the guard runs as."""
        with contextlib.suppress(BlockingIOError, ConnectionError):
            client, _ = self._listener.accept()
            client.setblocking(False)
            credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            uid = int.from_bytes(credentials[4:8], sys.byteorder)
            if uid not in {0, os.geteuid()} or len(self._clients) >= CLIENTS_LIMIT:
                client.close()
                return
            self._clients[client.fileno()] = client
            self._poll.register(client.fileno(), select.EPOLLIN)
            self.send(client.fileno(), view)

    def receive(self, handle: int) -> Any:
        """One request, or None. Raises ValueError for what is not JSON."""
        client = self._clients.get(handle)
        if client is None:
            return None
        try:
            packet = client.recv(PACKET_LIMIT)
        except BlockingIOError:
            return None
        except OSError:
            packet = b""
        if not packet:
            self._drop(handle)
            return None
        return json.loads(packet)

    def send(self, handle: int, view: dict[str, Any]) -> None:
        """A client that does not read is dropped."""
        client = self._clients.get(handle)
        if client is None:
            return
        try:
            client.send(json.dumps(view).encode(), socket.MSG_NOSIGNAL)
        except OSError:
            self._drop(handle)

    def push(self, view: dict[str, Any]) -> None:
        """Tell everybody, if anything but the time left has changed."""
        told = json.dumps({key: value for key, value in view.items() if not key.endswith("_in_ns")})
        if told != self._told:
            self._told = told
            for handle in list(self._clients):
                self.send(handle, view)

    def _drop(self, handle: int) -> None:
        self._clients.pop(handle).close()

    def close(self) -> None:
        """Disconnect everybody and remove the socket."""
        for handle in list(self._clients):
            self._drop(handle)
        self._listener.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)


def _listen(path: str) -> socket.socket:
    """Listen at `path`, 0600 from its first moment on; a dead predecessor's socket is replaced."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    mask = os.umask(0o177)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        listener.bind(path)
    finally:
        os.umask(mask)
    listener.listen(CLIENTS_LIMIT)
    listener.setblocking(False)
    return listener


class Signals:
    """SIGTERM and SIGINT are requests to end, granted once disarmed; a hang-up is none of our business."""

    def __init__(self) -> None:
        self._ours, self._wakeup = socket.socketpair()
        self._ours.setblocking(False)
        self._wakeup.setblocking(False)
        signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self.handle = self._ours.fileno()

    def take(self) -> bool:
        """Whether one of them came."""
        try:
            return bool(self._ours.recv(64))
        except BlockingIOError:
            return False

    def close(self) -> None:
        """Give the signals back."""
        signal.set_wakeup_fd(-1)
        self._ours.close()
        self._wakeup.close()


def notify(message: str) -> None:
    """sd_notify(3): tell PID 1; not being heard changes nothing."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address[:1] not in {"/", "@"}:
        return
    if address[0] == "@":
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel, contextlib.suppress(OSError):
        channel.setblocking(False)
        channel.sendto(message.encode(), address)
