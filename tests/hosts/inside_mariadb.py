# ruff: noqa: ASYNC110 - what becomes true is waited for by looking
"""The mysql and http probes against real servers, good and bad; runs inside of a host."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from acmd.drivers.database_yml import publish, read
from acmd.drivers.probes import Probe
from acmd.drivers.probes.http import HttpCheck
from acmd.drivers.probes.mysql import MysqlCheck, MysqlLogin, greet
from acmd.drivers.systemd import SystemdService, SystemdUnit
from tests.hosts.inside_units import connected, main_pid

pytestmark = pytest.mark.asyncio

LIMIT_S = 3.0
SOCKET = "/run/mysqld/mysqld.sock"
SECRET = "s3cr3t"


def sql(text: str) -> None:
    """As root over the local socket."""
    subprocess.run(["mariadb", "-e", text], check=True, capture_output=True)


def rows(text: str) -> list[str]:
    """What a question to the server gives."""
    return subprocess.run(
        ["mariadb", "-N", "-e", text], check=True, capture_output=True, text=True
    ).stdout.splitlines()


@pytest_asyncio.fixture
async def mariadb() -> AsyncIterator[SystemdService]:
    """MariaDB, running under the driver."""
    async with connected() as bus:
        it = SystemdService(SystemdUnit("MYSQL", "mariadb.service", "active", 60.0, 60.0), bus)
        assert await it.start(1)
        sql(f"create or replace user acmd@'%' identified by '{SECRET}'; grant all on *.* to acmd@'%'")
        sql("set global read_only=0")
        yield it
        await it.kill()
        while (seen := await it.observe()).processes or seen.jobs:
            await asyncio.sleep(0.02)


def probe(password: str = SECRET, port: int = 3306, path: str = "", writable: bool = False) -> Probe:
    login = MysqlLogin("acmd", password, "127.0.0.1", port, path)
    return Probe("m", MysqlCheck(lambda: login, writable), LIMIT_S)


async def test_a_server_that_answers(mariadb: SystemdService) -> None:
    """Over TCP and over the socket: version, writable, and how long SELECT 1 took."""
    for one in (probe(), probe(path=SOCKET), probe(writable=True)):
        reading = await one.run()
        assert reading.ok, reading.detail
        assert "MariaDB" in reading.facts["version"]
        assert reading.facts["read_only"] is False
        assert 0 < reading.facts["answer_s"] < 1
    assert (await greet("127.0.0.1", 3306, LIMIT_S)).server


async def test_a_read_only_server(mariadb: SystemdService) -> None:
    """A server that may not be written fails only the probe that asks for it."""
    sql("set global read_only=1")
    reading = await probe().run()
    assert (reading.ok, reading.facts["read_only"]) == (True, True)
    assert (await probe(writable=True).run()).detail == "MySQL at 127.0.0.1 port 3306 is read-only"


async def test_a_password_that_was_changed(mariadb: SystemdService) -> None:
    """A server that refuses the login answers: a warning, no failure. The login is read anew for each run."""
    current = [SECRET]
    one = Probe("m", MysqlCheck(lambda: MysqlLogin("acmd", current[0])), LIMIT_S)
    assert (await one.run()).ok
    sql("set password for acmd@'%' = password('other')")
    reading = await one.run()
    assert reading.ok, reading.detail
    assert "refuses the user 'acmd' (access denied): correct user and password" in reading.warning
    assert SECRET not in reading.warning
    current[0] = "other"
    assert (await one.run()).warning == ""


async def test_no_login_at_all(mariadb: SystemdService) -> None:
    """Without credentials the probe tells a server that answers from one that hangs or is gone."""
    one = Probe("m", MysqlCheck(lambda: MysqlLogin(lacks="no file"), must_be_writable=True), 0.5)
    reading = await one.run()
    assert (reading.ok, reading.warning) == (True, "no file")
    os.kill(pid := main_pid("mariadb.service"), signal.SIGSTOP)
    try:
        assert not (await one.run()).ok
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_a_check_says_good_bye(mariadb: SystemdService) -> None:
    """MySQL neither counts nor logs a probe's connection as one that was aborted."""

    def aborted() -> list[str]:
        return rows("show global status where variable_name in ('Aborted_clients', 'Aborted_connects')")

    before = aborted()
    for one in (probe(), probe(path=SOCKET)):
        assert (await one.run()).ok
    await asyncio.sleep(0.2)
    assert aborted() == before


async def test_a_server_that_hangs(mariadb: SystemdService) -> None:
    """A stopped server's kernel still accepts; the probe fails at its limit, and works again after."""
    pid = main_pid("mariadb.service")
    os.kill(pid, signal.SIGSTOP)
    try:
        one = Probe("m", probe()._check, 0.5)
        began = time.monotonic()
        reading = await one.run()
        assert reading.detail == "no answer within 0.5 s"
        assert time.monotonic() - began < 1.0
        assert not (await greet("127.0.0.1", 3306, 0.3)).server
    finally:
        os.kill(pid, signal.SIGCONT)
    assert (await probe().run()).ok


async def test_the_loop_is_never_held_up(mariadb: SystemdService) -> None:
    """While ten probes run, the loop goes round at least every 50 ms."""
    worst, last = 0.0, time.monotonic()
    running = asyncio.gather(*(probe().run() for _ in range(10)))
    while not running.done():
        await asyncio.sleep(0)
        worst, last = max(worst, time.monotonic() - last), time.monotonic()
    assert all(reading.ok for reading in running.result())
    print(f"longest turn of the loop: {worst * 1000:.1f} ms")
    assert worst < 0.05


async def test_a_killed_server_is_noticed(mariadb: SystemdService) -> None:
    """After SIGKILL the driver hears of it at once and the probe fails."""
    await mariadb.observe()
    pid = main_pid("mariadb.service")
    mariadb.changed.clear()
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    while (await mariadb.observe()).state == "running":
        await asyncio.wait_for(mariadb.changed.wait(), LIMIT_S)
    print(f"noticed after {(time.monotonic() - began) * 1000:.1f} ms")
    assert "Connection refused" in (await probe().run()).detail


async def test_login_out_of_database_yml(mariadb: SystemdService, tmp_path: object) -> None:
    """The login that Orchestrator uses serves the probe, also after the host was published."""
    path = f"{tmp_path}/database.yml"
    with open(path, "w", encoding="utf-8") as file:  # noqa: ASYNC230
        file.write(f"production:\n  host: 10.9.9.9 # active\n  username: acmd\n  password: '{SECRET}'\n")
    assert publish(path, "production", "127.0.0.1")

    def login() -> MysqlLogin:
        found = read(path, "production")
        return MysqlLogin(found.user, found.password, found.host, found.port or 3306, found.socket)

    assert (await Probe("m", MysqlCheck(login), LIMIT_S).run()).ok


async def test_apache() -> None:
    """Apache's page is found by status and text; stopped, it refuses."""
    async with connected() as bus:
        it = SystemdService(SystemdUnit("APACHE", "apache2.service", "all"), bus)
        assert await it.start(1)
        assert (await Probe("h", HttpCheck("127.0.0.1", 80, text="Apache2 Debian"), LIMIT_S).run()).ok
        missing = await Probe("h", HttpCheck("127.0.0.1", 80, "/none"), LIMIT_S).run()
        assert missing.detail == "status 404 instead of 200"
        assert await it.stop()
        assert "refused" in (await Probe("h", HttpCheck("127.0.0.1", 80), LIMIT_S).run()).detail
