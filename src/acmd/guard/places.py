"""The gate and the guard's own memory, as small files in the run directory."""

from __future__ import annotations

import contextlib
import json
import os

from acmd.guard.processes import write_file
from acmd.guard.switch import OPEN, Switch

GATE = "gate"
STATE = "guard.json"


class Places:
    """`gate` for runners and start conditions, `guard.json` for the guard that comes after this one.

    The gate's line is `shut`, `closing`, `open EPOCH BOOT_NS RAW_NS` (no start once either clock
    has reached its number: a dead guard's gate closes by itself) or, detached, `open EPOCH`.
    """

    def __init__(self, run_dir: str, renew_ns: int, boot_id: str) -> None:
        self.fault = ""
        self._gate_path = f"{run_dir}/{GATE}"
        self._state_path = f"{run_dir}/{STATE}"
        self._renew_ns = renew_ns
        self._boot_id = boot_id
        self._gate = ""
        self._state = ""

    def put(self, switch: Switch) -> bool:
        """Bring the gate's file into line. False, and `fault` says why, when it could not be done.

        A gate that cannot be closed by writing is closed by removing it.
        """
        line = switch.gate
        if line == OPEN and switch.issued is not None:
            boot_ns, raw_ns = (reading + self._renew_ns for reading in switch.issued)
            line = f"open {switch.epoch} {boot_ns} {raw_ns}"
        elif line == OPEN:
            line = f"open {switch.detached_epoch}"
        if line == self._gate:
            return True
        try:
            write_file(self._gate_path, f"{line}\n".encode())
        except OSError as problem:
            self._gate = ""
            self.fault = f"the gate cannot be written: {problem}"
            if switch.gate == OPEN:
                return False
            with contextlib.suppress(OSError):
                os.unlink(self._gate_path)
            return not os.path.exists(self._gate_path)
        self._gate, self.fault = line, ""
        return True

    def keep(self, state: str, epoch: int | None, issued: tuple[int, int] | None) -> str:
        """Remember for a successor: `armed`, `detached` or `disarmed`. "" or why it could not be done."""
        wire = {"boot_id": self._boot_id, "state": state, "epoch": epoch, "issued": issued}
        text = json.dumps(wire)
        if text == self._state:
            return ""
        try:
            write_file(self._state_path, text.encode())
        except OSError as problem:
            self._state = ""
            return f"{self._state_path} cannot be written: {problem}"
        self._state = text
        return ""

    def recall(self, switch: Switch) -> str:
        """Tell the switch what the guard before this one left in the same boot. Returns it in words.

        A memory that makes no sense counts as `armed` where the last resort is a reset.
        """
        try:
            with open(self._state_path, "rb") as file:
                raw = file.read(4096)
        except FileNotFoundError:
            return ""
        try:
            wire = json.loads(raw)
            if wire["boot_id"] != self._boot_id or wire["state"] == "disarmed":
                return ""
            epoch = int(wire["epoch"])
            if wire["state"] == "detached":
                switch.was_detached(epoch)
                return f"the guard before this one was disarmed for the detached epoch {epoch}"
            boot_ns, raw_ns = wire["issued"]
            switch.lost_while_armed(epoch, (int(boot_ns), int(raw_ns)))
        except (ValueError, KeyError, TypeError):
            if switch.limits.last_resort == "reset":
                switch.lost_while_armed(0, (0, 0))
            return f"{self._state_path} cannot be understood"
        return f"the guard before this one was lost while armed for epoch {epoch}"
