"""What tests of `acmd status` look with, and how they follow a remedy."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from acmd.core.decision import Reason
from acmd.display.schema import Status
from acmd.status import SENTENCES as REASONS
from tests.hosts.cluster import ACMD, Cluster
from tests.hosts.host import Host
from tests.hosts.sentences import SENTENCES
from tests.hosts.witness import wait_for

SAID_S = 30.0
QUIET_S = 45.0
COMMAND = re.compile(r"`([^`]+)`")
ASKS = ("acmd confirm-off", "acmd interlock", "acmd forget")


class Said(NamedTuple):
    """One warning."""

    level: str
    what: str
    remedy: str


def status(host: Host) -> dict[str, Any]:
    """`acmd status --json`, which keeps to its schema."""
    done = host.exec([ACMD, "status", "--json"], check=False, timeout_s=30)
    found: dict[str, Any] = json.loads(done.stdout)
    if "error" in found:  # it is starting
        return {}
    Status.model_validate(found)
    assert done.returncode == found["exit_code"]
    return found


def page(host: Host) -> str:
    """What a person sees there."""
    return host.exec([ACMD, "status"], check=False, timeout_s=30).stdout


def warnings(host: Host) -> list[Said]:
    """What is wrong by its word."""
    return [Said(**row) for row in status(host).get("warnings", ())]


def quiet(host: Host, *but: str) -> None:
    """Until nothing is left to warn of, except `but`."""

    def over() -> bool:
        found = status(host)
        left = [Said(**row) for row in found.get("warnings", ())]
        expected = [SENTENCES[key].pattern for key in but]
        return bool(found.get("active")) and all(
            any(pattern.fullmatch(one.what) for pattern in expected) for one in left
        )

    try:
        wait_for(over, QUIET_S, f"quiet on {host.name}")
    except AssertionError as error:
        raise AssertionError(f"{error}; {page(host)}") from None


def said(host: Host, key: str, words: str = "", level: str = "", limit_s: float = SAID_S) -> str:
    """The remedy of that warning, once it is there for machines and people, with these words in it."""
    sentence = SENTENCES[key]

    def look() -> list[Said]:
        found = [
            one
            for one in warnings(host)
            if sentence.pattern.fullmatch(one.what)
            and words in one.what
            and one.level in (level or sentence.levels).split()
        ]
        shown = [line.split(None, 1) for line in page(host).splitlines()] if found else []
        return [one for one in found if any(_shows(line, one, key, words) for line in shown)]

    wanted = f"{host.name} says {level or sentence.levels} {sentence.words!r} with {words!r}"
    try:
        first: Said = wait_for(look, limit_s, wanted)[0]
    except AssertionError as error:
        raise AssertionError(f"{error}; {page(host)}") from None
    assert first.remedy
    return first.remedy


def _shows(line: list[str], one: Said, key: str, words: str) -> bool:
    return (
        len(line) == 2
        and line[0] == one.level
        and SENTENCES[key].pattern.fullmatch(line[1]) is not None
        and words in line[1]
    )


def over(host: Host, key: str, words: str = "", limit_s: float = SAID_S) -> None:
    """Until that warning is gone."""
    sentence = SENTENCES[key]
    wait_for(
        lambda: (
            not [one for one in warnings(host) if sentence.pattern.fullmatch(one.what) and words in one.what]
        ),
        limit_s,
        f"{host.name} still says {sentence.words!r} with {words!r}",
    )


def because(host: Host, reason: Reason, limit_s: float = SAID_S) -> str:
    """The sentence that gives this reason, once the page has it behind the node's role."""
    wait_for(lambda: status(host).get("reason_code") == reason.value, limit_s, f"{host.name}: {reason}")
    line = next((line for line in page(host).splitlines() if line.startswith("here ")), "")
    now = status(host)
    assert REASONS[reason] in line or now["reason_code"] != reason.value, line
    return str(now["reason"])


def follow(host: Host, remedy: str, typed: str = "", number: int = 0) -> None:
    """Run the command in the remedy exactly as printed; `typed` is what a person answers on a terminal."""
    command = COMMAND.findall(remedy)[number]
    if command.startswith(ASKS):
        assert typed
        host.exec(
            ["sh", "-c", f"printf '%s\\n' {typed} | script -qec \"$1\" /dev/null", "sh", _known(command)]
        )
    else:
        host.exec(_known(command), timeout_s=120)


def _known(command: str) -> str:
    return command.replace("acmd ", f"{ACMD} ", 1) if command.startswith("acmd ") else command


def checked(host: Host, check: str, level: str) -> None:
    """`acmd check` finds the same: some finding of that check has this level."""
    words = [ACMD, "check", "--json", "--group", "daemon" if check == "guard" else "cluster"]

    def look() -> bool:
        rows = json.loads(host.exec(words, check=False, timeout_s=60).stdout)["findings"]
        return any(row["check"] == check and row["level"] == level for row in rows)

    wait_for(look, SAID_S, f"{check} is {level} on {host.name}")


def roles(cluster: Cluster) -> tuple[Host, Host]:
    """The active host, and the other one."""
    first, second = cluster.bed.hosts
    wait_for(lambda: status(first).get("active") == status(second).get("active"), SAID_S, "they agree")
    return (first, second) if status(first)["active"] == first.name else (second, first)
