"""The backup of MySQL: against a real MariaDB where there is one, and against clients that misbehave."""

from __future__ import annotations

import gzip
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pymysql
import pytest

import acmd
from acmd.checks.database import _tables
from acmd.checks.finding import Level
from acmd.config.credentials import read_defaults_file
from acmd.drivers.mysql_dump import DATED, FILE, PARTIAL, STALE_S, Source, back_up, options_file
from acmd.errors import AcmdError

PASSWORD = "s3c'r\"e#t\\ =;\u00e4"
COMPLETE = "-- Dump completed on 2026-11-25\n"
SOURCE = Source("acmd", PASSWORD, socket="/nowhere.sock", database="shop")
START_LIMIT_S = 60.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    """A MariaDB of its own, on a socket alone, with one table and a user with an awkward password."""
    if shutil.which("mariadbd") is None or os.geteuid():
        pytest.skip("needs mariadbd and root")
    top = tmp_path_factory.mktemp("mariadb")
    data, socket = top / "data", top / "s.sock"
    install = [
        "mariadb-install-db",
        "--no-defaults",
        "--user=root",
        "--auth-root-authentication-method=socket",
    ]
    subprocess.run([*install, f"--datadir={data}", "--skip-test-db"], check=True, capture_output=True)
    options = ["--no-defaults", "--user=root", "--skip-networking", "--innodb-buffer-pool-size=8M"]
    with (top / "log").open("wb") as log:
        process = subprocess.Popen(
            ["mariadbd", *options, f"--datadir={data}", f"--socket={socket}", f"--pid-file={top / 'pid'}"],
            stdout=log,
            stderr=log,
        )
    try:
        quoted = PASSWORD.replace("\\", "\\\\").replace("'", "''")
        _sql(
            socket,
            "create database shop; create table shop.t (a int) engine=InnoDB; "
            "insert into shop.t values (4711); create user acmd@localhost; "
            "grant all on shop.* to acmd@localhost",
        )
        _sql(socket, f"set password for acmd@localhost = password('{quoted}')")
        yield replace(SOURCE, socket=str(socket))
    finally:
        process.terminate()
        process.wait(START_LIMIT_S)


def _sql(socket: Path, text: str) -> None:
    """As root, once the server answers."""
    command = [
        "mariadb",
        "--no-defaults",
        "--default-character-set=utf8mb4",
        f"--socket={socket}",
        "-e",
        text,
    ]
    until = time.monotonic() + START_LIMIT_S
    while not socket.exists() and time.monotonic() < until:
        time.sleep(0.05)
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def client(tmp_path: Path) -> Path:
    """A client that says that all is well; tests put another text into it."""
    return script(tmp_path / "client", f"printf '%s' '{COMPLETE}'")


def script(file: Path, text: str) -> Path:
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o700)
    return file


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_real_server(server: Source, tmp_path: Path) -> None:
    """The rows are in it; file and directories are for their owner alone; nothing else is left."""
    top = tmp_path / "backup"
    made = back_up(server, top, 7, 60.0)
    text = gzip.decompress(made.read_bytes()).decode()
    assert "INSERT INTO `t` VALUES" in text
    assert "4711" in text
    assert "-- Dump completed" in text
    assert [made.stat().st_mode & 0o777, made.parent.stat().st_mode & 0o777] == [0o600, 0o700]
    assert top.stat().st_mode & 0o777 == 0o700
    assert names(top) == [made.parent.name]
    assert DATED.fullmatch(made.parent.name)


def test_a_wrong_password(server: Source, tmp_path: Path) -> None:
    """The server's words, and nothing that looks like a backup."""
    with pytest.raises(AcmdError, match="Access denied") as caught:
        back_up(replace(server, password="other-word"), tmp_path / "b", 7, 60.0)
    assert "other-word" not in str(caught.value)
    assert names(tmp_path / "b") == []


def test_the_password_is_in_no_argument_and_no_environment(tmp_path: Path) -> None:
    """The client finds it in the option file, which is its first argument, mode 0600."""
    seen = tmp_path / "seen"
    client = script(
        tmp_path / "client",
        f'{{ echo "$@"; env; stat -L -c %a "${{1#--defaults-file=}}"; }} > {seen}\n'
        f'cat "${{1#--defaults-file=}}" > {seen}.options\nprintf "%s" "{COMPLETE}"',
    )
    back_up(SOURCE, tmp_path / "b", 7, 60.0, str(client))
    said = seen.read_text()
    assert PASSWORD not in said
    assert said.splitlines()[-1] == "600"
    assert (tmp_path / "seen.options").read_text() == options_file(SOURCE)


@pytest.mark.parametrize("password", [PASSWORD, "", "a b", "#x", "tab\there", '"', "\\n", "ends\\"])
def test_option_file_brings_every_password(password: str, tmp_path: Path) -> None:
    """What is written is what acmd's own reader of option files, which follows MySQL's rules, reads."""
    file = tmp_path / "o"
    file.write_text(options_file(replace(SOURCE, password=password, socket="")))
    file.chmod(0o600)
    assert read_defaults_file(str(file)).password == password


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("echo half", "before the dump was complete"),
        (f"printf '%s' '{COMPLETE}'; echo no luck >&2; exit 2", "failed with 2: no luck"),
        ("exec sleep 600", "did not end within 0.3 s"),
        (":", "before the dump was complete"),
    ],
    ids=["cut off", "fails at the end", "hangs", "says nothing"],
)
def test_clients_that_misbehave(tmp_path: Path, does: str, said: str) -> None:
    """Nothing new is there afterwards, and older backups stay even with `keep` 1."""
    top = tmp_path / "b"
    old = [top / "2026-01-01_000000", top / "2026-01-02_000000"]
    for path in old:
        path.mkdir(parents=True)
        (path / FILE).touch()
    limit_s = 0.3 if "sleep" in does else 60.0
    with pytest.raises(AcmdError, match=said):
        back_up(SOURCE, top, 1, limit_s, str(script(tmp_path / "client", does)))
    assert names(top) == [path.name for path in old]


def test_pruning(client: Path, tmp_path: Path) -> None:
    """The newest stay; what acmd has not made, or somebody added to, is never removed."""
    top = tmp_path / "b"
    for name in ("2026-01-01_000000", "2026-01-02_000000", "2026-01-03_000000", "mine"):
        (top / name).mkdir(parents=True)
        (top / name / FILE).touch()
    (top / "2026-01-02_000000" / "notes").touch()
    made = back_up(SOURCE, top, 2, 60.0, str(client))
    assert names(top) == sorted(["2026-01-02_000000", "2026-01-03_000000", made.parent.name, "mine"])


def test_a_directory_that_cannot_be_made(client: Path, tmp_path: Path) -> None:
    """One message with the directory."""
    (tmp_path / "file").touch()
    with pytest.raises(AcmdError, match=r"file/b failed: not a directory"):
        back_up(SOURCE, tmp_path / "file" / "b", 2, 60.0, str(client))


def test_tables_that_are_not_innodb(server: Source) -> None:
    """The sanity check names each with its engine, and is content once it is changed."""
    socket = Path(server.socket)
    _sql(socket, "create table shop.old (a int) engine=MyISAM")
    with pymysql.connect(
        unix_socket=server.socket, user=server.user, password=server.password.encode()
    ) as connection:
        (found,) = _tables(connection)
    assert (found.level, found.what) == (
        Level.KO,
        "table shop.old is MyISAM, not InnoDB: a power loss can break it",
    )
    _sql(socket, found.remedy.removeprefix("in MySQL: "))
    with pymysql.connect(
        unix_socket=server.socket, user=server.user, password=server.password.encode()
    ) as connection:
        assert [found.what for found in _tables(connection)] == ["all tables are InnoDB"]


# -- ended from outside ---------------------------------------------------------------------------

BACKUP = """
import signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # it may have been ignored by whoever runs the tests (nohup)
from pathlib import Path
from acmd.drivers.mysql_dump import Source, back_up
from acmd.errors import AcmdError
try:
    back_up(Source("u", "p"), Path(sys.argv[1]), 2, 60.0, sys.argv[2])
except AcmdError as error:
    print(error.what)
    sys.exit(7)
"""


def _started(tmp_path: Path, wrapper: bool) -> tuple[subprocess.Popen[str], Path, int]:
    """A backup in a process of its own whose client never ends: the process, its directory, who dumps."""
    pid = tmp_path / "pid"
    hangs = f"echo $$ > {pid}.new; mv {pid}.new {pid}; exec sleep 600"
    inner = script(tmp_path / "inner", hangs)
    client = script(tmp_path / "client", f"{inner}; exit 1") if wrapper else inner
    top = tmp_path / "b"
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", BACKUP, str(top), str(client)],
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(acmd.__file__).parent.parent)},
    )
    until = time.monotonic() + 20
    while not pid.exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    return process, top, int(pid.read_text())


def _ends(pid: int) -> bool:
    """Whether the process is gone, or a zombie, within a moment."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("wrapper", [False, True], ids=["client", "wrapper"])
def test_ended_by_a_signal(tmp_path: Path, number: signal.Signals, wrapper: bool) -> None:
    """As by timeout(1), cron or systemd: it says so, nothing is left, and nobody goes on dumping."""
    process, top, dumps = _started(tmp_path, wrapper)
    process.send_signal(number)
    said, _ = process.communicate(timeout=20)
    assert (process.returncode, said) == (7, f"the backup was ended by {number.name}\n")
    assert _ends(dumps)
    assert names(top) == []


def test_killed(tmp_path: Path, client: Path) -> None:
    """The client ends with it; what it left is removed by a later backup, and not while it is new."""
    process, top, dumps = _started(tmp_path, wrapper=False)
    process.kill()
    process.communicate(timeout=20)
    assert _ends(dumps)
    (left,) = top.iterdir()
    back_up(SOURCE, top, 7, 60.0, str(client))
    assert left.exists()
    _age(left)
    time.sleep(1.1 - time.time() % 1)  # the next dated name
    back_up(SOURCE, top, 7, 60.0, str(client))
    assert not left.exists()


def test_a_backup_that_runs_is_left_alone(tmp_path: Path, client: Path) -> None:
    """However old its files look: it holds a lock. What somebody else put there stays as well."""
    process, top, _ = _started(tmp_path, wrapper=False)
    (running,) = top.iterdir()
    mine = top / f"{PARTIAL}mine"
    mine.mkdir()
    (mine / "notes").touch()
    for directory in (running, mine):
        _age(directory)
    back_up(SOURCE, top, 7, 60.0, str(client))
    assert running.exists()
    assert mine.exists()
    process.terminate()
    process.communicate(timeout=20)
    assert not running.exists()


def _age(directory: Path) -> None:
    for path in (*directory.iterdir(), directory):
        os.utime(path, (1, time.time() - 2 * STALE_S))
