"""One connection to systemd's manager for the whole daemon: calls with limits, jobs, changes by signal.

D-Bus may go away and come back, and PID 1 may re-execute itself: the connection is then made anew
in the background, everybody who watches a unit is woken, and calls fail with BusGone meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from dbus_fast import Message, MessageFlag, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.errors import DBusFastError

SYSTEM_BUS = "unix:path=/run/dbus/system_bus_socket"
SYSTEMD = "org.freedesktop.systemd1"
MANAGER_PATH = "/org/freedesktop/systemd1"
MANAGER = "org.freedesktop.systemd1.Manager"
PROPERTIES = "org.freedesktop.DBus.Properties"
DBUS, DBUS_PATH = "org.freedesktop.DBus", "/org/freedesktop/DBus"

CALL_LIMIT_S = 5.0
RETRY_FIRST_S = 0.1
RETRY_LONGEST_S = 1.0
REMEMBERED_JOBS = 256

MATCHES = (
    f"type='signal',sender='{SYSTEMD}',interface='{MANAGER}',member='JobNew'",
    f"type='signal',sender='{SYSTEMD}',interface='{MANAGER}',member='JobRemoved'",
    f"type='signal',sender='{SYSTEMD}',interface='{MANAGER}',member='Reloading'",
    f"type='signal',sender='{DBUS}',interface='{DBUS}',member='NameOwnerChanged',arg0='{SYSTEMD}'",
)


class BusGone(Exception):
    """There is no connection, or it broke before the answer came: what became of the call is unknown."""


class BusRefused(Exception):
    """PID 1 (or the bus) answered with an error."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text or name)
        self.name = name  # as org.freedesktop.systemd1.NoSuchUnit
        self.text = text

    @property
    def short(self) -> str:
        """The last part of the name."""
        return self.name.rpartition(".")[2]


class SystemdBus:
    """Open it once, inside the running loop; hand it to every service; close it at the end."""

    def __init__(self, address: str = SYSTEM_BUS) -> None:
        self.ready = asyncio.Event()  # set while connected and subscribed
        self.last_error = ""
        self.times_connected = 0
        self._address = address
        self._bus: MessageBus | None = None
        self._task: asyncio.Task[None] | None = None
        self._watchers: dict[str, list[Callable[[], None]]] = {}  # by the unit's object path or name
        self._paths: set[str] = set()  # of units whose changes the bus was asked for
        self._waiting: dict[str, asyncio.Future[str]] = {}  # by the job's object path
        self._results: OrderedDict[str, str] = OrderedDict()

    async def open(self, limit_s: float = CALL_LIMIT_S) -> bool:
        """Begin to connect, and wait for it up to the limit. False: it goes on trying in the background."""
        if self._task is None:
            self._task = asyncio.create_task(self._stay_connected(), name="systemd-bus")
        try:
            async with asyncio.timeout(limit_s):
                await self.ready.wait()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Disconnect and end the background task."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    # -- calls --------------------------------------------------------------------------------------

    async def call(
        self,
        member: str,
        signature: str = "",
        *arguments: Any,
        path: str = MANAGER_PATH,
        interface: str = MANAGER,
        limit_s: float = CALL_LIMIT_S,
    ) -> list[Any]:
        """The answer's values. Raises BusGone, BusRefused, or TimeoutError at the limit."""
        if self._bus is None or not self.ready.is_set():
            raise BusGone(self.last_error or "not connected to D-Bus")
        return await self._ask(self._bus, SYSTEMD, path, interface, member, signature, arguments, limit_s)

    async def properties(self, path: str, interface: str, limit_s: float = CALL_LIMIT_S) -> dict[str, Any]:
        """All properties of an object's interface. Raises as `call`."""
        (found,) = await self.call("GetAll", "s", interface, path=path, interface=PROPERTIES, limit_s=limit_s)
        return {name: variant.value for name, variant in found.items()}

    async def job(self, member: str, unit: str, mode: str, limit_s: float) -> str:
        """Queue a job and wait for its end: done, canceled, timeout, failed, dependency, skipped, assert …

        Raises BusGone, BusRefused, or TimeoutError at the limit. When cancelled or at the limit, a
        start job is cancelled as well, so that it cannot run later behind our back; what of it
        runs already goes on. A stop job goes on.
        """
        path = ""
        try:
            async with asyncio.timeout(limit_s):
                (path,) = await self.call(member, "ss", unit, mode, limit_s=limit_s)
                return await self._result(path)
        except (TimeoutError, asyncio.CancelledError):
            if path and member != "StopUnit":
                self._send(path, f"{SYSTEMD}.Job", "Cancel")
            raise

    async def _result(self, path: str) -> str:
        # The end of a short job may have been heard before its reply was looked at.
        if path in self._results:
            return self._results[path]
        future = self._waiting.setdefault(path, asyncio.get_running_loop().create_future())
        try:
            return await asyncio.shield(future)
        finally:
            self._waiting.pop(path, None)

    def post(self, member: str, signature: str, *arguments: Any) -> None:
        """Send the manager a call whose answer nobody waits for; PID 1 takes it before any later one."""
        self._send(MANAGER_PATH, MANAGER, member, signature, *arguments)

    def _send(self, path: str, interface: str, member: str, signature: str = "", *arguments: Any) -> None:
        if self._bus is not None and self.ready.is_set():
            self._bus.send(
                Message(
                    destination=SYSTEMD,
                    path=path,
                    interface=interface,
                    member=member,
                    signature=signature,
                    body=list(arguments),
                    flags=MessageFlag.NO_REPLY_EXPECTED,
                )
            )

    # -- changes ------------------------------------------------------------------------------------

    def watch(self, key: str, changed: Callable[[], None]) -> None:
        """Call `changed` at every job of the unit (key: its name) or change of its state (key: its path).

        Also whenever the connection comes or goes and when PID 1 reloads: everything may have changed.
        """
        self._watchers.setdefault(key, []).append(changed)

    def unwatch(self, changed: Callable[[], None]) -> None:
        """Undo every `watch` of it."""
        for key, waiting in tuple(self._watchers.items()):
            self._watchers[key] = [each for each in waiting if each != changed]
            if not self._watchers[key]:
                del self._watchers[key]

    async def follow(self, path: str) -> None:
        """Ask for the property changes of a unit, once. Raises as `call`."""
        if path not in self._paths and self._bus is not None:
            self._paths.add(path)
            await self._match(self._bus, _changes_of(path))

    def _heard(self, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL:
            return
        body = message.body
        if message.member == "JobRemoved" and len(body) == 4:
            _, job, unit, result = body
            self._results[job] = result
            while len(self._results) > REMEMBERED_JOBS:
                self._results.popitem(last=False)
            waiting = self._waiting.get(job)
            if waiting is not None and not waiting.done():
                waiting.set_result(result)
            self._wake(unit)
        elif message.member == "JobNew" and len(body) == 3:
            self._wake(body[2])
        elif message.member == "PropertiesChanged" and message.path is not None:
            self._wake(message.path)
        elif message.member in {"Reloading", "NameOwnerChanged"}:
            if message.member == "NameOwnerChanged" and message.sender == DBUS and self._bus is not None:
                # PID 1 left the bus or came back (a re-execution): subscribe to the new one.
                self._bus.disconnect()
            self._wake_all()

    def _wake(self, key: str) -> None:
        for changed in self._watchers.get(key, ()):
            changed()

    def _wake_all(self) -> None:
        for key in tuple(self._watchers):
            self._wake(key)

    # -- the connection -----------------------------------------------------------------------------

    async def _stay_connected(self) -> None:
        pause_s = RETRY_FIRST_S
        while True:
            try:
                await self._one_connection()
                self.last_error = "the connection to D-Bus was closed"
                pause_s = RETRY_FIRST_S
            except (OSError, EOFError, BusGone, BusRefused, TimeoutError, DBusFastError) as error:
                self.last_error = str(error) or type(error).__name__
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, RETRY_LONGEST_S)

    async def _one_connection(self) -> None:
        """Connect, subscribe, and stay until the connection breaks."""
        bus = MessageBus(self._address, auth_timeout=CALL_LIMIT_S)
        async with asyncio.timeout(2 * CALL_LIMIT_S):
            await bus.connect()
        try:
            bus.add_message_handler(self._heard)
            for rule in (*MATCHES, *(_changes_of(path) for path in self._paths)):
                await self._match(bus, rule)
            await self._ask(bus, SYSTEMD, MANAGER_PATH, MANAGER, "Subscribe", "", (), CALL_LIMIT_S)
            self._bus = bus
            self.times_connected += 1
            self.ready.set()
            self._wake_all()
            await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
        finally:
            self.ready.clear()
            self._bus = None
            bus.disconnect()
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(BusGone("the connection to D-Bus broke"))
            self._wake_all()

    async def _match(self, bus: MessageBus, rule: str) -> None:
        await self._ask(bus, DBUS, DBUS_PATH, DBUS, "AddMatch", "s", (rule,), CALL_LIMIT_S)

    @staticmethod
    async def _ask(
        bus: MessageBus,
        destination: str,
        path: str,
        interface: str,
        member: str,
        signature: str,
        arguments: tuple[Any, ...],
        limit_s: float,
    ) -> list[Any]:
        message = Message(
            destination=destination,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=list(arguments),
        )
        try:
            async with asyncio.timeout(limit_s):
                reply = await bus.call(message)
        except TimeoutError:
            raise
        except (OSError, EOFError, DBusFastError) as error:
            raise BusGone(f"the connection to D-Bus broke: {error}") from None
        if reply is None:
            raise BusGone("the connection to D-Bus was closed")
        if reply.message_type is MessageType.ERROR:
            raise BusRefused(reply.error_name or "", str(reply.body[0]) if reply.body else "")
        return list(reply.body)


def _changes_of(path: str) -> str:
    return (
        f"type='signal',sender='{SYSTEMD}',path='{path}',interface='{PROPERTIES}',member='PropertiesChanged'"
    )
