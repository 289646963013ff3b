"""`drivers.hook` and `drivers.journal_file`, with real processes and files."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from pathlib import Path

import pytest

from acmd.drivers.hook import MarkFile, run_hook
from acmd.drivers.journal_file import JournalFile, read_newest

SH = "/bin/sh"


def run(script: str, limit_s: float = 10.0, **environment: str) -> str:
    """A hook that is a line of sh."""
    return asyncio.run(run_hook((SH, "-c", script), environment, limit_s))


def lives(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event, a path, a locale; nothing of the daemon's own, no descriptor of it, a session of its own."""
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/x")
    monkeypatch.setenv("SECRET", "x")
    file = tmp_path / "env"
    assert (
        run(f"env > {file}; ls /proc/self/fd | wc -l >> {file}; ps -o sid= -p $$ >> {file}", ACMD_EVENT="a b")
        == ""
    )
    lines = file.read_text().splitlines()
    names = {line.partition("=")[0] for line in lines if "=" in line}
    assert names - {"PWD", "SHLVL", "_", "OLDPWD"} == {"PATH", "LANG", "ACMD_EVENT"}
    assert "ACMD_EVENT=a b" in lines
    assert int(lines[-2]) == 4  # 0 to 2, and the directory that ls reads
    assert int(lines[-1]) != os.getsid(0)


def test_how_it_can_fail() -> None:
    """Its exit code with what it said last; a program that is not there; never an exception."""
    assert run("echo no route; exit 3") == "exit code 3: no route"
    assert run("head -c 3000000 /dev/zero; exit 1").startswith("exit code 1")
    assert asyncio.run(run_hook(("/absent/program",), {}, 1)).startswith("it cannot be started: no such file")
    assert run("kill -9 $$").startswith("exit code -9")


def test_its_limit(tmp_path: Path) -> None:
    """At the limit it is killed with what it started; a child that it leaves behind is killed, too."""
    file = tmp_path / "pids"
    began = time.monotonic()
    said = run(f"trap '' TERM; sleep 1000 & echo $! $$ > {file}; wait", 0.5)
    assert said == "no end within 0.5 s; killed"
    assert run(f"sleep 1000 & echo $! >> {file}") == ""
    assert time.monotonic() - began < 8
    pids = [int(pid) for pid in file.read_text().split()]
    assert len(pids) == 3
    until = time.monotonic() + 5
    while any(map(lives, pids)):
        assert time.monotonic() < until
        threading.Event().wait(0.01)


def test_marks_come_back(tmp_path: Path) -> None:
    """As saved, mode 0600; absent, torn or foreign ones are none; a directory that is gone raises nothing."""
    marks = MarkFile(tmp_path / "hooks.json")
    assert marks.load() == {}
    asyncio.run(marks.save({"told": {"x": 1.5}}))
    assert marks.load() == {"told": {"x": 1.5}}
    assert (tmp_path / "hooks.json").stat().st_mode & 0o777 == 0o600
    for data in (b"", b"{", b"[]", b"\xff" * 100, b"[" * 100_000):
        (tmp_path / "hooks.json").write_bytes(data)
        assert marks.load() == {}
    (tmp_path / "hooks.json").unlink()
    os.mkfifo(tmp_path / "hooks.json")
    assert marks.load() == {}
    asyncio.run(MarkFile(tmp_path / "absent" / "hooks.json").save({}))


def test_marks_of_several_hooks(tmp_path: Path) -> None:
    """Saved while another save runs: each returns once its content, or newer, is there; the newest stays."""
    marks = MarkFile(tmp_path / "hooks.json")

    async def one(number: int) -> None:
        await marks.save({"told": list(range(number + 1))})
        assert number in marks.load()["told"]

    async def story() -> None:
        await asyncio.gather(*map(one, range(20)))

    for _ in range(10):
        asyncio.run(story())
        assert marks.load() == {"told": list(range(20))}


def test_the_journal_file(tmp_path: Path) -> None:
    """Lines come back in order over a rotation; two files at most, mode 0640; a torn line spoils no other."""
    path = tmp_path / "events.jsonl"
    path.write_text('{"torn')
    file = JournalFile(path, file_bytes=2000)
    for number in range(150):
        file.append(f"line {number:04d} " + "x" * 20)
    file.close(5)
    assert {entry.name for entry in tmp_path.iterdir()} == {"events.jsonl", "events.jsonl.1"}
    newest = read_newest(path)
    assert newest[-1].startswith("line 0149")
    numbers = [int(line.split()[1]) for line in newest]
    assert numbers == list(range(numbers[0], 150))
    assert path.stat().st_size <= 2100
    assert path.with_name("events.jsonl.1").stat().st_mode & 0o777 == 0o640
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_journal_that_cannot_be_written(tmp_path: Path) -> None:
    """It says why, and goes on when it can again; a link in its place is not followed."""
    path = tmp_path / "gone" / "events.jsonl"
    file = JournalFile(path)
    file.append("a")
    until = time.monotonic() + 5
    while not file.fault:
        assert time.monotonic() < until
        threading.Event().wait(0.01)
    assert "no such file" in file.fault
    path.parent.mkdir()
    file.append("b")
    file.close(5)
    assert read_newest(path) == ["b"]
    assert file.fault == ""
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    other = JournalFile(path)
    other.append("c")
    other.close(5)
    assert other.fault
    assert not (tmp_path / "elsewhere").exists()
    assert read_newest(path) == []
