"""What the operator's commands say while a fault lasts, and after it: whether that is right."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import Any

from tests.campaign.place import Place
from tests.hosts.cluster import ACMD
from tests.hosts.host import Host
from tests.hosts.inside import HostError, Result

LIMIT_S = 20.0  # of a host that answers: without a daemon status reads the storage for three seconds at most
PAUSE_S = 1.0
EXIT_CODES = {0, 1, 2, 3}
LAST_EPOCHS = 20


@dataclass(slots=True)
class Console:
    """Use as a context: every host is asked for its status all the time. `wrong`: what no answer may be."""

    place: Place
    spared: set[str]  # hosts that the fault may keep from answering at all
    asked: int = 0
    wrong: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _asking: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Console:
        for host in self.place.hosts:
            thread = threading.Thread(target=self._ask, args=(host,), name=f"console-{host.name}")
            thread.start()
            self._asking.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._asking:
            thread.join()

    def _ask(self, host: Host) -> None:
        while not self._over.wait(PAUSE_S):
            try:
                done = host.exec(
                    [ACMD, "status", "--json"], check=False, timeout_s=LIMIT_S * self.place.site.patience
                )
            except (HostError, OSError) as problem:  # it is off, goes off, or stands still
                if "took longer" in str(problem) and host.name not in self.spared:
                    self.wrong.append(f"status on {host.name}: no end within its limit")
                continue
            if done.returncode < 0 or done.returncode > 128 or (host.name in self.spared and not done.stdout):
                continue  # it was killed with its host, or could not even be started
            self.asked += 1
            self.wrong += [f"status on {host.name}: {words}" for words in amiss(done)]


def amiss(done: Result) -> list[str]:
    """What no answer may be, whatever goes on: a traceback, no JSON, a code that means nothing."""
    found = [f"a traceback: {done.stderr[-300:]}"] if "Traceback" in done.stderr else []
    if done.returncode not in EXIT_CODES:
        found.append(f"it ended with {done.returncode}: {done.stderr[-200:]}")
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        return [*found, f"no JSON: {done.stdout[:100]!r} {done.stderr[-200:]!r}"]
    if not ({"role", "active", "nodes"} <= set(answer) or "error" in answer):
        found.append(f"neither a status nor an error: {sorted(answer)}")
    return found


def afterwards(place: Place) -> list[str]:
    """Whether status, history and check are right on every host of a whole cluster, by the witness's word."""
    active, patience = place.active(), place.site.patience
    runs = {(run.epoch, run.node) for run in place.stamps.runs()}
    found = []
    for host in place.hosts:
        said = {}
        for words in (["status"], ["history", "-n", str(LAST_EPOCHS)], ["check"]):
            done = host.exec([ACMD, *words, "--json"], check=False, timeout_s=3 * LIMIT_S * patience)
            said[words[0]] = _parsed(done, words[0] == "check")
            found += [f"{words[0]} on {host.name}: {text}" for text in _unsaid(done, said[words[0]])]
        found += [f"on {host.name}: {text}" for text in _differs(said, active.name, runs)]
    return found


def _parsed(done: Result, is_check: bool) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return {}
    return answer if not is_check or "findings" in answer else {}


def _unsaid(done: Result, answer: dict[str, Any]) -> list[str]:
    found = [f"a traceback: {done.stderr[-300:]}"] if "Traceback" in done.stderr + done.stdout else []
    if done.returncode not in EXIT_CODES or not answer:
        found.append(f"it ended with {done.returncode}: {done.stderr[-200:]!r} {done.stdout[:100]!r}")
    return found


def _differs(said: dict[str, dict[str, Any]], active: str, runs: set[tuple[int, str]]) -> list[str]:
    """Status and history beside what the witness saw."""
    found = []
    if said["status"].get("active") != active:
        found.append(f"status says that {said['status'].get('active')} is active, but {active} is")
    epochs = said["history"].get("epochs", [])
    numbers = [one["epoch"] for one in epochs]
    if numbers != sorted(set(numbers)):
        found.append(f"history has the epochs {numbers}")
    holders = {one["epoch"]: one["holder"] for one in epochs}
    if epochs and (epochs[-1]["holder"], epochs[-1]["state"]) != (active, "held"):
        found.append(
            f"history ends with {epochs[-1]['state']} by {epochs[-1]['holder']}, but {active} is active"
        )
    found += [
        f"history says that epoch {epoch} was {holders[epoch]}'s, but {node} ran in it"
        for epoch, node in sorted(runs)
        if epoch in holders and holders[epoch] not in {node, ""}
    ]
    return found
