"""The status page for people: one HTML document without scripts and without anything from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from acmd.display.findings import warnings_of
from acmd.display.page import (
    COLUMNS,
    SERVICE_COLUMNS,
    facts,
    handover_in_words,
    node_rows,
    service_rows,
)
from acmd.display.words import ago, moment

KIND = "text/html; charset=utf-8"
REFRESH_S = 5
STYLE = """
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--text:#1c2024;--soft:#5c6670;--line:#dfe3e8;
--good:#1a7f37;--bad:#b3261e;--warn:#8a5a00;--calm:#2457a6;--track:#e8ebef}
@media (prefers-color-scheme:dark){:root{--bg:#14171a;--card:#1d2126;--text:#e8eaed;--soft:#9aa4ae;
--line:#333a42;--good:#58c472;--bad:#ff8a80;--warn:#f0b648;--calm:#8ab4f8;--track:#2b3138}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--text);font:16px/1.45 system-ui,sans-serif}
main{max-width:60rem;margin:0 auto;padding:1rem}
h1{font-size:1.4rem;margin:.2rem 0 0;overflow-wrap:anywhere}
h2{font-size:1rem;margin:0 0 .6rem;color:var(--soft);font-weight:600}
section,.head{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.9rem 1rem;
margin:0 0 .8rem}
.head p{margin:.2rem 0 0;color:var(--soft)}
.ok{color:var(--good)}.no{color:var(--bad)}
ul{margin:0;padding:0;list-style:none}
li{padding:.45rem 0;border-top:1px solid var(--line);overflow-wrap:anywhere}
li:first-child{border-top:0;padding-top:0}
li b{margin-right:.4rem}
.ALARM b{color:var(--bad)}.WARN b{color:var(--warn)}.NOTE b{color:var(--calm)}
li span{display:block;color:var(--soft)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1rem;margin:0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%}
th{text-align:left;color:var(--soft);font-weight:500;font-size:.85rem}
th,td{padding:.35rem .7rem .35rem 0;border-top:1px solid var(--line);vertical-align:top}
thead th{border-top:0}
td:first-child{font-weight:600}
.active,.running{color:var(--good);font-weight:600}.passive{color:var(--calm)}
.failed,.unknown,.killing,.demoting{color:var(--bad);font-weight:600}
svg{display:block;width:100%;height:3.4rem}
.track{fill:var(--track)}.age{fill:var(--calm)}.late{fill:var(--bad)}.mark{stroke:var(--soft);stroke-width:1}
text{fill:var(--soft);font-size:12px}
footer{color:var(--soft);font-size:.85rem;padding:0 0 1rem}
code{font:.9em/1.4 ui-monospace,monospace;background:var(--track);border-radius:.25rem;padding:0 .25em}
@media (max-width:40rem){main{padding:.6rem}thead{display:none}
tr{display:grid;grid-template-columns:1fr 1fr;gap:.1rem .8rem;border-top:1px solid var(--line);
padding:.5rem 0}
tr:first-child{border-top:0;padding-top:0}
td{display:flex;flex-wrap:wrap;gap:0 .4rem;border:0;padding:0;overflow-wrap:anywhere;min-width:0}
td::before{content:attr(data-of);color:var(--soft);font-weight:400;font-size:.85rem;align-self:center}
dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.45rem}}
"""
POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'"
)
HEADERS = (
    ("Content-Security-Policy", POLICY),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Refresh", str(REFRESH_S)),
)


def page(snapshot: Mapping[str, Any], wall_time: float) -> str:
    """The whole document."""
    cluster = escape(snapshot["cluster"]["name"])
    body = "".join(
        (
            _head(snapshot),
            _warnings(snapshot),
            _section("Nodes", _table(COLUMNS, node_rows(dict(snapshot)))),
            _section("Services", _table(SERVICE_COLUMNS, service_rows(dict(snapshot)))),
            _section("Lease", _timeline(snapshot)),
            _section("Here", _facts(snapshot)),
            _section("History", _history(snapshot)),
        )
    )
    said = f"as {escape(snapshot['node'])} saw it at {moment(wall_time)}, acmd {escape(snapshot['version'])}"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{_title(snapshot)}</title><style>{STYLE}</style></head>"
        f"<body><main>{body}<footer>{cluster}, {said}; "
        f"the page renews itself every {REFRESH_S} s</footer></main></body></html>"
    )


def _title(snapshot: Mapping[str, Any]) -> str:
    active = snapshot["active"] or "nobody active"
    return escape(f"{active} - {snapshot['cluster']['name']}")


def _head(snapshot: Mapping[str, Any]) -> str:
    active = snapshot["active"]
    title = (
        f'<span class="ok">{escape(active)}</span> is active'
        if active
        else '<span class="no">Nobody</span> is active'
    )
    epoch = f"epoch {snapshot['epoch']}" if snapshot["epoch"] is not None else "no epoch yet"
    here = f"{snapshot['node']}, which shows this, is {snapshot['role']}"
    if snapshot["role_since_s"] is not None:
        here += f" for {ago(snapshot['role_since_s'])}"
    return f'<div class="head"><h1>{title}</h1><p>{epoch}; {escape(here)}</p></div>'


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>" if content else ""


def _warnings(snapshot: Mapping[str, Any]) -> str:
    items = "".join(
        f'<li class="{warning.level}"><b>{warning.level}</b> {escape(warning.what)}'
        f"<span>{_with_commands(warning.remedy)}</span></li>"
        for warning in warnings_of(snapshot)
    )
    return _section("Warnings", f"<ul>{items}</ul>") if items else ""


def _with_commands(text: str) -> str:
    """What stands in backticks is a command."""
    parts = escape(text).split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))


def _facts(snapshot: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<dt>{escape(label)}</dt><dd>{escape(words)}</dd>" for label, words in facts(dict(snapshot))
    )
    return f"<dl>{rows}</dl>"


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    body = "".join(
        "<tr>"
        + "".join(
            f'<td data-of="{column}" class="{escape(_word(column, cell))}">{escape(cell)}</td>'
            for column, cell in zip(columns, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    head = "".join(f"<th>{column}</th>" for column in columns)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if body else ""


def _word(column: str, cell: str) -> str:
    """The class that colours a role or a state."""
    return cell if column in {"role", "state"} and cell.replace("-", "").isalpha() else ""


def _timeline(snapshot: Mapping[str, Any]) -> str:
    """The lease's age against its deadlines, from its renewal to the takeover."""
    lease, timing = snapshot["lease"], snapshot["timing"]
    if lease is None or timing is None or lease["state"] != "held" or lease["age_s"] is None:
        return ""
    whole_s = timing["takeover_wait_s"] * 1.05
    marks = (
        ("stops", timing["renew_deadline_s"]),
        ("kills", timing["kill_deadline_s"]),
        ("ends", timing["lease_duration_s"]),
        ("takeover", timing["takeover_wait_s"]),
    )

    def at(seconds: float) -> str:
        return f"{min(100.0, max(0.0, 100 * seconds / whole_s)):.1f}%"

    late = "late" if lease["age_s"] >= timing["renew_deadline_s"] else "age"
    lines = "".join(
        f'<line class="mark" x1="{at(s)}" x2="{at(s)}" y1="2" y2="20"/>'
        f'<text x="{at(s)}" y="{50 if number % 2 else 34}" text-anchor="end">'
        f"{name} {s:g} s</text>"
        for number, (name, s) in enumerate(marks)
    )
    words = f"renewed {ago(lease['age_s'])} ago by {lease['holder']}"
    return (
        f'<svg role="img" aria-label="{escape(words)}">'
        '<rect class="track" x="0" y="4" width="100%" height="14" rx="4"/>'
        f'<rect class="{late}" x="0" y="4" width="{at(lease["age_s"])}" height="14" rx="4"/>{lines}</svg>'
        f"<div>{escape(words)}</div>"
    )


def _history(snapshot: Mapping[str, Any]) -> str:
    items = "".join(
        f"<li>{escape(moment(handover['at']))}: {escape(handover_in_words(handover))}</li>"
        for handover in snapshot["handovers"]
    )
    return f"<ul>{items}</ul>" if items else ""
