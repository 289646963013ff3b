"""Fence agents by the ClusterLabs API: options come in on standard input, exit code 0 is the confirmation.

https://github.com/ClusterLabs/fence-agents/blob/main/doc/FenceAgentAPI.md: one `name=value` a
line; `action=off` must leave the host without power, `action=reboot` must have taken it away once; 0 means
done, anything else means not. What else the agent needs (address, credentials) comes the same way, so that no
secret stands among its arguments.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping

from acmd.child import Output, end

OUTPUT_LIMIT = 400


class CommandFenceAgent:
    """`ports.FenceAgent`. The agent leads its own session, so that all of it can be ended at the limit."""

    def __init__(
        self,
        argv: tuple[str, ...],
        limit_s: float,
        log: Callable[..., None],
        parameters: Mapping[str, str] | None = None,
        action: str = "off",
    ) -> None:
        self._argv = argv
        self._limit_s = limit_s
        self._log = log
        self._parameters = parameters or {}
        self._action = action

    def _order(self, host: str) -> bytes:
        """What the agent reads: a parameter of this node's own comes before one of all nodes."""
        common = {key: value for key, value in self._parameters.items() if ":" not in key}
        own = {
            key.removeprefix(f"{host}:"): value
            for key, value in self._parameters.items()
            if key.startswith(f"{host}:")
        }
        order = {"plug": host, **common, **own, "action": self._action, "nodename": host}
        return "".join(f"{key}={value}\n" for key, value in order.items()).encode()

    async def fence(self, host: str) -> bool:
        """True only when the agent ended with 0 within its limit. Never raises."""
        try:
            said = Output(OUTPUT_LIMIT)
        except OSError as problem:  # no descriptor is left
            self._log("fence-agent", level="error", host=host, problem=f"{self._argv[0]}: {problem.strerror}")
            return False
        try:
            process = await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=said.writer,
                stderr=said.writer,
                cwd="/",
                start_new_session=True,
            )
        except OSError as problem:
            said.close()
            self._log("fence-agent", level="error", host=host, problem=f"{self._argv[0]}: {problem.strerror}")
            return False
        try:
            async with asyncio.timeout(self._limit_s):
                await _order(process, self._order(host))
        except TimeoutError:
            self._log("fence-agent", level="error", host=host, problem=f"no end within {self._limit_s:g} s")
            return False
        finally:
            await end(process)
            said.close()
        if process.returncode != 0:
            self._log("fence-agent", level="error", host=host, exit=process.returncode, says=said.text)
        return process.returncode == 0


async def _order(process: asyncio.subprocess.Process, order: bytes) -> None:
    """Give it its order and wait for its own end: what it leaves behind may go on and hold its output."""
    if process.stdin is None:
        raise RuntimeError("an agent without standard input")
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # one may end, or close it, unread
        process.stdin.write(order)
        await process.stdin.drain()
    process.stdin.close()
    await process.wait()
