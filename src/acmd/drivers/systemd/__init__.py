"""Services of kind `systemd`: units over D-Bus, behind the gate by runtime drop-ins.

`SystemdBus` is the one connection, `SystemdService` a unit behind `ports.Service`, `dropins` the gate,
`facts` what checks and presets ask.
"""

from acmd.drivers.systemd.bus import BusGone, BusRefused, SystemdBus
from acmd.drivers.systemd.dropins import Gate
from acmd.drivers.systemd.facts import UnitFacts, facts, first_found, script_behind
from acmd.drivers.systemd.service import SystemdService, SystemdUnit

__all__ = [
    "BusGone",
    "BusRefused",
    "Gate",
    "SystemdBus",
    "SystemdService",
    "SystemdUnit",
    "UnitFacts",
    "facts",
    "first_found",
    "script_behind",
]
