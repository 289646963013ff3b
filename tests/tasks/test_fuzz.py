"""Whatever a client sends, or another node says of itself: an answer, and nothing that was not ordered."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Coroutine, Iterator
from html.parser import HTMLParser
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from acmd.checks import agreement, programs, users
from acmd.checks.subject import Subject
from acmd.cli.acmctl import info_lines
from acmd.core.nodefile import NodeFile, from_content, to_content
from acmd.core.state import Role
from acmd.display import metrics, web
from acmd.display.document import document
from acmd.display.page import lines
from acmd.display.schema import Status
from tests.fakes.clock import FakeClock
from tests.tasks.board_kit import node_file
from tests.tasks.console_kit import Desk
from tests.tasks.virtual_time import VirtualLoop
from tests.unit.configs import loaded
from tests.unit.test_orders import JSON

ORDERS = (
    "switchover",
    "disable",
    "enable",
    "detach",
    "clear-hold-down",
    "fence",
    "fence-result",
    "confirm-off",
    "forget",
    "override-interlock",
    "service",
    "status",
)
KEYS = ("node", "to", "all", "force", "reason", "until", "deed", "service", "holder_is_dead", "after", "n")
NAMES = st.sampled_from(["a", "b", "web", "stop", "start", "*", ""])
REQUESTS = st.fixed_dictionaries(
    {"do": st.sampled_from(ORDERS) | st.text(max_size=9)},
    optional={key: NAMES | st.booleans() | JSON for key in KEYS},
)
SERVICE = st.dictionaries(
    st.sampled_from(
        ["name", "state", "runs_on", "since_s", "restarts", "held", "detail", "probes", "last_stop_s"]
    ),
    JSON | st.sampled_from(["running", "failed", "active", "all", "\x1b[2J", "<script>", '"\n\\']),
)
NODE_FILES = st.dictionaries(
    st.sampled_from(sorted(to_content(node_file("b")))),
    JSON | st.text() | st.lists(SERVICE, max_size=4),
)
CONFIG = loaded('services = ["MYSQL"]\n[cluster]\ndirectory = "/srv/acm/acmd"\n[node]\nname = "a"\n').config


def in_virtual_time(test: Callable[[FakeClock], Coroutine[Any, Any, None]]) -> None:
    """Run it to its end."""
    clock = FakeClock()
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
        runner.run(test(clock))


@settings(max_examples=300, deadline=None)
@given(REQUESTS)
def test_orders(request: dict[str, Any]) -> None:
    """Done or refused in words; refused means that nothing was posted, fenced, held or ended."""

    async def test(clock: FakeClock) -> None:
        desk = Desk(clock)
        await desk.active()
        answer = await desk.console.handle(request, "mallory")
        assert json.loads(json.dumps(answer)) == answer
        posted = [name for name in desk.bench.directory.files if name.startswith("control/")]
        do = request["do"]
        if "error" in answer:
            assert set(answer) == {"error", "remedy"}
            assert (posted, desk.agent.runs, desk.left, desk.held.held) == ([], [], [], {})
            assert not desk.log.count("order-given")
        elif do not in ("status", "fence-result"):
            assert desk.log.last("order-given")["by"] == "mallory"
        assert not desk.left or do == "detach"
        assert not desk.agent.runs or do == "fence"
        if request.get("all") is not True:
            orders = desk.bench.keeper.orders
            assert orders is None or orders.everywhere is None
        await desk.fencing.close()

    in_virtual_time(test)


class Tags(HTMLParser):
    """What elements there are."""

    def __init__(self, text: str) -> None:
        HTMLParser.__init__(self)
        self.seen: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it, with what it could load or run."""
        assert not [key for key, _ in attrs if key in ("src", "href", "style") or key.startswith("on")]
        self.seen.append(tag)


@settings(max_examples=200, deadline=None)
@given(NODE_FILES)
def test_a_node_file_in_every_display(content: dict[str, Any]) -> None:
    """Status, page, metrics, acmctl and the checks show it; nothing in it is markup or steers a terminal."""
    heard = from_content({**to_content(node_file("b")), **content})
    if not isinstance(heard, NodeFile):
        return

    async def test(clock: FakeClock) -> None:
        desk = Desk(clock)
        desk.show(desk.state(Role.ACTIVE))
        await desk.peer(**{key: getattr(heard, key) for key in heard.__dataclass_fields__ if key != "node"})
        shown = desk.snapshot.take()
        Status.model_validate_json(json.dumps(document(shown)))
        for line in (*lines(shown), *info_lines(shown, "192.0.2.1 (d.yml)")):
            assert line.isprintable(), repr(line)
        for line in metrics.metrics(shown, True, 1).splitlines():
            assert re.match(r"# |acmd_[a-z_]+(\{.*\})? \S+$", line), line
        assert not {"script", "img", "a", "iframe", "link", "form"} & set(Tags(web.page(shown, 0)).seen)
        subject = Subject(CONFIG, shown)
        for finding in checked(subject):
            assert finding.what.isprintable(), repr(finding.what)

    in_virtual_time(test)


def checked(subject: Subject) -> Iterator[Any]:
    """The findings that rest on what other nodes say."""
    checks = (
        agreement.heard,
        agreement.same_version,
        agreement.same_services,
        agreement.same_configuration,
        users.users_agree,
        programs.stop_budget,
    )
    for check in checks:
        yield from check(subject)
