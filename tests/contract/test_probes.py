"""Probes against real sockets: what they call good, what they call bad, and that nothing hangs."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acmd.drivers.probes import CheckFailed, Probe, Threshold, Verdict
from acmd.drivers.probes.command import CommandCheck
from acmd.drivers.probes.http import HttpCheck
from acmd.drivers.probes.mysql import MysqlCheck, MysqlLogin, greet
from acmd.drivers.probes.tcp import TcpCheck
from acmd.drivers.scripts.program import run_program

HERE = "127.0.0.1"
LIMIT_S = 5.0
SHORT_S = 0.1

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(talk: Talk) -> AsyncIterator[int]:
    """A TCP server that does `talk` with each client; gives its port."""

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (OSError, EOFError):
            pass
        finally:
            writer.transport.abort()

    listening = await asyncio.start_server(client, HERE, 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


def says(data: bytes) -> Talk:
    """Sends the bytes after the first line of the request, and ends."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    return talk


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accepts, and waits until the client goes away."""
    await reader.read()


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as sock:
        sock.bind((HERE, 0))
        return int(sock.getsockname()[1])


# ---------------------------------------------------------------- a probe


class Counted:
    """A check whose runs a test holds, counts and ends."""

    def __init__(self) -> None:
        self.begun = 0
        self.at_once = 0
        self.most_at_once = 0
        self.go = asyncio.Event()

    async def __call__(self) -> dict[str, Any]:
        self.begun += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.go.wait()
        finally:
            self.at_once -= 1
        return {"answer": 42}


@pytest.mark.asyncio
async def test_a_check_that_hangs_is_a_failed_one() -> None:
    """A check that does not end in time is cancelled and counts as failed, with the limit in its reason."""
    check = Counted()
    probe = Probe("web", check, 0.01)
    reading = await probe.run()
    assert not reading.ok
    assert reading.detail == "no answer within 0.01 s"
    assert check.at_once == 0


@pytest.mark.asyncio
async def test_runs_never_overlap() -> None:
    """Whoever asks while a run is under way gets that run's reading; no second run begins."""
    check = Counted()
    probe = Probe("web", check, LIMIT_S)
    runs = [asyncio.create_task(probe.run()) for _ in range(5)]
    await asyncio.sleep(0)
    check.go.set()
    readings = await asyncio.gather(*runs)
    assert check.begun == check.most_at_once == 1
    assert all(reading is readings[0] and reading.ok for reading in readings)
    assert readings[0].facts == {"answer": 42}
    await probe.run()
    assert check.begun == 2


@pytest.mark.asyncio
async def test_a_cancelled_run_leaves_the_probe_usable() -> None:
    """Cancelling one who runs the probe tells the others that it failed, and the next run works."""
    check = Counted()
    probe = Probe("web", check, LIMIT_S)
    first = asyncio.create_task(probe.run())
    second = asyncio.create_task(probe.run())
    await asyncio.sleep(0)
    first.cancel()
    assert not (await second).ok
    check.go.set()
    assert (await probe.run()).ok


# ---------------------------------------------------------------- thresholds


def test_thresholds_count_in_a_row() -> None:
    """Three bad readings make it failing, two good ones healthy; a mixture keeps the verdict."""
    threshold = Threshold(fail_after=3, recover_after=2)
    seen = []
    for letter in "++-+--+---++":
        changed = threshold.note(letter == "+")
        seen.append((threshold.verdict.name[0], changed))
    assert "".join(verdict for verdict, _ in seen) == "UHHHHHHHHFFH"
    assert [changed for _, changed in seen].count(True) == 3


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 5), st.integers(1, 5))
def test_a_verdict_has_its_row_of_readings(readings: list[bool], fail_after: int, recover_after: int) -> None:
    """A verdict changes only at the end of a full row of readings of that kind, and then always."""
    threshold = Threshold(fail_after, recover_after)
    for index, ok in enumerate(readings):
        needed = recover_after if ok else fail_after
        row = readings[max(0, index + 1 - needed) : index + 1]
        complete = len(row) == needed and all(value == ok for value in row)
        wanted = Verdict.HEALTHY if ok else Verdict.FAILING
        before = threshold.verdict
        changed = threshold.note(ok)
        assert threshold.verdict is (wanted if complete else before)
        assert changed is (threshold.verdict is not before)


def test_thresholds_below_one_are_refused() -> None:
    """A threshold of 0 readings would be a verdict without a reading."""
    with pytest.raises(ValueError, match="count from 1"):
        Threshold(fail_after=0)


# ---------------------------------------------------------------- tcp


@pytest.mark.asyncio
async def test_tcp() -> None:
    """A port that accepts is good; one that refuses, or a name that leads nowhere, is not."""
    async with server(silence) as port:
        assert (await Probe("t", TcpCheck(HERE, port), LIMIT_S).run()).ok
        assert (await Probe("t", TcpCheck("localhost", port), LIMIT_S).run()).ok
    refused = await Probe("t", TcpCheck(HERE, free_port()), LIMIT_S).run()
    assert "Connection refused" in refused.detail
    nowhere = await Probe("t", TcpCheck("no such name", 80), LIMIT_S).run()
    assert "cannot be looked up" in nowhere.detail


@pytest.mark.asyncio
async def test_tcp_that_answers_nothing() -> None:
    """A server whose backlog is full neither accepts nor refuses: the probe fails at its limit."""
    with socket.socket() as full, socket.socket() as filler:
        full.bind((HERE, 0))
        full.listen(0)
        port = full.getsockname()[1]
        filler.setblocking(False)
        filler.connect_ex((HERE, port))
        others = [socket.socket() for _ in range(4)]
        for other in others:
            other.setblocking(False)
            other.connect_ex((HERE, port))
        reading = await Probe("t", TcpCheck(HERE, port), SHORT_S).run()
        for other in others:
            other.close()
    assert reading.detail == f"no answer within {SHORT_S} s"


# ---------------------------------------------------------------- http

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>I am Orchestrator</html>"


@pytest.mark.asyncio
async def test_http_status_and_text() -> None:
    """The status must be one of those asked for, and the text must be in the body, not in a header."""
    async with server(says(OK)) as port:
        assert (await Probe("h", HttpCheck(HERE, port), LIMIT_S).run()).facts == {"status": 200}
        assert (await Probe("h", HttpCheck(HERE, port, text="Orchestrator"), LIMIT_S).run()).ok
        other = await Probe("h", HttpCheck(HERE, port, text="text/html"), LIMIT_S).run()
        assert other.detail == "the answer does not hold 'text/html'"
        status = await Probe("h", HttpCheck(HERE, port, status=(301, 302)), LIMIT_S).run()
        assert status.detail == "status 200 instead of 301 or 302"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("talk", "reason"),
    [
        (says(b""), "the connection broke"),
        (says(b"220 mail.example ESMTP\r\n"), "an answer that is not HTTP"),
        (says(b"HTTP/1.1 abc\r\n\r\n"), "an answer that is not HTTP"),
        (says(b"x" * 200_000), "an answer that is not HTTP"),
        (silence, f"no answer within {SHORT_S} s"),
    ],
    ids=["closes", "another protocol", "no status", "endless line", "silence"],
)
async def test_http_bad_answers(talk: Talk, reason: str) -> None:
    """Whatever is no HTTP answer in time is a failed probe with its reason."""
    async with server(talk) as port:
        reading = await Probe("h", HttpCheck(HERE, port), SHORT_S if talk is silence else LIMIT_S).run()
    assert not reading.ok
    assert reason in reading.detail


@pytest.mark.asyncio
async def test_tls_with_one_who_speaks_none() -> None:
    """A TLS probe of a plain port is a failed one, and of a silent port at its limit."""
    async with server(says(OK)) as port:
        assert not (await Probe("h", HttpCheck(HERE, port, tls=True), SHORT_S).run()).ok


# ---------------------------------------------------------------- mysql

SECRET = "s3cr3t-in-no-log"


def login(port: int) -> Callable[[], MysqlLogin]:
    return lambda: MysqlLogin("acmd", SECRET, HERE, port)


def packet(payload: bytes, number: int = 0) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([number]) + payload


TOO_MANY = packet(b"\xff" + (1040).to_bytes(2, "little") + b"#08004Too many connections")
DENIED = packet(b"\xff" + (1045).to_bytes(2, "little") + b"#28000Access denied", 2)
GREETING = packet(
    b"\x0a" + b"8.0.36-fake\0" + b"\x01\0\0\0" + b"12345678\0" + b"\xff\xf7" + b"\x2d\x02\0\x0f\x80\x15"
    + b"\0" * 10 + b"123456789012\0" + b"mysql_native_password\0"
)  # fmt: skip


def greets(first: bytes, then: bytes | None = None) -> Talk:
    """Sends `first` at once, and `then` after whatever the client says; or falls silent."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        await reader.read(1)
        if then is None:
            await reader.read()
        else:
            writer.write(then)
            await writer.drain()
            writer.close()
            await writer.wait_closed()

    return talk


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("talk", "limit_s", "reason"),
    [
        (silence, SHORT_S, f"no answer within {SHORT_S} s"),
        (greets(GREETING), SHORT_S, f"no answer within {SHORT_S} s"),
        (greets(TOO_MANY), LIMIT_S, "Too many connections"),
        (greets(b"", b""), SHORT_S, "no answer within"),
        (greets(b"SSH-2.0-OpenSSH_9.2\r\n", b""), LIMIT_S, "MySQL at 127.0.0.1"),
        (greets(packet(b"\x0a")), LIMIT_S, "MySQL at 127.0.0.1"),
        (greets(packet(b"")), LIMIT_S, "MySQL at 127.0.0.1"),
        (greets(GREETING, packet(b"\xfe" + b"strange\0", 2)), LIMIT_S, "MySQL at 127.0.0.1"),
    ],
    ids=[
        "silent",
        "silent after greeting",
        "too many",
        "nothing",
        "ssh",
        "cut",
        "empty",
        "unknown",
    ],
)
async def test_mysql_bad_servers(talk: Talk, limit_s: float, reason: str) -> None:
    """A server that is silent, refuses or is none fails the probe in time, with no password in the reason."""
    async with server(talk) as port:
        check = MysqlCheck(login(port))
        reading = await Probe("m", check, limit_s).run()
        assert reason in reading.detail
        assert SECRET not in f"{reading}{check}{check.login()!r}"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("lacks", "warning"), [("", "refuses the user 'acmd' (access denied)"), ("no file", "no file")]
)
async def test_mysql_without_a_login(lacks: str, warning: str) -> None:
    """A server that refuses the login, or for which there is none, answers all the same: a warning."""
    async with server(greets(GREETING, DENIED)) as port:
        check = MysqlCheck(lambda: MysqlLogin("acmd", SECRET, HERE, port, lacks=lacks), must_be_writable=True)
        reading = await Probe("m", check, LIMIT_S).run()
    assert reading.ok
    assert warning in reading.warning
    assert SECRET not in str(reading)


@pytest.mark.asyncio
async def test_mysql_refused() -> None:
    """A refused connection fails at once."""
    assert "Connection refused" in (await Probe("m", MysqlCheck(login(free_port())), LIMIT_S).run()).detail
    at_path = MysqlCheck(lambda: MysqlLogin(socket_path="/nonexistent/mysql.sock"))
    assert "No such file" in (await Probe("m", at_path, LIMIT_S).run()).detail


@pytest.mark.asyncio
async def test_mysql_hangs_leave_no_thread() -> None:
    """The thread of a check that was given up ends, so that the next check runs."""
    async with server(silence) as port:
        check = MysqlCheck(login(port))
        probe = Probe("m", check, SHORT_S)
        for _ in range(3):
            assert (await probe.run()).detail == f"no answer within {SHORT_S} s"
            thread = check._worker._thread
            assert thread is not None
            thread.join(LIMIT_S)
            assert not thread.is_alive()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("talk", "server_there", "refused"),
    [
        (greets(GREETING), True, False),
        (greets(TOO_MANY), True, True),
        (silence, False, False),
        (greets(b"SSH-2.0-OpenSSH_9.2\r\n"), False, False),
        (greets(packet(b"\x0a")), False, False),
        (greets(GREETING[:20]), False, False),
    ],
    ids=["mysql", "too many", "silence", "ssh", "cut greeting", "half a greeting"],
)
async def test_the_interlocks_question(talk: Talk, server_there: bool, refused: bool) -> None:
    """Only a complete MySQL packet means that a server runs there; everything else lets a take-over pass."""
    async with server(talk) as port:
        greeting = await greet(HERE, port, SHORT_S)
    assert (greeting.server, greeting.refused) == (server_there, refused)
    assert greeting.version == ("8.0.36-fake" if server_there and not refused else "")
    assert not (await greet(HERE, free_port(), SHORT_S)).server


# ---------------------------------------------------------------- command


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("script", "limit_s", "reason"),
    [
        ("exit 0", LIMIT_S, ""),
        ("echo first; echo the disk is full >&2; exit 3", LIMIT_S, "exit code 3: the disk is full"),
        ("kill -9 $$", LIMIT_S, "exit code -9"),
        ("echo waiting; trap '' TERM; sleep 1000", 0.3, "no end within 0.3 s: waiting"),
        ("sleep 1000 & exit 0", LIMIT_S, ""),
        ("head -c 1000000 /dev/zero; exit 0", LIMIT_S, ""),
    ],
    ids=["good", "bad", "killed", "hangs", "leaves a child", "talks a lot"],
)
async def test_command(script: str, limit_s: float, reason: str) -> None:
    """The exit code decides; what hangs is killed with its children; the last line is the reason."""
    check = CommandCheck(("/bin/sh", "-c", script), run_program, limit_s)
    reading = await Probe("c", check, limit_s + LIMIT_S).run()
    assert reading.detail == reason


@pytest.mark.asyncio
async def test_a_program_that_cannot_run() -> None:
    """A program that does not exist is a failed probe which names it."""
    check = CommandCheck(("/nonexistent/program",), run_program, LIMIT_S)
    assert "/nonexistent/program" in (await Probe("c", check, LIMIT_S).run()).detail


@pytest.mark.asyncio
async def test_a_cancelled_command_is_killed(tmp_path: Any) -> None:
    """Cancelling a command probe kills the program and all that it started in its group."""
    told = tmp_path / "pids"
    os.mkfifo(told)
    script = f"sleep 1000 & echo $$ $! > {told}; wait"
    run = asyncio.create_task(CommandCheck(("/bin/sh", "-c", script), run_program, LIMIT_S)())
    pids = [int(word) for word in (await asyncio.to_thread(told.read_text)).split()]
    descriptors = [os.pidfd_open(pid) for pid in pids]
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    for descriptor in descriptors:
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(descriptor, ended.set)
        await asyncio.wait_for(ended.wait(), LIMIT_S)
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)


def test_check_failed_is_what_checks_raise() -> None:
    """CheckFailed carries its reason as text."""
    assert str(CheckFailed("because")) == "because"
