"""The mysql probe: connect, log in, SELECT 1, may it be written. PyMySQL in a thread of its own.

The loop makes the connection and keeps the right to shut it down: so a server that accepts and
never answers is left at the probe's limit, thread included.
"""

from __future__ import annotations

import asyncio
import functools
import os
import socket
import ssl
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.cursors import Cursor
from pymysql.err import Error as MysqlError

from acmd.drivers.probes.probe import CheckFailed
from acmd.drivers.probes.tcp import connect, connected
from acmd.drivers.probes.worker import Worker

if TYPE_CHECKING:
    _Base = pymysql.Connection[Cursor]
else:
    _Base = pymysql.Connection  # generic for type checkers only

LAST_RESORT_S = 60.0  # an own limit on each read, should nobody shut the socket down
# The server is there and turns this login away. No restart of it would change that: a warning, no failure.
LOGIN_REFUSED = {
    1044: "access to the database denied",
    1045: "access denied",
    1129: "this host is blocked",
    1130: "this host is not allowed",
    1698: "access denied",
    1820: "the password must be changed",
    1862: "the password has expired",
    3118: "the account is locked",
    4151: "the account is locked",
}
NOBODY = "acmd"  # asks where there is no login: unlike a hang-up, a refusal does not count against this host
OFF = ("0", "OFF")  # a number everywhere but in the newest MariaDB

# On bytes that are no MySQL, PyMySQL raises whatever its parsing stumbles over.
ODD_ANSWERS = (
    MysqlError, OSError, EOFError, ValueError, RuntimeError, LookupError, AssertionError, AttributeError,
    TypeError, struct.error,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MysqlLogin:
    """Where a server is and as whom to log in. `socket_path`, where set, is used instead of host and port."""

    user: str = ""
    password: str = field(default="", repr=False)
    host: str = "127.0.0.1"
    port: int = 3306
    socket_path: str = ""
    database: str = ""
    lacks: str = ""  # why there is no login, with the way out

    @property
    def place(self) -> str:
        """Where, for people."""
        return self.socket_path or f"{self.host} port {self.port}"


@dataclass(frozen=True, slots=True)
class MysqlCheck:
    """Good when SELECT 1 answers 1 and, with `must_be_writable`, the server is not read-only.

    Where there is no login, or the server refuses it, a server that completes its handshake is good,
    with the fact `warning`: a restart would mend nothing. `login` is asked before each run, so that a
    password changed in its file is taken at once; it must not block and does not raise. Other facts:
    version, read_only, answer_s (from sending SELECT 1 to its answer).
    """

    login: Callable[[], MysqlLogin]
    must_be_writable: bool = False
    _worker: Worker = field(default_factory=lambda: Worker("mysql"), repr=False, compare=False)
    _resolver: Worker = field(default_factory=lambda: Worker("mysql-name"), repr=False, compare=False)

    async def __call__(self) -> dict[str, Any]:
        """Ask once. Raises CheckFailed."""
        if self._worker.busy:
            raise CheckFailed("an earlier check has not returned yet")
        login = self.login()
        sock = await _open(login, self._resolver)
        try:
            copy = sock.dup()  # the thread's own: closing ours can then never hit a descriptor used anew
            facts = await self._worker.run(lambda: _ask(copy, login))
        except ODD_ANSWERS as error:
            return {"warning": _warning(error, login)}
        finally:
            _hang_up(sock)
        if login.lacks:
            facts["warning"] = login.lacks
        if self.must_be_writable and facts["read_only"]:
            raise CheckFailed(f"MySQL at {login.place} is read-only")
        return facts


async def _open(login: MysqlLogin, resolver: Worker) -> socket.socket:
    if not login.socket_path:
        return await connect(login.host, login.port, resolver)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        await connected(sock, login.socket_path)
    except OSError as error:
        raise CheckFailed(f"cannot connect to {login.place}: {os.strerror(error.errno or 0)}") from None
    return sock


def _hang_up(sock: socket.socket) -> None:
    """End whatever a thread waits for on it. PyMySQL closes it, too."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # The other side, or the thread, has closed it already.
    finally:
        sock.close()


class _Connection(_Base):
    """Takes TLS where the server offers it, unverified: MySQL 8 hands a password over only so, or locally."""

    def _create_ssl_ctx(self, sslp: object) -> ssl.SSLContext:
        # PyMySQL's own reads all of the system's certificates for each connection, and uses none of them.
        return _unverified()


class _LocalConnection(_Connection):
    """Over a local socket, which counts as a secure channel."""

    _secure = True


@functools.cache
def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _ask(sock: socket.socket, login: MysqlLogin) -> dict[str, Any]:
    """In the thread; `sock` is closed afterwards."""
    kind = _LocalConnection if login.socket_path else _Connection
    connection = kind(
        user=NOBODY if login.lacks else login.user,
        password=b"" if login.lacks else login.password.encode(),  # PyMySQL would take text for Latin-1
        host=login.host,
        database=login.database or None,
        charset="utf8mb4",
        connect_timeout=LAST_RESORT_S,
        read_timeout=LAST_RESORT_S,
        write_timeout=LAST_RESORT_S,
        autocommit=None,
        program_name="acmd",
        ssl_disabled=bool(login.socket_path),
        defer_connect=True,
    )
    try:
        connection.connect(sock)
        with connection.cursor() as cursor:
            sent = time.monotonic()
            cursor.execute("SELECT 1")
            row = cursor.fetchone()
            answer_s = time.monotonic() - sent
            if not row or row[0] != 1:
                raise ValueError("SELECT 1 did not answer 1")
            cursor.execute("SELECT @@version, @@global.read_only, @@global.innodb_read_only")
            version, *flags = cursor.fetchone() or ("",)
        read_only = any(str(flag).upper() not in OFF for flag in flags)
        connection.close()  # with a good-bye: MySQL logs and counts the others
        return {"version": str(version), "read_only": read_only, "answer_s": answer_s}
    finally:
        sock.close()


def _warning(error: Exception, login: MysqlLogin) -> str:
    """What a server means that is there and refuses the login. Raises CheckFailed for all else."""
    code = error.args[0] if error.args else 0
    refused = LOGIN_REFUSED.get(code) if isinstance(code, int) else None
    if refused is None:
        text = str(error.args[1] if len(error.args) > 1 else error) or type(error).__name__
        if login.password:
            text = text.replace(login.password, "***")
        raise CheckFailed(f"MySQL at {login.place}: {text[:300]}")
    if login.lacks:
        return login.lacks
    return f"MySQL at {login.place} refuses the user {login.user!r} ({refused}): correct user and password"


@dataclass(frozen=True, slots=True)
class Greeting:
    """What the first packet from a MySQL port said. `server` is True when a MySQL server is there at all.

    `refused` tells a server that is up and turns this client away (host not allowed, too many
    connections) from one that would talk. Both are servers that run.
    """

    server: bool
    refused: bool = False
    version: str = ""
    detail: str = ""


async def greet(host: str, port: int, limit_s: float, resolver: Worker | None = None) -> Greeting:
    """Whether a MySQL server runs there, without logging in: for the interlock of a take-over.

    Only a complete first packet of the MySQL protocol counts; refusals, timeouts and other
    protocols are `server=False`. Never raises (but when cancelled) and ends within `limit_s`.
    """
    try:
        async with asyncio.timeout(limit_s):
            sock = await connect(host, port, resolver or Worker("mysql-name"))
            try:
                loop = asyncio.get_running_loop()
                head = await _exactly(loop, sock, 4)
                length = int.from_bytes(head[:3], "little")
                if head[3] != 0 or not 1 <= length <= 4096:
                    return Greeting(False, detail="not the MySQL protocol")
                return _understand(await _exactly(loop, sock, length))
            finally:
                sock.close()
    except CheckFailed as failure:
        return Greeting(False, detail=str(failure))
    except TimeoutError:
        return Greeting(False, detail=f"no greeting within {limit_s:g} s")
    except (OSError, EOFError) as error:
        return Greeting(False, detail=f"the connection broke: {str(error) or type(error).__name__}")


async def _exactly(loop: asyncio.AbstractEventLoop, sock: socket.socket, count: int) -> bytes:
    seen = b""
    while len(seen) < count:
        piece = await loop.sock_recv(sock, count - len(seen))
        if not piece:
            raise EOFError("closed before the greeting")
        seen += piece
    return seen


def _understand(packet: bytes) -> Greeting:
    if packet[0] == 0xFF:
        return Greeting(True, refused=True, detail=packet[3:].decode("utf-8", "replace"))
    version, zero, _ = packet[1:].partition(b"\0")
    if packet[0] == 10 and zero and version:
        return Greeting(True, version=version.decode("ascii", "replace"))
    return Greeting(False, detail="not the MySQL protocol")
