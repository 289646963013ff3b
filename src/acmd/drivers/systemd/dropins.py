"""Runtime drop-ins that put active-only units behind the gate and into a slice of acmd's.

They live in /run: a reboot takes them away, and the vendor's files are never touched. In them
- ExecCondition=, which systemd evaluates for every start, also for its own Restart= (where newer
  versions do not look at Condition…= and Assert…= again). Refused, the unit is skipped: it is not
  failed, and systemd does not try again.
- ExecStartPre=, appended to the vendor's, and so the very last thing before ExecStart=: the
  vendor's own preparations may take minutes.
- Slice=, so that guard and kernel freeze and kill whatever appears all the same.
- EnvironmentFile=, from which services get ACMD_EPOCH.
The file's name sorts after numbered ones, since a later drop-in could empty these lists.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from acmd.drivers.systemd import gate, groups
from acmd.drivers.systemd.bus import SYSTEMD, BusRefused, SystemdBus

RUNTIME = "/run/systemd/system"
NAME = "zz-acmd.conf"
PARENT = "acmd-active.slice"  # of every cluster's slice; systemd makes it by itself, and leaves it
RELOAD_LIMIT_S = 90.0


@dataclass(frozen=True, slots=True)
class Gate:
    """Whose gate. `run_dir` is the cluster's directory below /run."""

    cluster: str
    run_dir: str
    python: str = sys.executable

    @property
    def slice(self) -> str:
        """The slice of this cluster's active-only units. A dash in the name would nest it deeper."""
        return f"acmd-active-{self.cluster.replace('-', '_')}.slice"

    @property
    def cgroup(self) -> str:
        """The slice's control group: what the guard freezes and kills."""
        return groups.root() + groups.slice_path(self.slice)

    @property
    def epoch_file(self) -> str:
        """Where units read ACMD_EPOCH."""
        return f"{self.run_dir}/epoch.env"

    def note_epoch(self, epoch: int) -> None:
        """Leave the epoch for the units that start next. Raises OSError."""
        temporary = f"{self.epoch_file}.new"
        with open(temporary, "w", encoding="ascii") as file:
            file.write(f"ACMD_EPOCH={epoch}\n")
        os.replace(temporary, self.epoch_file)

    def text(self, unit: str) -> str:
        """The drop-in of a unit."""
        words = (self.python, "-I", "-S", os.path.abspath(gate.__file__), f"{self.run_dir}/gate", unit)
        check = " ".join(_quoted(word) for word in words)
        return (
            f"{self._mark}\n[Service]\nSlice={self.slice}\n"
            f"EnvironmentFile=-{_escaped(self.epoch_file)}\nExecCondition=+{check}\nExecStartPre=+{check}\n"
        )

    @property
    def _mark(self) -> str:
        return f"# Written by acmd for cluster {self.cluster}, for as long as it manages this unit."

    def ours(self) -> dict[str, str]:
        """Units with a drop-in of this cluster, and its path."""
        found: dict[str, str] = {}
        with contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(RUNTIME):
                path = f"{entry.path}/{NAME}"
                if entry.name.endswith(".d") and _read(path).startswith(f"{self._mark}\n"):
                    found[entry.name.removesuffix(".d")] = path
        return found


async def install(gate_of: Gate, units: Iterable[str], bus: SystemdBus) -> bool:
    """Bring the drop-ins in line with the units, with one reload if anything changed. True when so.

    Raises OSError, and what a call on the bus raises. A unit that runs already keeps its slice until
    it is started anew; conditions apply from now on.
    """
    wanted = set(units)
    changed = _remove(gate_of, keep=wanted)
    for unit in sorted(wanted):
        path = f"{RUNTIME}/{unit}.d/{NAME}"
        text = gate_of.text(unit)
        if _read(path) != text:
            _write(path, text)
            changed = True
    if changed:
        await bus.call("Reload", limit_s=RELOAD_LIMIT_S)
    if wanted:
        # A slice that was started stays, even empty: the guard can freeze it before anything is in it.
        await bus.job("StartUnit", gate_of.slice, "fail", RELOAD_LIMIT_S)
    return changed


async def remove(gate_of: Gate, bus: SystemdBus) -> bool:
    """Take all of it away again, with one reload. Units that run are left alone, and so is their slice."""
    changed = _remove(gate_of, keep=set())
    with contextlib.suppress(FileNotFoundError):
        os.unlink(gate_of.epoch_file)
    if changed:
        await bus.call("Reload", limit_s=RELOAD_LIMIT_S)
    if not groups.populated([gate_of.cgroup]):
        for slice_unit in (gate_of.slice, PARENT):
            if slice_unit == PARENT and groups.has_children(slice_unit):
                break  # another cluster's
            with contextlib.suppress(BusRefused):
                await bus.job("StopUnit", slice_unit, "fail", RELOAD_LIMIT_S)
    return changed


async def missing(gate_of: Gate, unit: str, bus: SystemdBus) -> str:
    """Why the gate is not in force for a unit, or an empty string. Raises what a call on the bus raises."""
    (path,) = await bus.call("LoadUnit", "s", unit)
    properties = await bus.properties(path, f"{SYSTEMD}.Unit")
    if properties.get("LoadState") != "loaded":
        return f"{unit} is {properties.get('LoadState')}"
    service = await bus.properties(path, f"{SYSTEMD}.Service")
    if service.get("Slice") != gate_of.slice:
        return f"{unit} goes to {service.get('Slice')} instead of {gate_of.slice}: another drop-in says so"
    for key in ("ExecCondition", "ExecStartPre"):
        commands = [command[1] for command in service.get(key, [])]
        if not commands or f"{gate_of.run_dir}/gate" not in commands[-1]:
            return f"{unit} lacks the gate in its {key}=: another drop-in empties it"
    hidden = [str(entry[0]) for entry in service.get("TemporaryFileSystem", [])]
    hidden = [path for path in hidden if f"{gate_of.run_dir}/".startswith(f"{path.rstrip('/')}/")]
    run = hidden[0] if hidden else "/run"
    if hidden or service.get("RootDirectory") or service.get("RootImage"):
        return f"{unit} cannot see {gate_of.run_dir}, since its root or {run} is its own: it never starts"
    return ""


def _remove(gate_of: Gate, keep: set[str]) -> bool:
    gone = {unit: path for unit, path in gate_of.ours().items() if unit not in keep}
    for path in gone.values():
        os.unlink(path)
        with contextlib.suppress(OSError):  # another's drop-in is in it
            os.rmdir(os.path.dirname(path))
    return bool(gone)


def _write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(f"{path}.new", path)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(65536)
    except (OSError, UnicodeDecodeError):
        return ""


def _escaped(word: str) -> str:
    return word.replace("%", "%%")


def _quoted(word: str) -> str:
    escaped = _escaped(word).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{escaped}"' if " " in escaped or '"' in escaped else escaped
