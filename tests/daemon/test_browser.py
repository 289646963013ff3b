"""The status page of a real daemon in a real browser: on a phone and on a desk, in light and in dark.

`ACMD_SCREENSHOTS=DIR` keeps what it looked like.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.browser import DESK, PHONE, Browser, browser, chromium
from tests.daemon.kit import Cluster, Node, cluster, wait
from tests.daemon.test_load_balancer import free_port

pytestmark = [
    pytest.mark.skipif(chromium() is None, reason="needs Debian's package chromium"),
    pytest.mark.timeout(300),
]
STANDARD = '[timing]\nprofile = "standard"'
# Every part that is on the page, by what a reader sees of it.
PARTS = ("Nodes", "Services", "Lease", "Here", "History")
SEEN = """[...document.querySelectorAll('section')].filter(one => {
  const box = one.getBoundingClientRect();
  return box.width > 100 && box.height > 20 && getComputedStyle(one).visibility === 'visible';
}).map(one => one.querySelector('h2').textContent)"""
CUT_OFF = """[...document.querySelectorAll('td, dd, li, h1, p, svg, text')].filter(one => {
  const box = one.getBoundingClientRect();
  return box.width > 0 && (box.left < -1 || box.right > document.documentElement.clientWidth + 1);
}).map(one => one.textContent)"""
OVERLAPS = """(() => {
  const boxes = [...document.querySelectorAll('svg text')].map(one => one.getBoundingClientRect());
  return boxes.some((one, i) => boxes.some((other, j) => i < j && one.left < other.right
    && other.left < one.right && one.top < other.bottom - 2 && other.top < one.bottom - 2));
})()"""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The page of node b, which is active since a switchover, and was restarted after it."""
    port = free_port()
    with cluster(tmp_path, STANDARD) as made:
        a, b = made.node("a"), made.node("b", f'{STANDARD}\n[http]\nlisten = "127.0.0.1:{port}"')
        a.start()
        wait(lambda: a.role() == "active", 40, "a is active")
        b.start()
        hand_over(made, a, b)
        yield f"http://127.0.0.1:{port}/"


def hand_over(made: Cluster, a: Node, b: Node) -> None:
    """To b, whose daemon then ends and is followed by another."""
    wait(lambda: a.ask(do="switchover").get("ok"), 30, "the order is taken")
    wait(lambda: b.role() == "active" and made.living() == ["b"], 30, "b is active")
    b.signal(signal.SIGUSR2)  # as for an upgrade: the next daemon adopts
    wait(lambda: not b.alive(), 15, "the daemon ends")
    b.start()
    wait(lambda: b.role() == "active" and b.status("handovers"), 30, "b is back, and recalls")
    done = made.acmd("disable", b, "--node", "a", "--reason", "<b>new disks</b> & more")
    assert done.returncode == 0, done.stderr


def shoot(page: Browser, name: str, directory: Path) -> None:
    """Keep what it looks like; an empty picture is none."""
    place = Path(os.environ.get("ACMD_SCREENSHOTS") or directory)
    page.screenshot(place / f"{name}.png")
    assert (place / f"{name}.png").stat().st_size > 20_000


def test_the_page_for_people(address: str, tmp_path: Path) -> None:
    """All parts are seen, nothing is cut off, nothing scrolls sideways, and nothing comes from elsewhere."""
    with browser(tmp_path) as page:
        for size, name in ((PHONE, "phone"), (DESK, "desk")):
            for dark in (False, True):
                page.open(address, size, dark=dark)
                assert size[0] - 20 <= page.value("document.documentElement.clientWidth") <= size[0]
                assert page.value("document.documentElement.scrollWidth") <= size[0]
                assert page.value(CUT_OFF) == []
                assert page.value(OVERLAPS) is False
                assert [part for part in PARTS if part not in page.value(SEEN)] == []
                shoot(page, f"{name}-{'dark' if dark else 'light'}", tmp_path)
        text = page.value("document.body.innerText")
        assert "b is active" in text
        assert "switchover from a to b" in text
        assert "<b>new disks</b> & more" in text
        assert page.value("document.scripts.length") == 0
        assert page.value("document.querySelectorAll('b b').length") == 0
        assert {one for one in page.requested if not one.startswith("data:")} <= {
            address,
            f"{address}favicon.ico",
        }
