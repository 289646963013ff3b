"""The lease record: one line of JSON in 512 bytes with a CRC, one file for each epoch.

The epoch in the file's name is the point: a renewal that lands late touches only a file that
nobody reads any more, and a claim is one `link()`, which the server decides atomically.
"""

from __future__ import annotations

import json
import zlib
from enum import StrEnum
from typing import Any, NamedTuple, Union

FORMAT = 1
RECORD_BYTES = 512
EVERY_HOST = "*"
"""In `unfenced`: hosts that no longer fit into the record, or that nobody can name. Means all of them."""

MAX_EPOCH = 9_999_999_999
_PREFIX = "lease."
_CRC_HEAD = b'{"crc":"'
_BODY_AT = len(_CRC_HEAD) + 8 + 2  # crc, closing quote, comma


class LeaseState(StrEnum):
    """What a record says of its epoch."""

    HELD = "held"
    RELEASED = "released"
    DETACHED = "detached"


class Defect(StrEnum):
    """Why bytes read from a lease file are not a record that may be acted on."""

    TRUNCATED = "truncated"
    OVERSIZED = "oversized"
    CRC = "bad-crc"
    GARBAGE = "garbage"
    FOREIGN = "foreign-cluster"
    FUTURE = "future-format"
    MISPLACED = "wrong-epoch"


class Record(NamedTuple):
    """One lease record. Wall-clock times are for people; nothing is decided by them."""

    cluster_id: str
    epoch: int
    sequence: int
    holder: str
    incarnation: str
    attempt: str
    machine_id: str
    boot_id: str
    duration_ms: int
    state: LeaseState
    reason: str = ""
    successor: str = ""
    unfenced: tuple[str, ...] = ()
    address: str = ""
    written_at: int = 0
    claimed_at: int = 0


Decoded = Union[Record, Defect]

# Wire key -> field. Short keys: ten identifiers have to fit into 512 bytes.
_KEYS: tuple[tuple[str, str], ...] = (
    ("cluster", "cluster_id"),
    ("epoch", "epoch"),
    ("seq", "sequence"),
    ("holder", "holder"),
    ("inc", "incarnation"),
    ("try", "attempt"),
    ("machine", "machine_id"),
    ("boot", "boot_id"),
    ("ttl_ms", "duration_ms"),
    ("state", "state"),
    ("why", "reason"),
    ("next", "successor"),
    ("unfenced", "unfenced"),
    ("addr", "address"),
    ("at", "written_at"),
    ("since", "claimed_at"),
)
_INTEGERS = {"epoch", "seq", "ttl_ms", "at", "since"}


def lease_name(epoch: int) -> str:
    """The file name of an epoch: `lease.0000000042`."""
    return f"{_PREFIX}{epoch:010d}"


def epoch_of(name: str) -> int | None:
    """The epoch that a file name stands for, or None when it is not a lease file's name."""
    digits = name[len(_PREFIX) :]
    if not name.startswith(_PREFIX) or len(digits) != 10 or not (digits.isascii() and digits.isdigit()):
        return None
    return int(digits)


def encode(record: Record) -> bytes:
    """The record as 512 bytes. Raises ValueError when it cannot fit even with `unfenced` as '*'.

    A set of unfenced hosts that does not fit becomes '*', every host: the larger set is the safe one.
    """
    raw = _encode(record)
    if len(raw) > RECORD_BYTES:
        raw = _encode(record._replace(unfenced=(EVERY_HOST,)))
    if len(raw) > RECORD_BYTES:
        raise ValueError(f"a lease record of {len(raw)} bytes does not fit into {RECORD_BYTES}")
    return raw


def _encode(record: Record) -> bytes:
    wire: dict[str, Any] = {"v": FORMAT}
    for (key, _), value in zip(_KEYS, record):
        wire[key] = value
    body = json.dumps(wire, separators=(",", ":"))[1:].encode("ascii")
    body = body.ljust(RECORD_BYTES - _BODY_AT - 1) + b"\n"
    return _CRC_HEAD + b'%08x",' % zlib.crc32(body) + body


def decode(raw: bytes, cluster_id: str, epoch: int) -> Decoded:
    """The record in `raw`, or the defect that forbids to act on it. Never raises.

    A record whose CRC is right and whose format is newer is FUTURE; one of another cluster FOREIGN.
    """
    if len(raw) != RECORD_BYTES:
        return Defect.TRUNCATED if len(raw) < RECORD_BYTES else Defect.OVERSIZED
    if raw[: len(_CRC_HEAD)] != _CRC_HEAD or raw[len(_CRC_HEAD) : _BODY_AT] != b'%08x",' % zlib.crc32(
        raw[_BODY_AT:]
    ):
        return Defect.CRC
    try:
        wire = json.loads(b"{" + raw[_BODY_AT:])
    except (ValueError, RecursionError):
        return Defect.GARBAGE
    version = wire.get("v")
    if type(version) is not int or version < 1:
        return Defect.GARBAGE
    if version > FORMAT:
        return Defect.FUTURE
    return _from_wire(wire, cluster_id, epoch)


def _from_wire(wire: dict[str, Any], cluster_id: str, epoch: int) -> Decoded:
    values: list[Any] = []
    for key, _ in _KEYS:
        value = wire.get(key)
        if key == "unfenced":
            if type(value) is not list or not all(type(host) is str for host in value):
                return Defect.GARBAGE
            value = tuple(value)
        elif key in _INTEGERS:
            if type(value) is not int or value < 0:
                return Defect.GARBAGE
        elif type(value) is not str:
            return Defect.GARBAGE
        values.append(value)
    try:
        values[9] = LeaseState(values[9])
    except ValueError:
        return Defect.GARBAGE
    record = Record(*values)
    if record.cluster_id != cluster_id:
        return Defect.FOREIGN
    if record.epoch != epoch:
        return Defect.MISPLACED
    return record
