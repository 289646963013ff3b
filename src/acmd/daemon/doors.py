"""How people and machines get in: the control socket with its group, and HTTP where it is configured."""

from __future__ import annotations

import asyncio
import contextlib
import grp
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acmd import __version__
from acmd.config.model import Config
from acmd.daemon import announcing
from acmd.daemon.guard_keeper import guard_fingerprint
from acmd.daemon.people import People
from acmd.drivers.control_socket import ControlSocket, Peer
from acmd.errors import AcmdError
from acmd.tasks.snapshot import About, Snapshot

if TYPE_CHECKING:
    from acmd.daemon.web import Web

CONTROL_SOCKET = "control.sock"
GROUP = "acmd"
"""Its members may ask for the status and give orders, as root may. Without it only root may."""

Answering = Callable[[Mapping[str, Any], str], Awaitable[dict[str, Any]]]


class Doors:
    """Opened once the daemon can answer; closed when it ends."""

    def __init__(self, config: Config, log: Callable[..., None]) -> None:
        self._config = config
        self._log = log
        self._control: ControlSocket | None = None
        self._web: Web | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self, snapshot: Snapshot, answer: Answering) -> None:
        """Raises AcmdError when the control socket cannot be made; HTTP is tried again by itself."""
        run_dir = Path(self._config.run_dir)
        people = People()

        async def ask(request: Any, peer: Peer) -> dict[str, Any]:
            return await answer(request, await people.name(peer.uid))

        control = ControlSocket(run_dir / CONTROL_SOCKET, ask, group_id())
        try:
            _let_in(run_dir)
            await control.start()
        except OSError as problem:
            raise AcmdError(
                f"the control socket in {run_dir} cannot be made: {problem.strerror}",
                "make room there and check that root may write to it",
            ) from None
        self._control = control
        if self._config.http.listen:
            from acmd.daemon.web import Web  # noqa: PLC0415 - a daemon without HTTP is smaller

            self._web = Web(self._config, snapshot, self._log)
            self._task = asyncio.create_task(self._web.run(), name="web")

    def reload(self) -> None:
        """Read the files of HTTP anew; what is wrong with them is logged and leaves those before in use."""
        if self._web is None:
            return
        try:
            self._web.reload()
        except AcmdError as error:
            self._log("reload-refused", level="error", because=error.what, remedy=error.remedy)

    async def close(self) -> None:
        """Nobody gets in any more."""
        if self._control is not None:
            await self._control.close()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task


def group_id() -> int | None:
    """The group that may use the control socket; None: there is none, or this user cannot give to it."""
    if os.geteuid() != 0:
        return None
    try:
        return grp.getgrnam(GROUP).gr_gid
    except KeyError:
        return None


def _let_in(run_dir: Path) -> None:
    """The group may reach its socket by name, and see nothing else there. Raises OSError."""
    group = group_id()
    if group is not None:
        os.chown(run_dir, -1, group)
        run_dir.chmod(0o710)


def about(config: Config, cluster_id: str, users: Mapping[str, str]) -> About:
    """What the status and the node file show of the configuration. `users` may fill later."""
    return About(
        config.cluster.name,
        cluster_id,
        config.cluster.directory,
        __version__,
        config.profile,
        config.guard.last_resort,
        os.getpid(),
        config.fencing.policy,
        bool(config.fencing.agent),
        users,
        announcing.digest(config),
        guard_fingerprint(config),
    )
