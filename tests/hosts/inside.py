"""How a command gets into a host without ever being able to harm the machine around it.

The command joins the host's cgroups (so that it dies and freezes with the host) and its namespaces, and is
left with the capabilities that the host's own PID 1 has: none for the clock, modules or the kernel's log.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.hosts.cgroups import Cgroup
from tests.hosts.image import VENV

FILLER = "acmdbed-filler"
PATH = f"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:{VENV}/bin"
ACMD_STATE = ("/run/acmd", "/var/lib/acmd", "/etc/acmd")
REPO_ENV = {"PYTHONPATH": "/repo/src:/repo", "PYTHONDONTWRITEBYTECODE": "1"}
NAMESPACES = ("mnt", "uts", "ipc", "net", "pid", "cgroup")
FORBIDDEN = ("sys_time", "sys_module", "sys_rawio", "syslog")

# Joins each cgroup, then the namespaces. $1 is the number of cgroup files that follow.
ENTER = 'n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ > "$1"; shift; n=$((n-1)); done; exec "$@"'


class HostError(Exception):
    """A verb did not do what it says; the message names host, command and what was said."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a command inside came to."""

    returncode: int
    stdout: str
    stderr: str
    duration_s: float


def leader(group: Cgroup) -> int | None:
    """The machine's process id of the host's PID 1; None while there is none."""
    for pid in group.pids():
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue  # It ended between the listing and now.
        spaces = next((line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:")), [])
        # The container's systemd before its exec is nspawn's own child; the payload's cgroup tells them
        # apart.
        if len(spaces) == 2 and spaces[1] == "1" and "/payload" in _cgroup_of(pid):
            return pid
    return None


def _cgroup_of(pid: int) -> str:
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith("0::")), "")


def exec_cgroup(group: Cgroup) -> Cgroup:
    """Where everything lives that was started by an exec, also what it left running in the background."""
    return Cgroup(f"{group.path}/payload/acmdbed-exec")


def command_line(
    name: str, group: Cgroup, command: list[str], env: dict[str, str] | None = None
) -> list[str]:
    """The machine's command that runs `command` inside; HostError when the host is off."""
    pid = leader(group)
    if pid is None:
        raise HostError(f"{name} is off: cannot run {' '.join(command)}")
    session = exec_cgroup(group)
    session.create()
    files = [str(path) for path in session.procs_files()]
    variables = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "TERM": os.environ.get("TERM", "dumb")}
    assignments = [f"{key}={value}" for key, value in {**variables, **(env or {})}.items()]
    nsenter = ["nsenter", "-t", str(pid), *(f"--{_OPTION.get(space, space)}" for space in NAMESPACES), "--"]
    setpriv = ["setpriv", "--inh-caps=-all", f"--bounding-set={_bounding_set(pid)}", "--"]
    return [
        "sh", "-c", ENTER, "sh", str(len(files)), *files,
        *nsenter, *setpriv, "env", "-i", *assignments, *command,
    ]  # fmt: skip


_OPTION = {"mnt": "mount"}


def _bounding_set(pid: int) -> str:
    """setpriv's words for "what this process may have, and in no case the clock"."""
    status = Path(f"/proc/{pid}/status").read_text()
    mask = int(next(line.split()[1] for line in status.splitlines() if line.startswith("CapBnd:")), 16)
    kept = [f"+cap_{number}" for number in range(64) if mask >> number & 1]
    return ",".join(["-all", *kept, *(f"-{name}" for name in FORBIDDEN)])


def run(
    name: str,
    group: Cgroup,
    command: list[str],
    *,
    timeout_s: float = 30.0,
    check: bool = True,
    stdin: bytes | None = None,
    env: dict[str, str] | None = None,
) -> Result:
    """Run `command` in the host to its end.

    HostError when the host is off, when it takes longer than `timeout_s` (it is killed then), or with `check`
    when its exit code is not 0.
    """
    started = time.monotonic()
    process = subprocess.Popen(
        command_line(name, group, command, env),
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(input=stdin, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        # No second communicate: a child of its own session may hold the pipes for ever.
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        raise HostError(f"{name}: {' '.join(command)} took longer than {timeout_s} s") from None
    result = Result(
        process.returncode,
        out.decode(errors="replace"),
        err.decode(errors="replace"),
        time.monotonic() - started,
    )
    if check and result.returncode != 0:
        said = (result.stdout[-4000:] + result.stderr[-4000:]).strip()
        raise HostError(f"{name}: {' '.join(command)[:300]} ended with {result.returncode}: {said}")
    return result


def fill(execute: Callable[..., Result], mount: str, leave_bytes: int) -> None:
    """Fill the file system at `mount` but for `leave_bytes`."""
    filler = f"{mount.rstrip('/')}/{FILLER}"
    if mount != "/":
        # The others are memory: full at 64 MB instead of at a fifth of the machine's.
        execute(["mount", "-o", f"remount,size={leave_bytes + 64 * 1024**2}", mount])
    available = int(execute(["df", "--output=avail", "-B1", mount]).stdout.split()[-1])
    if available > leave_bytes:
        execute(["fallocate", "-l", str(available - leave_bytes), filler], check=False)
    if leave_bytes == 0:
        # What fallocate could not have for its own tables goes byte by byte, until the kernel says ENOSPC.
        execute(f"cat /dev/zero >> {filler} 2>/dev/null; true", timeout_s=60)


def active_units(execute: Callable[..., Result]) -> frozenset[str]:
    """Services, sockets, timers, slices and mounts that are up or on their way."""
    states = "--state=active,activating,reloading,deactivating"
    kinds = "--type=service,socket,timer,path,mount,target,scope"
    listing = execute(["systemctl", "list-units", "--plain", "--no-legend", states, kinds]).stdout
    return frozenset(line.split()[0] for line in listing.splitlines() if line.strip())


def unit_files(execute: Callable[..., Result]) -> frozenset[str]:
    """Every file and link in the directories from which a test may have made a unit."""
    directories = "/etc/systemd/system /run/systemd/system /etc/init.d /run/systemd/system.control"
    listing = execute(f"find {directories} ! -type d 2>/dev/null; true").stdout
    return frozenset(listing.split())


def undo(
    execute: Callable[..., Result], units: frozenset[str], files: frozenset[str], pushed: list[str]
) -> None:
    """Stop the units and remove the files that are not in the given sets; see Host.reset."""
    extra = sorted(active_units(execute) - units)
    if extra:
        # Thawed and killed first: what a test left behind may be frozen by a gate, or ignore SIGTERM.
        execute(["systemctl", "thaw", "--", *extra], check=False)
        execute(["systemctl", "kill", "-s", "KILL", "--", *extra], check=False)
        execute(["systemctl", "stop", "--", *extra], check=False, timeout_s=60)
    remove = sorted((unit_files(execute) - files) | set(pushed))
    execute(["rm", "-rf", "--", *remove, f"/{FILLER}", f"/run/{FILLER}", *ACMD_STATE])
    if remove:
        execute(["systemctl", "daemon-reload"])
    execute(["systemctl", "reset-failed"])
    missing = sorted(units - active_units(execute))
    services = [unit for unit in missing if unit.endswith((".service", ".socket", ".timer"))]
    if services:
        execute(["systemctl", "start", "--", *services], check=False)
