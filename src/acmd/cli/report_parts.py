"""The parts of a report. Each ends within a limit, whatever hangs; each may fail by itself."""

from __future__ import annotations

import json
import os
import platform
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from acmd import __version__
from acmd.cli.annals import CLOCKS, line, past
from acmd.cli.report import Part
from acmd.config.glance import Glance
from acmd.errors import AcmdError

COMMAND_S = 10.0
CHECK_S = 40.0
STORAGE_S = 5.0
LOG_BYTES = 1 << 20
LOG_LINES = 5000
LOG_FILES = ("/var/log/aspera.log", "/var/log/messages", "/var/log/syslog")
BESIDE = ("rsyslog.service", "chronyd.service")
SHOWN = ("lease.json", "write.json", "highest", "hooks.json", "cluster.json")  # nothing secret in them


def own_units(config: str) -> tuple[str, str, str]:
    """Daemon, guard and services: of /etc/acmd/NAME.toml those named NAME, of acmd.toml the plain ones."""
    name = Path(config).stem
    suffix = "" if name == "acmd" else f"@{name}"
    return f"acmd{suffix}.service", f"acmd-guard{suffix}.service", f"acmd-services{suffix}.service"


def parts(config: str, place: Glance) -> dict[str, Part]:
    """File names in the archive, each with what collects it."""
    me = [sys.executable, "-P", "-m", "acmd"]
    found: dict[str, Part] = {
        "versions": versions,
        "status.json": partial(command, [*me, "status", "--config", config, "--json"], codes=range(4)),
        "status.txt": partial(command, [*me, "status", "--config", config], codes=range(4)),
        "config-show.toml": partial(command, [*me, "config", "--config", config, "show"]),
        "config-check.txt": partial(command, [*me, "config", "--config", config, "check"], codes=range(2)),
        "check.txt": partial(command, [*me, "check", "--config", config], codes=range(2), limit_s=CHECK_S),
        "history.json": lambda: json.dumps(past(place, 100, STORAGE_S), indent=1),
        "logs.txt": lambda: _logs(place),
        "events.txt": lambda: _own_events(place),
        "shared.json": lambda: shared(place),
        "local-files.txt": lambda: local_files(place),
        "journal.txt": partial(
            command,
            ["journalctl", "--no-pager", "-q", "-n", str(LOG_LINES), "-o", "short-iso-precise"]
            + [word for unit in own_units(config)[:2] for word in ("-u", unit)],
        ),
        "units.txt": lambda: without_secrets(command(["systemctl", "--no-pager", "show", *units(config)])),
        "unit-files.txt": lambda: without_secrets(
            command(["systemctl", "--no-pager", "cat", *own_units(config)], codes=range(2))
        ),
        "mounts.txt": partial(tail, "/proc/self/mountinfo"),
        "room.txt": partial(command, ["df", "-h", "--output"], codes=range(2)),
        "processes.txt": partial(command, ["ps", "-eo", "pid,ppid,stat,wchan:24,rtprio,etimes,rss,comm"]),
    }
    for file in LOG_FILES:
        if os.path.exists(file):
            found[f"log{file.replace('/', '-')}"] = partial(acmd_lines, file)
    return found


def versions() -> str:
    """What runs here."""
    rows = [
        f"acmd {__version__}",
        f"python {sys.version.split()[0]}",
        f"kernel {platform.release()}",
        f"uptime_s {Path('/proc/uptime').read_text().split()[0]}",
        f"user {os.geteuid()}",
    ]
    for file in ("/etc/os-release", "/proc/loadavg", "/proc/meminfo", "/proc/pressure/io"):
        try:
            rows.append(f"\n{file}\n{tail(file)[:2000]}")
        except OSError as error:
            rows.append(f"\n{file}: {error.strerror}")
    return "\n".join(rows) + "\n"


def command(argv: list[str], codes: range = range(1), limit_s: float = COMMAND_S) -> str:
    """What a command says on both outputs. Raises AcmdError when it is absent, fails or does not end."""
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise AcmdError(f"{argv[0]}: {(error.strerror or str(error)).lower()}", "") from None
    try:
        output, _ = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        if process.stdout is not None:
            process.stdout.close()
        raise AcmdError(f"{os.path.basename(argv[0])} did not end within {limit_s:g} s", "") from None
    text = output.decode(errors="replace")
    if process.returncode not in codes:
        last = text.strip().splitlines()[-1:] or [""]
        raise AcmdError(f"{' '.join(argv[:6])} ended with {process.returncode}: {last[0][:300]}", "")
    return text


def without_secrets(text: str) -> str:
    """What systemd says of units; of their environments the names alone, since passwords stand there."""
    return "\n".join(map(_masked, text.splitlines())) + "\n"


def _masked(line: str) -> str:
    setting, _, value = line.partition("=")
    if setting.strip() == "Environment":
        names = re.findall(r"([A-Za-z_]\w*)=", value)
        return f"{setting}=" + " ".join(f"{name}=(not shown)" for name in names)
    return f"{setting}=(not shown)" if setting.strip().startswith("SetCredential") else line


def units(config: str) -> list[str]:
    """acmd's own units, and those of configured services as far as the configuration can be read."""
    from acmd.config.apart import load_apart
    from acmd.config.model import SystemdService

    try:
        services = load_apart(config, limit_s=COMMAND_S).services
    except AcmdError:
        return [*own_units(config), *BESIDE]
    return [
        *own_units(config),
        *BESIDE,
        *(unit for one in services if isinstance(one, SystemdService) for unit in one.units),
    ]


def tail(file: str) -> str:
    """The end of a local file."""
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as stream:
        if stream.seekable() and (size := os.fstat(descriptor).st_size) > LOG_BYTES:
            stream.seek(size - LOG_BYTES)
        return stream.read(LOG_BYTES).decode(errors="replace")


def acmd_lines(file: str) -> str:
    """The last lines of a log that are acmd's."""
    found = [row for row in tail(file).splitlines() if "acmd" in row]
    return "\n".join(found[-LOG_LINES:]) + "\n"


def _logs(place: Glance) -> str:
    events = past(place, 1, STORAGE_S)["events"]
    return "\n".join([f"# {CLOCKS}", *(line(event, event["node"]) for event in events)]) + "\n"


def _own_events(place: Glance) -> str:
    from acmd.cli.events import own_file

    return "\n".join(map(line, own_file(place))) + "\n"


def local_files(place: Glance) -> str:
    """What acmd keeps on this host: names, sizes, modes, and the small ones' content."""
    rows = []
    for directory in (place.run_dir, place.state_dir):
        for path in sorted(Path(directory).iterdir()):
            found = path.lstat()
            rows.append(f"{path} mode={found.st_mode:o} uid={found.st_uid} size={found.st_size}")
            if path.name in SHOWN and stat.S_ISREG(found.st_mode) and found.st_size <= 65_536:
                rows.append(f"    {path.read_text(errors='replace').strip()}")
    return "\n".join(rows) + "\n"


def shared(place: Glance) -> str:
    """The records, node files, journals and orders as they are. Raises AcmdError."""
    from acmd.core.calls import StorageFault
    from acmd.drivers.aside import answers

    try:
        return json.dumps(dict(answers(lambda: _shared(place), STORAGE_S)), indent=1)
    except StorageFault as failure:
        raise AcmdError(f"{place.directory}: {failure}", "") from None


def _shared(place: Glance) -> Iterator[tuple[str, Any]]:
    """In the process that may hang."""
    from acmd.core import annals, board
    from acmd.drivers.lease_worker.directory import Directory

    directory = Directory(place.directory, place.node)
    yield "cluster.json", _text(directory.run(board.read_cluster()))
    yield "leases", _text(directory.run(annals.read_leases(50)))
    yield "nodes", _text(directory.run(board.read_nodes()))
    yield "orders", _text(directory.run(board.read_command(-2)))
    yield "journals", _text(directory.run(annals.read_journals()))


def _text(found: Any) -> Any:
    """What was read, its bytes as text."""
    if isinstance(found, bytes):
        return found.decode("latin-1")
    return [_text(one) for one in found] if isinstance(found, (tuple, list)) else found
