"""systemd-logind's lock against suspend, held while this host must not sleep.

A host that sleeps keeps its services in memory beyond the lease; on waking up, the guard acts. The
lock keeps it from coming to that. It is a file descriptor: it goes with the process, whatever happens.
"""

from __future__ import annotations

import asyncio
import os

from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.errors import DBusFastError

SYSTEM_BUS = "unix:path=/run/dbus/system_bus_socket"
LOGIND, PATH, MANAGER = "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager"
LIMIT_S = 3.0
ABSENT = frozenset({"org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner"})


class SleepInhibitor:
    """At most one lock `sleep`, mode `block`. `absent` after a refusal because there is no logind."""

    def __init__(self, who: str, why: str, address: str = SYSTEM_BUS) -> None:
        self.absent = False
        self._who, self._why, self._address = who, why, address
        self._lock = -1

    @property
    def held(self) -> bool:
        """Whether this process has the lock."""
        return self._lock != -1

    async def take(self) -> str:
        """Take it. "" or why that failed. Ends within its limit; never raises."""
        if self.held:
            return ""
        self.absent = False
        try:
            async with asyncio.timeout(LIMIT_S):
                return await self._take()
        except TimeoutError:
            return "D-Bus or systemd-logind does not answer"
        except FileNotFoundError:
            self.absent = True
            return "there is no D-Bus on this host"
        except (OSError, EOFError, DBusFastError) as error:
            return f"D-Bus cannot be reached: {error}"

    def drop(self) -> None:
        """Give it back."""
        if self._lock != -1:
            os.close(self._lock)
            self._lock = -1

    async def _take(self) -> str:
        bus = MessageBus(self._address, negotiate_unix_fd=True, auth_timeout=LIMIT_S)
        reply: Message | None = None
        try:
            await bus.connect()
            reply = await bus.call(
                Message(
                    destination=LOGIND,
                    path=PATH,
                    interface=MANAGER,
                    member="Inhibit",
                    signature="ssss",
                    body=["sleep", self._who, self._why, "block"],
                )
            )
        finally:
            bus.disconnect()
        if reply is None:
            return "the connection to D-Bus was closed"
        if reply.message_type is MessageType.ERROR:
            self.absent = reply.error_name in ABSENT
            said = str(reply.body[0]) if reply.body else reply.error_name or "no reason given"
            return (
                "there is no systemd-logind on this host"
                if self.absent
                else f"systemd-logind refuses: {said}"
            )
        if not reply.unix_fds:
            return "systemd-logind gave no lock"
        self._lock = reply.unix_fds[0]
        os.set_inheritable(self._lock, False)
        return ""
