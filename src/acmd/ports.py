"""The seam between what decides and the world: one Protocol for each outside thing.

Every method named here returns at once or has a limit of its own; none raises anything but what
its docstring names. Drivers implement these; fakes in `tests/fakes` do too, and both pass the
same contract tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from acmd.core.calls import Call
from acmd.core.observation import Fenced, GuardView, Intent, Mode, Outcome, Peer, ServicesView
from acmd.core.state import Remembered
from acmd.core.timing import Instant
from acmd.errors import AcmdError

if TYPE_CHECKING:
    import asyncio  # by name only: commands that look at shared storage do without it


class LocalFailure(AcmdError):
    """A local step (/run/acmd, the guard's socket) failed; effects after it are not performed."""


class Clock(Protocol):
    """This host's clocks."""

    def now(self) -> Instant:
        """CLOCK_BOOTTIME and CLOCK_MONOTONIC_RAW, in nanoseconds."""
        ...

    def wall_time(self) -> int:
        """Seconds since 1970, for people only."""
        ...


class LeaseStore(Protocol):
    """The lease files. Each call runs in a worker process that can be abandoned.

    Classes of calls: looking (LIST, READ), writing (WRITE, LINK), releasing (RELEASE); at most one
    call of each class is in flight. `issue` never blocks and never raises: an outcome follows
    within the call's limit, whatever the storage does. After a TIMEOUT outcome, should the call
    return after all, a second outcome with `late=True` follows.
    """

    changed: asyncio.Event  # set whenever outcomes wait

    def issue(self, call: Call) -> None:
        """Start the call."""
        ...

    def take_outcomes(self) -> tuple[Outcome, ...]:
        """What has ended since the last time, in the order of ending; clears `changed`."""
        ...

    def abandoned(self) -> int:
        """Workers given up that have not returned yet."""
        ...

    async def close(self) -> None:
        """End all workers that answer; leave no process behind that can be ended."""
        ...


class RunStore(Protocol):
    """/run/acmd/<cluster>/ and /var/lib/acmd/<cluster>/: small local files, replaced atomically."""

    def load(self) -> Remembered | None:
        """What the daemon before this one left, or None. A file that cannot be understood is None too."""
        ...

    def remember(self, remembered: Remembered) -> None:
        """Replace atomically. Raises LocalFailure."""
        ...

    def erase(self) -> None:
        """Take the epoch out, atomically; nothing there is fine. Raises LocalFailure."""
        ...

    def probe(self) -> None:
        """Prove that both directories can be written. Raises LocalFailure."""
        ...

    def highest_epoch(self) -> int:
        """The highest epoch ever noted, -1 when none."""
        ...

    def note_epoch(self, epoch: int) -> None:
        """Keep it durably. Raises LocalFailure."""
        ...


class Guard(Protocol):
    """The link to the dead man's switch. Requests are sent, not awaited: `view` shows what became of them."""

    changed: asyncio.Event

    def view(self) -> GuardView:
        """What it last said; `alive` False once it has not answered for its limit."""
        ...

    def arm(self, epoch: int, issued: Instant) -> None:
        """Arm or move the deadline. Raises LocalFailure when it cannot be sent."""
        ...

    def close_gate(self, epoch: int) -> None:
        """Gate to closing. Raises LocalFailure."""
        ...

    def shut_gate(self, epoch: int) -> None:
        """Straight to K. Raises LocalFailure."""
        ...

    def disarm(self, epoch: int, detached: bool) -> None:
        """Disarm. Raises LocalFailure."""
        ...


class FenceAgent(Protocol):
    """Confirms that a host is off or was reset."""

    async def fence(self, host: str) -> bool:
        """True only when the agent confirmed it. Ends within its own limit; never raises."""
        ...


@dataclass(slots=True)
class ServiceStatus:
    """What is known of one service: for people and for supervision."""

    name: str
    runs_on: str  # "active" or "all"
    state: str = "unknown"  # stopped, starting, running, stopping, failed, unknown
    processes: bool = False  # something of it lives
    jobs: bool = False  # its manager has a job, an activation or an own restart pending
    since_s: float = 0.0
    restarts: int = 0
    detail: str = ""
    pids: tuple[int, ...] = field(default=())
    unasked: int = 0  # how often its manager started it again by itself, for as long as that counts
    pending: bool = False  # a look is under way and ends within its driver's limit; until then it may live
    looked_s: float | None = None  # when the look behind this began, by the loop's clock; None: just now


class Service(Protocol):
    """One service of some kind (command, systemd, sysv, ocf). All limits are the driver's own."""

    name: str
    changed: asyncio.Event  # set when the status may have changed (a signal, an exit)

    async def observe(self) -> ServiceStatus:
        """What is there now. Never raises: what cannot be known has `processes` and `jobs` True."""
        ...

    async def start(self, epoch: int) -> bool:
        """Start it and wait until its manager calls it started. False when that failed."""
        ...

    async def stop(self) -> bool:
        """Stop gracefully, wait. False when something of it still lives at its stop limit."""
        ...

    async def kill(self) -> None:
        """SIGKILL to all of it, and cancel its queued jobs. Does not wait."""
        ...


class Supervisor(Protocol):
    """The active-only services of this node as one thing: what the heartbeat asks for and sees."""

    def request(self, mode: Mode, epoch: int, issued: Instant | None) -> None:
        """Take over this request; the latest one counts. Never blocks."""
        ...

    def view(self) -> ServicesView:
        """What was seen under the latest request that was taken over."""
        ...


class Fencer(Protocol):
    """Fence agents and operators' confirmations."""

    @property
    def available(self) -> bool:
        """Whether an agent is configured."""
        ...

    def request(self, host: str) -> None:
        """Begin to fence unless that is under way. Never blocks."""
        ...

    def confirmed(self) -> tuple[Fenced, ...]:
        """The hosts confirmed off, with the moment of asking."""
        ...

    def failed(self) -> bool:
        """Whether a try has failed since this was asked last."""
        ...


class Board(Protocol):
    """What people and peers say on shared storage: control records and node files."""

    def intent(self) -> Intent:
        """What the operators' commands add up to; `known` False until read once."""
        ...

    def peers(self) -> tuple[Peer, ...]:
        """The other nodes that were heard lately."""
        ...


class Notifier(Protocol):
    """The service manager (sd_notify)."""

    def ready(self) -> None:
        """READY=1."""
        ...

    def status(self, sentence: str) -> None:
        """STATUS=."""
        ...

    def alive(self) -> None:
        """WATCHDOG=1."""
        ...

    def stopping(self) -> None:
        """STOPPING=1."""
        ...


class Drain(Protocol):
    """Proof that what killed or stopped services wrote has landed (syncfs of their file systems)."""

    async def drained(self) -> bool:
        """True when each file system was synced without error. Ends within its own limit; never raises."""
        ...


class Document(NamedTuple):
    """A file of another node, or a command. `content` None: `defect` says why."""

    name: str
    content: dict[str, Any] | None
    defect: str = ""


class Control(NamedTuple):
    """The operators' newest command: the one with the highest number, -1 when there is none yet."""

    number: int
    document: Document


class Documents(Protocol):
    """Node files and commands in the cluster's directory, through a worker process of their own.

    Each method ends within its limit and raises `core.calls.StorageFault` when it failed or nobody knows.
    """

    async def write_node(self, content: dict[str, Any]) -> None:
        """Replace this node's file."""
        ...

    async def read_nodes(self) -> tuple[Document, ...]:
        """The files of all nodes, this one's too."""
        ...

    async def remove_node(self, node: str) -> None:
        """Take another node's file away; nothing there is fine."""
        ...

    async def read_control(self) -> Control:
        """The newest command."""
        ...

    async def post_control(self, number: int, content: dict[str, Any]) -> bool:
        """Make this the command of that number; False when somebody else's was faster."""
        ...

    async def keep_house(self) -> int:
        """The holder's: old leases to history, old temporary files away. How many went."""
        ...

    async def prepare_reserve(self) -> None:
        """A preallocated file, so that a full disk stops no claim."""
        ...
