"""The kernel's watchdog: there, nobody else's, and open where the guard is armed.

A device that somebody else has open is found now, by looking who has it, not when this node becomes active.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from acmd.checks.finding import Finding, ko, ok, warn
from acmd.checks.subject import Subject

LOAD = (
    "`modprobe softdog && echo softdog > /etc/modules-load.d/softdog.conf` if there is no better driver; "
    "docs/howto/watchdog.md"
)
NOWAYOUT = "a driver that cannot be stopped resets the host then"
ARM = "`acmd switchover` arms it with the watchdog; docs/howto/watchdog.md"
FIRST = ("/dev/watchdog", "/dev/watchdog0")
SYSTEMD_OFF = "/etc/systemd/system.conf.d/zz-acmd.conf"


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has the device open."""

    pid: int
    name: str
    unit: str  # empty: none
    is_guard: bool

    @property
    def called(self) -> str:
        """For a sentence."""
        return self.unit or f"{self.name} (process {self.pid})"

    @property
    def remedy(self) -> str:
        """How it lets go."""
        if self.pid == 1:
            return (
                f"`mkdir -p {os.path.dirname(SYSTEMD_OFF)} && printf '[Manager]\\nRuntimeWatchdogSec=0\\n' > "
                f"{SYSTEMD_OFF} && systemctl daemon-reexec`: systemd lets it go; {NOWAYOUT}"
            )
        if self.unit:
            return f"`systemctl disable --now {self.unit}`; {NOWAYOUT}"
        return f"`kill {self.pid}`; {NOWAYOUT}"


def watchdog(subject: Subject) -> Iterator[Finding]:
    """What the guard says of it, and who has it open."""
    settings, guard = subject.settings.guard, subject.snapshot["guard"]
    device = settings.watchdog_device
    if settings.watchdog == "off":
        yield ok("watchdog: none is asked for (guard.watchdog = off)")
        return
    level, so = warn, "a host whose kernel hangs is not reset"
    if settings.watchdog == "required":
        level, so = ko, "it is required, so this node is not promoted"
    found = holders(subject, device)
    other = next((each for each in found if not each.is_guard), None)
    fault = _fault(guard, device)
    if not subject.at(device).exists():
        yield level(f"there is no watchdog {device}: {so}", LOAD)
    elif other is not None:
        yield level(f"the watchdog {device} is held by {other.called}: {so}", other.remedy)
    elif fault:
        yield level(f"{fault}: {so}", "`wdctl` says more of it; docs/howto/watchdog.md")
    elif guard["armed"] and subject.privileged and not found:
        yield level(
            f"the guard is armed without the watchdog {device}, which was not to be had then: {so}", ARM
        )
    elif guard["armed"]:
        yield ok(f"the watchdog {device} is fed ({settings.watchdog})")
    else:
        yield ok(f"the watchdog {device} is there, for when this node is active ({settings.watchdog})")


def _fault(guard: dict[str, object], device: str) -> str:
    """In the guard's own words: it begins them so."""
    listed = guard.get("faults")
    said = [guard["watchdog"], *(listed if isinstance(listed, list) else ())]
    return next((str(text) for text in said if str(text).startswith(f"watchdog {device}")), "")


def holders(subject: Subject, device: str) -> list[Holder]:
    """Who has it open; only root sees that of others. Its first name and its second are one device."""
    names = set(FIRST if device in FIRST else (device,))
    proc = subject.at("/proc")
    found = []
    for pid in sorted(int(entry.name) for entry in proc.glob("[0-9]*")):
        try:
            files = [os.readlink(f"{proc}/{pid}/fd/{name}") for name in os.listdir(f"{proc}/{pid}/fd")]
        except OSError:
            continue  # it has ended, or is another user's
        if names & set(files):
            found.append(_holder(subject, pid))
    return found


def _holder(subject: Subject, pid: int) -> Holder:
    words = (subject.read(f"/proc/{pid}/cmdline") or "").split("\0")
    group = (subject.read(f"/proc/{pid}/cgroup") or "").strip().rpartition("/")[2]
    return Holder(
        pid,
        (subject.read(f"/proc/{pid}/comm") or "?").strip(),
        group if group.endswith(".service") else "",
        any("acmd" in word for word in words) and "guard" in " ".join(words),
    )
