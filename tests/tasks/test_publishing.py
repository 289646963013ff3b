"""`tasks.publishing` under virtual time: when the file is changed, and when the services hear of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from acmd.errors import AcmdError
from acmd.tasks.publishing import FAULT_S, LOOK_S, Publisher
from tests.fakes.clock import FakeClock
from tests.tasks.kit import Log
from tests.tasks.virtual_time import beside, until, virtual


@dataclass
class World:
    """The file, MySQL, the services and the marker."""

    address: str = "10.0.0.1"
    file: str = "10.9.9.9"
    mysql_at: str = "10.0.0.1"
    refuses: str = ""
    marked: bool = False
    journal: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.log = Log()
        self.publisher = Publisher(
            lambda: self.address, self.published, self.publish, self.answers, self.tell, self, self.log
        )

    async def published(self) -> str:
        """What the file says."""
        if self.refuses:
            raise AcmdError(self.refuses, "")
        return self.file

    async def publish(self, host: str) -> bool:
        """Change it."""
        changed, self.file = self.file != host, host
        self.journal.append(f"publish {host}")
        return changed

    async def answers(self, host: str) -> bool:
        """Whether MySQL is there."""
        self.journal.append(f"ask {host}")
        return host == self.mysql_at

    async def tell(self) -> None:
        """The services."""
        self.journal.append("tell")

    def there(self) -> bool:
        """The marker."""
        return self.marked

    def set(self, there: bool) -> None:
        """The marker."""
        self.marked = there
        self.journal.append("mark" if there else "unmark")


ALL = ["ask 10.0.0.1", "mark", "publish 10.0.0.1", "tell", "unmark"]


@virtual
async def test_published_once_mysql_answers(clock: FakeClock) -> None:
    """The file changes, and then the services are told, only once MySQL answers at the new address."""
    world = World(mysql_at="")

    async def test() -> None:
        await until(lambda: world.journal.count("ask 10.0.0.1") == 3)
        assert (world.file, set(world.journal)) == ("10.9.9.9", {"ask 10.0.0.1"})
        world.mysql_at = "10.0.0.1"
        await until(lambda: "tell" in world.journal, 2)
        assert world.journal[-5:] == ALL
        world.address = world.mysql_at = "10.0.0.2"
        world.publisher.poke.set()
        await until(lambda: world.file == "10.0.0.2", 0.5)

    await beside(world.publisher.run(), test)


@virtual
async def test_a_file_that_is_right_costs_nothing(clock: FakeClock) -> None:
    """Nobody is asked and nobody is told while the file says what it should; it is looked at now and then."""
    world = World(file="10.0.0.1")

    async def test() -> None:
        await asyncio.sleep(10 * LOOK_S)
        assert world.journal == []
        world.file = "10.9.9.9"  # somebody's editor
        await until(lambda: world.journal == ALL, LOOK_S + 1)

    await beside(world.publisher.run(), test)


@virtual
async def test_services_hear_of_it_though_the_daemon_died(clock: FakeClock) -> None:
    """A marker that an earlier daemon left behind: the file is right by now, the services are told."""
    world = World(file="10.0.0.1", marked=True)

    async def test() -> None:
        await until(lambda: world.journal == ALL, 1)
        assert not world.marked

    await beside(world.publisher.run(), test)


@virtual
async def test_nobody_active_nothing_published(clock: FakeClock) -> None:
    """Without an active node that is known, the file stays as it is."""
    world = World(address="")

    async def test() -> None:
        await asyncio.sleep(10 * LOOK_S)
        assert world.journal == []

    await beside(world.publisher.run(), test)


@virtual
async def test_a_file_that_cannot_be_used_is_said_once(clock: FakeClock) -> None:
    """The error is logged once, not at each try; when it is over, publishing goes on."""
    world = World(refuses="database.yml is empty")

    async def test() -> None:
        await asyncio.sleep(5 * FAULT_S)
        assert world.log.count("publish-failed") == 1
        world.refuses = ""
        await until(lambda: world.journal == ALL, FAULT_S + 1)
        assert world.log.count("publish-recovered") == 1

    await beside(world.publisher.run(), test)
