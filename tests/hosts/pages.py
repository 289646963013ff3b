"""Pages of docs/, word for word: what a reader types, on hosts of a bed.

A step is a block of sh below `<!-- on a -->` or `<!-- on b and a -->`, run in that order. A block below
`<!-- file PATH -->` is a file of the reader's. tests/test_howtos.py holds that each block is one of these and
that a test follows its page, or says why it is not run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.hosts.bed import Bed
from tests.hosts.host import Host
from tests.hosts.image import REPO
from tests.hosts.network import SUBNET
from tests.hosts.witness import wait_for

STEP = re.compile(r"<!-- on ([a-z]+(?: and [a-z]+)*) -->\n```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"<!-- file (/\S+) -->\n```(?:sh|toml)\n(.*?)^```", re.DOTALL | re.MULTILINE)
# Their exit code says more than whether they worked.
LOOKS = re.compile(
    r"^((?:acmd (?:--config \S+ )?(?:status|check)|systemctl is-active|grep|find)\b.*)$", re.MULTILINE
)
ASKS = re.compile(r"^(acmd confirm-off .*)$", re.MULTILINE)  # for the name, on the reader's terminal
SNIPPET = re.compile(r"^```toml\n(.*?)^```", re.DOTALL | re.MULTILINE)
LIMIT_S = 600.0  # the tutorial
INTRODUCTION = "introduction"
HERE = {"192.0.2.": f"{SUBNET}.", "eth0": "host0"}  # addresses and cards of the bed in the pages' place


def section(text: str, heading: str) -> str:
    """What stands below `## heading` of a page; INTRODUCTION is what stands before, "" the whole page."""
    if heading in ("", INTRODUCTION):
        return text.partition("\n## ")[0] if heading else text
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert found is not None, f"no heading {heading!r}"
    return found[1]


@dataclass(slots=True)
class Pages:
    """Hosts a, b and c, and what a reader does on them."""

    bed: Bed
    took_s: float = 0.0
    configurations: dict[str, str] = field(default_factory=dict)
    here: dict[str, str] = field(default_factory=lambda: dict(HERE))
    names: dict[str, str] = field(default_factory=dict)  # a host's name in the pages: its own

    def text(self, page: str, heading: str = "") -> str:
        """A page, or one section of it, with the bed's addresses in the place of its own."""
        found = section((REPO / page).read_text(encoding="utf-8"), heading)
        for theirs, ours in self.here.items():
            found = found.replace(theirs, ours)
        return found

    def host(self, name: str) -> Host:
        """The host that a page calls so."""
        return self.bed[self.names.get(name, name)]

    def follow(
        self, page: str, before: Callable[[str], object] = lambda _: None, heading: str = ""
    ) -> list[str]:
        """All steps in order; what each said. `before` is called with each step's script."""
        steps = STEP.findall(self.text(f"docs/{page}", heading))
        assert steps
        said = []
        for where, script in steps:
            before(script)
            for name in where.split(" and "):
                words = "set -e\n" + LOOKS.sub(r"\1 || true", ASKS.sub(r"\1 --yes", script))
                said.append(self.host(name).exec(words, timeout_s=300).stdout)
        return said

    def files(self, page: str, *names: str, heading: str = "", mode: int = 0o755) -> list[str]:
        """Write the page's files on those hosts; returns their paths."""
        found = FILE.findall(self.text(f"docs/{page}", heading))
        for path, content in found:
            for name in names:
                self.host(name).push(path, content, mode)
        return [path for path, _ in found]

    def snippets(self, page: str, heading: str = "") -> list[str]:
        """The pieces of configuration that a page shows."""
        return SNIPPET.findall(self.text(f"docs/{page}", heading))

    def status(self, name: str) -> dict[str, Any]:
        """What it says of itself; {} when it did not."""
        said = self.host(name).exec(["acmd", "status", "--json"], check=False).stdout
        found: dict[str, Any] = json.loads(said) if said.startswith("{") else {}
        return found

    def role(self, name: str) -> str:
        """Its role by its own word."""
        return str(self.status(name).get("role", ""))

    def settled(self, active: str, other: str) -> bool:
        """As the pages say: an active node whose services run, and a passive one that could take over."""
        shown = self.status(active)
        rows = {node["name"]: node for node in shown.get("nodes", [])}
        if shown.get("role") != "active" or other not in rows or rows[other]["role"] != "passive":
            return False
        return rows[other]["fit"] and all(one["state"] == "running" for one in rows[active]["services"])

    def begin(self) -> None:
        """Everything as the tutorial has it, with a active."""
        for name, text in self.configurations.items():
            if self.bed[name].read("/etc/acmd/acmd.toml") != text:
                self.bed[name].push("/etc/acmd/acmd.toml", text, 0o600)
                self.bed[name].exec(["systemctl", "restart", "acmd"], timeout_s=120)
        wait_for(lambda: self.settled("a", "b") or self.settled("b", "a"), 90, "both nodes are well")
        if self.role("b") == "active":
            self.bed["b"].exec(["acmd", "switchover"], timeout_s=150)
            wait_for(lambda: self.settled("a", "b"), 90, "a is active")

    def page(self, name: str, port: int = 8080) -> bool:
        """Whether the application answers there."""
        asks = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{port}/', timeout=5).read())"
        return "hello" in self.bed[name].exec(["python3", "-c", asks], check=False).stdout

    def process(self, name: str) -> str:
        """The application's process there, "" without."""
        return self.bed[name].exec(["pgrep", "-f", "http.server 8080"], check=False).stdout.strip()
