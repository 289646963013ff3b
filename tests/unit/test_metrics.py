"""`display.metrics`: the documented names, all of them, and no others; the board asks for nothing else."""

from __future__ import annotations

import json
import re

from acmd.core.state import Role
from acmd.display.metrics import METRICS, ROLES, metrics
from tests.tree import ROOT
from tests.unit.cli_daemon import node, service, snapshot

PROBE = {"name": "http", "ok": True, "detail": "", "age_s": 1.0}
LINE = re.compile(
    r'^([a-z_]+)(\{[a-z_]+="(?:[^"\\]|\\.)*"(?:,[a-z_]+="(?:[^"\\]|\\.)*")*\})? (-?[0-9.e+-]+)$'
)


def names(text: str) -> set[str]:
    """The metrics that a text speaks of."""
    return set(re.findall(r"\bacmd_[a-z_]+\b", text))


def test_the_page_lists_every_metric() -> None:
    """docs/metrics.md has each name with its type and meaning."""
    page = (ROOT / "docs/metrics.md").read_text()
    for name, metric in METRICS.items():
        assert f"| `{name}` | {metric.kind} | {metric.meaning} |" in page
    assert {name for name in names(page) if name != "acmd_node_"} <= METRICS.keys()


def test_the_board_asks_for_what_there_is() -> None:
    """Every expression of docs/grafana.json uses documented metrics."""
    board = json.loads((ROOT / "docs/grafana.json").read_text())
    asked = {
        name for panel in board["panels"] for target in panel["targets"] for name in names(target["expr"])
    }
    assert asked
    assert asked <= METRICS.keys()


def test_a_healthy_node_gives_all_of_them() -> None:
    """Each metric has a value, in lines as Prometheus reads them."""
    web = service("running", probes=[PROBE], last_stop_s=2.0, longest_stop_s=3.0)
    nodes = [node("a", "active", services=[web]), node("b", "passive")]
    text = metrics(snapshot(nodes=nodes), serves=True, requests=3)
    values = {line.split("{")[0].split()[0] for line in text.splitlines() if not line.startswith("#")}
    assert values == METRICS.keys()
    for line in text.splitlines():
        assert line.startswith(("# HELP ", "# TYPE ")) or LINE.match(line), line


def test_roles() -> None:
    """All of the core's roles."""
    assert set(ROLES) == {role.value for role in Role}


def test_what_is_not_known_is_left_out() -> None:
    """No lease: no age of it."""
    text = metrics(snapshot(lease=None, epoch=None), serves=False, requests=0)
    assert "acmd_lease_age_seconds" not in text
    assert "acmd_active 0" in text
