"""The last rung: ending the host hard and without a sync, and the kernel's watchdog that does it for us.

`systemctl reboot -ff` and `FailureAction=` sync first and can hang on dead storage; these cannot.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
from collections.abc import Callable

from acmd.guard import system

WDIOC_GETSUPPORT = 0x80285700
WDIOC_KEEPALIVE = 0x80045705
WDIOC_SETTIMEOUT = 0xC0045706
WDIOF_MAGICCLOSE = 0x0100
RETRY_NS = 10_000_000_000  # a device that could not be opened counts as faulty for so long
INITIAL_PID_NAMESPACE = "pid:[4026531836]"

Rung = Callable[[], None]


def may_reset(environment: dict[str, str]) -> str:
    """Whether this process may be trusted with the host: only as a unit of PID 1. "" or why not."""
    if not environment.get("INVOCATION_ID") or os.getppid() != 1:
        return "last_resort is 'reset', but this process is not run by PID 1 as a unit"
    return ""


def sysrq() -> None:
    """`sysrq b`: immediate. Refused in a container, whose sysrq is that of the machine around it."""
    if os.readlink("/proc/self/ns/pid") != INITIAL_PID_NAMESPACE:
        raise OSError("not the machine's own PID namespace")
    handle = os.open("/proc/sysrq-trigger", os.O_WRONLY | os.O_CLOEXEC)
    os.write(handle, b"b")


RUNGS: tuple[Rung, ...] = (sysrq, system.reboot)


def no_rungs() -> tuple[Rung, ...]:
    """Where the last resort is `none`."""
    return ()


class Device:
    """The few calls on a watchdog device; tests give an object of the same shape."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._handle = -1

    def open(self) -> None:
        """Open it: from here on it counts. Raises OSError."""
        self._handle = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)

    def control(self, request: int, argument: bytes) -> bytes:
        """ioctl(2). Raises OSError."""
        return fcntl.ioctl(self._handle, request, argument)

    def write(self, data: bytes) -> None:
        """Feed it, or say the magic word. Raises OSError."""
        os.write(self._handle, data)

    def close(self) -> None:
        """Close it. Raises OSError."""
        handle, self._handle = self._handle, -1
        os.close(handle)

    def cannot_stop(self) -> bool:
        """Whether the driver was told never to stop once it runs."""
        try:
            with open(
                f"/sys/class/watchdog/{os.path.basename(self.path)}/nowayout", encoding="ascii"
            ) as file:
                return file.read().strip() != "0"
        except FileNotFoundError:
            return False


class Watchdog:
    """Runs while armed. One that cannot be stopped runs on, and is fed, while nothing is armed.

    `fault` is "" or why there is no watchdog to rely on.
    """

    def __init__(self, device: Device, timeout_ns: int) -> None:
        self.fault = ""
        self.running = False
        self.wanted = False  # something is armed
        self._device = device
        self._timeout_s = timeout_ns // 1_000_000_000
        self._stoppable = False
        self._tried_ns = 0

    def start(self) -> None:
        """Open the device and set its timeout, which must be taken as it is."""
        if self.running:
            return
        self._tried_ns = time.monotonic_ns()
        try:
            self._device.open()
            self.running = True
            taken = self._device.control(WDIOC_SETTIMEOUT, struct.pack("i", self._timeout_s))
            options = struct.unpack_from("I", self._device.control(WDIOC_GETSUPPORT, bytes(40)))[0]
            self._stoppable = bool(options & WDIOF_MAGICCLOSE) and not self._device.cannot_stop()
            self.fault = ""
        except OSError as problem:
            self.fault = f"watchdog {self._device.path}: {problem.strerror or problem}"
            return
        seconds = struct.unpack("i", taken)[0]
        if seconds != self._timeout_s:
            self.fault = f"watchdog {self._device.path} fires after {seconds} s, not {self._timeout_s} s"

    def feed(self) -> None:
        """Keep the host alive for one more timeout; one that could not be opened is tried again."""
        if not self.running:
            if self.wanted and time.monotonic_ns() - self._tried_ns > RETRY_NS:
                self.start()
            return
        try:
            self._device.control(WDIOC_KEEPALIVE, bytes(4))
        except OSError as problem:
            self.fault = f"watchdog {self._device.path}: {problem.strerror or problem}"

    def stop(self) -> None:
        """Say the magic word and close; one that cannot be stopped stays open, to be fed."""
        if not self.running or not self._stoppable:
            return
        try:
            self._device.write(b"V")
            self.running = False
            self._device.close()
        except OSError as problem:
            self.fault = f"watchdog {self._device.path}: {problem.strerror or problem}"

    def check(self) -> str:
        """Whether the device is there, without opening it: that alone would start it.

        The fault of one that could not be opened is forgotten after a while, unless something is armed
        without it: only trying again tells.
        """
        if not self.running:
            if not os.path.exists(self._device.path):
                self.fault = f"watchdog {self._device.path} is not there"
            elif not self.wanted and time.monotonic_ns() - self._tried_ns > RETRY_NS:
                self.fault = ""
        return self.fault
