"""From every peer's rounds to the table, the JSON file with all values, the chart and the page."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from bench.page import number
from bench.peers import KINDS
from bench.peers.faults import FAULTS, HOLD_S
from bench.results import Report, Series

NAME = "compare"
PAGE = "takeover.md"
ABOUT = f"""\
The same service under each manager: a unit of systemd that stamps each 4 ms, on hosts with a real systemd
and one clock. Time without service is all the time from the fault on in which no host stamped, time with
two copies that in which two did. Nobody reaches a host that is cut off altogether: what runs there is no
service, and still a copy. A partition, an isolation, a stopped or killed manager goes on for {HOLD_S:g} s
after the takeover and is mended then (without a takeover, after the longest time that one takes), so that
**two copies for {HOLD_S:g} s mean: for as long as nobody comes**. Each peer's configuration and its sources:
`bench/peers/etc/`."""
NOT_HAD = {
    "sbd (with pacemaker)": "it needs a watchdog device, and the hosts of the bed have none",
}


def load(directory: Path) -> list[dict[str, Any]]:
    """What was measured of each peer, in the order of the table."""
    files = [directory / NAME / f"{kind.name}.json" for kind in KINDS]
    return [json.loads(file.read_text()) for file in files if file.exists()]


def make(directory: Path) -> Report:
    """All rounds as series: of each fault time without service, then time with two copies."""
    everyone = {told["peer"]: told for told in load(directory)}
    peers = [told for told in everyone.values() if told["rounds"]]
    report = Report(
        NAME, "Takeover, planned move, and time with two active copies", " ".join(ABOUT.split("\n"))
    )
    for fault, words in FAULTS.items():
        for key, what in (("away_s", "without service"), ("both_s", "two copies")):
            for told in peers:
                rounds = [one for one in told["rounds"] if one["fault"] == fault]
                if rounds:
                    report.add(_series(told, rounds, f"{words}: {what}", key))
    for kind in KINDS:
        told = next((one for one in peers if one["peer"] == kind.name), {})
        if not told:
            why = everyone.get(kind.name, {}).get("missing") or "no round came to its end"
            report.skip(kind.name, why)
            continue
        if kind.remark:
            report.remark(f"{kind.name}: {kind.remark}.")
        for fault, why in kind.cannot.items():
            report.skip(f"{kind.name}, {FAULTS[fault]}", why)
        for program, version in told["versions"].items():
            report.version(program, version)
        for failed in told["failed"]:
            report.remark(
                f"{kind.name}: fresh hosts after {failed['fault']!r}: {failed['error'].splitlines()[0]}"
            )
    for subject, why in NOT_HAD.items():
        report.skip(subject, why)
    rounds = [one for told in peers for one in told["rounds"]]
    if rounds:
        loads = [one["load"] for one in rounds]
        report.begun = {"at": min(one["at"] for one in rounds), "load": [loads[0]]}
        report.remark(
            f"Load of the machine at the rounds' begin: {min(loads):g} to {max(loads):g}, median "
            f"{statistics.median(loads):g}. Several peers were measured at a time."
        )
    return report


def _series(told: dict[str, Any], rounds: list[dict[str, Any]], what: str, key: str) -> Series:
    took = sum(one["took_over"] for one in rounds)
    fenced = sum(one["fenced"] for one in rounds)
    notes = [] if took == len(rounds) else [f"taken over in {took} of {len(rounds)}"]
    notes += [f"hosts fenced: {fenced}"] if fenced else []
    ours = key == "both_s" and told["peer"].startswith("acmd")
    values = [float(one[key]) for one in rounds]
    return Series(what, told["peer"], "s", values, "; ".join(notes), most_worst=0.0 if ours else None)


def page(directory: Path) -> str:
    """The page: a row for each peer; in each cell median (worst) without service, worst with two copies."""
    peers = [told for told in load(directory) if told["rounds"]]
    kinds = {kind.name: kind for kind in KINDS}
    shown = json.loads((directory / f"{NAME}.json").read_text())
    lines = ["# Takeover side by side", "", ABOUT, ""]
    lines += [
        "Each cell: time without service, median (worst); in bold the worst time with two copies, if any.",
        "",
    ]
    lines += ["| | " + " | ".join(FAULTS.values()) + " |", "| --- |" + " --- |" * len(FAULTS)]
    for told in peers:
        kind = kinds[told["peer"]]
        cells = []
        for fault in FAULTS:
            rounds = [one for one in told["rounds"] if one["fault"] == fault]
            if not rounds:
                same = fault == "isolation" and not kind.shared_storage
                cells.append("as partition" if same else "-")
                continue
            away = [one["away_s"] for one in rounds]
            cell = f"{number(statistics.median(away))} s ({number(max(away))})"
            both = max(one["both_s"] for one in rounds)
            cells.append(cell + (f" **{number(both)} s twice**" if both else ""))
        lines.append(f"| {kind.title} | {' | '.join(cells)} |")
    versions = ", ".join(f"{name} {version}" for name, version in shown["versions"].items())
    machine = shown["machine"]
    lines += [
        "",
        f"{machine['cpus']} CPUs, Linux {machine['kernel']}; {versions}. {shown['begin']['at'][:10]}.",
        "",
    ]
    lines += [f"- Not measured: {one['subject']}. {one['reason'].capitalize()}." for one in shown["skipped"]]
    lines += [f"- {remark}" for remark in shown["remarks"]]
    lines += ["", f"All rounds: [{NAME}.json]({NAME}.json), one by one below [{NAME}/]({NAME}/).", ""]
    lines += [f"![{shown['title']}]({NAME}.svg)", ""]
    return "\n".join(lines)


def write(directory: Path) -> int:
    """Table, JSON, chart, page. The exit code: 1 when acmd was there twice."""
    code = make(directory).write(directory)
    (directory / PAGE).write_text(page(directory))
    return code
