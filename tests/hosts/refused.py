"""A cluster on which commands are refused, and how a refusal is looked at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.hosts.cluster import Cluster
from tests.hosts.host import Host
from tests.hosts.inside import Result
from tests.hosts.refusals import Refusal
from tests.hosts.witness import wait_for

BROKEN = ("Traceback", "Exception ignored", "Fatal Python error")


@dataclass(frozen=True, slots=True)
class Site:
    """alpha is active, beta is passive; eva belongs to the group acmd, mallory does not."""

    cluster: Cluster
    alpha: Host
    beta: Host

    def settled(self) -> bool:
        """Alpha active, with its service as it should be, and both nodes known and fit."""
        shown = self.cluster.status(self.alpha)
        rows = {node["name"]: node for node in shown.get("nodes", [])}
        if shown.get("role") != "active" or rows.keys() != {"alpha", "beta"}:
            return False
        fit = all(node["fit"] for node in rows.values()) and rows["beta"]["role"] == "passive"
        state = [(one["state"], one["held"]) for one in rows["alpha"]["services"]]
        return fit and state == [("running", "")] and not shown["maintenance"]["nodes"]

    def settle(self) -> None:
        """Until it is so."""
        wait_for(self.settled, 30, f"alpha is active; {self.cluster.says()}")


def call(host: Host, words: str, *, user: str = "", **environment: str) -> Result:
    """Run a command line as a user of that host; it never shows Python's insides."""
    command = ["runuser", "-u", user, "--", "sh", "-c", words] if user else ["sh", "-c", words]
    done = host.exec(command, check=False, timeout_s=60, env=environment)
    for word in BROKEN:
        assert word not in done.stdout + done.stderr, f"{words}: {done.stderr}"
    return done


def wrong(host: Host, one: Refusal) -> str:
    """What is not as it should be with a refusal; "" when all is."""
    if one.before:
        host.exec(one.before, timeout_s=60)
    done = call(host, one.words)
    errors = [line for line in done.stderr.splitlines() if line.startswith(("acmd", "acmctl"))]
    found = []
    if one.then:
        host.exec(one.then, timeout_s=60)
        again = call(host, one.words)
        if again.returncode:
            found.append(f"ends with {again.returncode} after `{one.then}`: {again.stderr}")
    if one.after:
        host.exec(one.after, timeout_s=60)
    if done.returncode != one.code:
        found.append(f"exit code {done.returncode}")
    if len(errors) != 1 or one.says not in errors[0]:
        found.append(f"not one error with {one.says!r}")
    if one.remedy not in done.stderr.partition(one.says)[2]:
        found.append(f"no remedy with {one.remedy!r}")
    if done.stdout:
        found.append(f"standard output: {done.stdout!r}")
    return f"{one.words[:100]}: {', '.join(found)}; said {done.stderr[:600]!r}" if found else ""


def all_right(host: Host, refusals: Iterable[Refusal]) -> None:
    """Each of them as it should be."""
    found = [text for one in refusals if (text := wrong(host, one))]
    assert not found, "\n".join(found)
