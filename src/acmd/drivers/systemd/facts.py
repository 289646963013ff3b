"""What `acmd check` and the presets ask of systemd: which unit is there, and does it start by itself?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from acmd.drivers.systemd.bus import SYSTEMD, SystemdBus

STARTS_AT_BOOT = {"enabled", "enabled-runtime", "linked-runtime", "alias"}

SCRIPTS = ("/etc/init.d/", "/etc/rc.d/init.d/")


@dataclass(frozen=True, slots=True)
class UnitFacts:
    """A unit's files. `unit` is its own name, also where an alias was asked for."""

    unit: str
    load: str  # loaded, not-found, masked, bad-setting, error
    file: str
    file_state: str  # enabled, disabled, static, masked, generated …
    wanted_by: tuple[str, ...]  # what pulls it in by itself, as multi-user.target
    triggered_by: tuple[str, ...]  # sockets, timers and paths that start it
    drop_ins: tuple[str, ...]
    needs_reload: bool
    is_sysv: bool

    @property
    def starts_by_itself(self) -> bool:
        """Whether the boot starts it: enabled, or pulled in by a target, as generated units are."""
        return self.file_state in STARTS_AT_BOOT or any(name.endswith(".target") for name in self.wanted_by)


def script_behind(unit_file: str) -> str:
    """The init script of which systemd generated this unit file; "" for any other. Reads one local file."""
    try:
        with open(unit_file, encoding="utf-8", errors="replace") as file:
            lines = file.read(65536).splitlines()
    except OSError:
        return ""
    found = [line.partition("=")[2].strip() for line in lines if line.startswith("SourcePath=")]
    return found[-1] if found and found[-1].startswith(SCRIPTS) else ""


async def facts(unit: str, bus: SystemdBus) -> UnitFacts:
    """Raises what a call on the bus raises; a unit that does not exist is `not-found`."""
    (path,) = await bus.call("LoadUnit", "s", unit)
    found = await bus.properties(path, f"{SYSTEMD}.Unit")
    source = str(found.get("SourcePath", ""))
    return UnitFacts(
        unit=str(found.get("Id", unit)),
        load=str(found.get("LoadState", "")),
        file=str(found.get("FragmentPath", "")),
        file_state=str(found.get("UnitFileState", "")),
        wanted_by=tuple(sorted({*found.get("WantedBy", ()), *found.get("RequiredBy", ())})),
        triggered_by=tuple(sorted(found.get("TriggeredBy", ()))),
        drop_ins=tuple(found.get("DropInPaths", ())),
        needs_reload=bool(found.get("NeedDaemonReload", False)),
        is_sysv=source.startswith(SCRIPTS),
    )


async def first_found(candidates: Iterable[str], bus: SystemdBus) -> UnitFacts | None:
    """The first unit of the list that this host has, masked ones included. Raises as `facts`."""
    for unit in candidates:
        found = await facts(unit, bus)
        if found.load != "not-found":
            return found
    return None
