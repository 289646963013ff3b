"""A node's own file on shared storage: for people and for choosing, never for safety."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from acmd.core.text import printable

TEXT_LIMIT = 400
PROBES_LIMIT = 8
USERS_LIMIT = 32
_TEXTS = ("held", "detail")
_NUMBERS = ("since_s", "restarts", "last_stop_s", "longest_stop_s")


@dataclass(frozen=True)
class NodeFile:
    """What a node says of itself. `beat` counts up, so that a living node's file keeps changing."""

    node: str
    address: str
    role: str
    fit: bool
    unfit_because: str
    disabled: bool
    version: str
    incarnation: str
    boot_id: str
    beat: int
    services: tuple[dict[str, Any], ...] = field(default=())
    held_down: bool = False  # it gave up after failures and stays out of elections for a while
    users: dict[str, str] = field(default_factory=dict)  # `uid:gid` of its services' users
    config_digest: str = ""  # alike where the configuration is, but for what is each node's own


_FIELDS: tuple[tuple[str, type], ...] = (
    ("node", str),
    ("address", str),
    ("role", str),
    ("fit", bool),
    ("unfit_because", str),
    ("disabled", bool),
    ("version", str),
    ("incarnation", str),
    ("boot_id", str),
    ("beat", int),
)


def to_content(file: NodeFile) -> dict[str, Any]:
    """The file's content, as JSON values."""
    return {**asdict(file), "services": list(file.services)}


def from_content(content: dict[str, Any]) -> NodeFile | str:
    """The node file, or why it is ignored: garbage never gets further than this."""
    values: dict[str, Any] = {}
    for key, wanted in _FIELDS:
        value = content.get(key)
        if type(value) is not wanted:
            return f"{key} is missing or of the wrong type"
        values[key] = _text(value) if wanted is str else value
    services = content.get("services")
    if not isinstance(services, list):
        return "services is not a list"
    kept = tuple(_service(entry) for entry in services[:100] if isinstance(entry, dict))
    return NodeFile(
        **values,
        services=kept,
        held_down=content.get("held_down") is True,
        users=_users(content.get("users")),
        config_digest=_text(content.get("config_digest")),
    )


def _users(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {_text(name): _text(ids) for name, ids in list(value.items())[:USERS_LIMIT]}


def _service(entry: dict[str, Any]) -> dict[str, Any]:
    """Name, state and where it runs; beside that what there is and makes sense."""
    kept: dict[str, Any] = {key: _text(entry.get(key)) for key in ("name", "state", "runs_on")}
    kept.update({key: _text(entry[key]) for key in _TEXTS if _text(entry.get(key))})
    kept.update({key: entry[key] for key in _NUMBERS if _counts(entry.get(key))})
    probes = entry.get("probes")
    if isinstance(probes, list):
        kept["probes"] = [_probe(probe) for probe in probes[:PROBES_LIMIT] if isinstance(probe, dict)]
    return kept


def _probe(entry: dict[str, Any]) -> dict[str, Any]:
    age_s = entry.get("age_s")
    return {
        "name": _text(entry.get("name")),
        "ok": entry.get("ok") is True,
        "detail": _text(entry.get("detail")),
        "age_s": age_s if _counts(age_s) else 0.0,
    }


def _counts(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < 1e12


def _text(value: Any) -> str:
    """Another node's text; what is no text counts as none."""
    return printable(value, TEXT_LIMIT) if type(value) is str else ""
