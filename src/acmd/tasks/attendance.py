"""Attendance: services of every node need no lease, but in maintenance of all nobody touches them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from acmd.core.observation import Intent, Mode
from acmd.tasks.supervision import Group

ORDERS_WAIT_S = 5.0


@dataclass(slots=True)
class Attendance:
    """Tells the group of every node's services whether to keep them, after each decision of the heartbeat.

    A daemon that starts waits for the orders first: what is down in maintenance is to stay down. Where the
    storage does not tell them in time, the services start all the same.
    """

    group: Group
    _since_s: float | None = None

    def notice(self, intent: Intent) -> None:
        """The orders in force."""
        now_s = asyncio.get_running_loop().time()
        if self._since_s is None:
            self._since_s = now_s
        if intent.known and intent.all_disabled:
            self.group.request(Mode.HANDS_OFF, -1, None)
        elif intent.known or now_s - self._since_s >= ORDERS_WAIT_S:
            self.group.request(Mode.RUN, -1, None)

    @property
    def left_alone(self) -> bool:
        """Whether a daemon that ends has to leave them as they are."""
        return self.group.wanted is Mode.HANDS_OFF
