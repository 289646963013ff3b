"""The lease record on the wire: what is written is read, and nothing else is."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acmd.core.lease import (
    EVERY_HOST,
    MAX_EPOCH,
    RECORD_BYTES,
    Defect,
    LeaseState,
    Record,
    decode,
    encode,
    epoch_of,
    lease_name,
)

CLUSTER = "3f0c8a52-6f0e-4d52-9a3b-0d6d0f0c5a11"
RECORD = Record(
    cluster_id=CLUSTER,
    epoch=42,
    sequence=7,
    holder="node-a",
    incarnation="0b8e8f0e-50a4-4b4e-93a4-3a9d7b2f3f8f",
    attempt="sx3kZq0vQv2m6Vv8Yc1Xwg",
    machine_id="e3b0c44298fc4c149afbf4c8996fb924",
    boot_id="7d793037-a076-4f2d-8b1c-0c1b2a3d4e5f",
    duration_ms=12_000,
    state=LeaseState.HELD,
    unfenced=("node-b",),
    address="10.0.0.1",
    written_at=1_700_000_000,
    claimed_at=1_699_999_000,
)


def sealed(wire: str) -> bytes:
    """Bytes with a right checksum whose JSON is `wire` without its first brace."""
    body = wire.encode().ljust(RECORD_BYTES - 18 - 1) + b"\n"
    return b'{"crc":"%08x",' % zlib.crc32(body) + body


def with_(**changes: Any) -> bytes:
    """The record with keys of its wire form changed; None takes a key away."""
    wire = json.loads(encode(RECORD))
    del wire["crc"]
    wire = {key: value for key, value in (wire | changes).items() if value is not None}
    return sealed(json.dumps(wire, separators=(",", ":"))[1:])


def test_a_record_is_one_line_of_json_in_512_bytes() -> None:
    """People can read it with any tool; a checksum leads."""
    raw = encode(RECORD)
    assert len(raw) == RECORD_BYTES
    assert raw.endswith(b"\n")
    assert raw.count(b"\n") == 1
    assert json.loads(raw)["holder"] == "node-a"
    assert decode(raw, CLUSTER, 42) == RECORD


names = st.text(st.characters(codec="ascii", exclude_characters='"\\', min_codepoint=32), max_size=12)


@given(
    st.builds(
        Record,
        cluster_id=st.just(CLUSTER),
        epoch=st.integers(0, MAX_EPOCH),
        sequence=st.integers(0, 2**40),
        holder=names,
        incarnation=names,
        attempt=names,
        machine_id=names,
        boot_id=names,
        duration_ms=st.integers(0, 10**6),
        state=st.sampled_from(LeaseState),
        reason=names,
        successor=names,
        unfenced=st.lists(names, max_size=3).map(tuple),
        address=names,
        written_at=st.integers(0, 2**33),
        claimed_at=st.integers(0, 2**33),
    )
)
def test_every_record_comes_back(record: Record) -> None:
    """Whatever the values: what is encoded is decoded."""
    assert decode(encode(record), CLUSTER, record.epoch) == record


def test_too_many_unfenced_hosts_become_all() -> None:
    """The larger set is the safe one."""
    crowded = RECORD._replace(unfenced=tuple(f"host-number-{n}" for n in range(40)))
    assert decode(encode(crowded), CLUSTER, 42) == RECORD._replace(unfenced=(EVERY_HOST,))


def test_a_record_that_cannot_fit_is_a_bug() -> None:
    """It is raised when written, not noticed when read."""
    with pytest.raises(ValueError, match="does not fit into 512"):
        encode(RECORD._replace(reason="x" * 500))


@pytest.mark.parametrize("size", [0, 1, 100, RECORD_BYTES - 1])
def test_truncated(size: int) -> None:
    """Fewer bytes than a record."""
    assert decode(encode(RECORD)[:size], CLUSTER, 42) is Defect.TRUNCATED


def test_oversized() -> None:
    """More bytes than a record."""
    assert decode(encode(RECORD) + b" ", CLUSTER, 42) is Defect.OVERSIZED


@pytest.mark.parametrize("at", [0, 8, 15, 20, 300, 511])
def test_one_wrong_byte(at: int) -> None:
    """Anywhere in the record it fails the checksum."""
    raw = bytearray(encode(RECORD))
    raw[at] ^= 1
    assert decode(bytes(raw), CLUSTER, 42) is Defect.CRC


def test_torn() -> None:
    """Half of one record and half of another, at every byte where they differ on both sides."""
    old, new = encode(RECORD), encode(RECORD._replace(sequence=123_456, reason="a reason"))
    for at in range(512):
        torn = new[:at] + old[at:]
        if torn not in (old, new):
            assert decode(torn, CLUSTER, 42) is Defect.CRC


@pytest.mark.parametrize(
    "wire",
    ["", "not json", "}", "[" * 400, '"v":1}', '"v":"1"}', '"v":true}', '"v":0}', '"v":1.0}', '"w":1}'],
)
def test_garbage_with_a_right_checksum(wire: str) -> None:
    """Bytes that no acmd writes are garbage, whatever their checksum."""
    assert decode(sealed(wire), CLUSTER, 42) is Defect.GARBAGE


@pytest.mark.parametrize(
    "changes",
    [
        {"epoch": "42"},
        {"epoch": -1},
        {"seq": True},
        {"seq": 1.5},
        {"ttl_ms": None},
        {"holder": 7},
        {"holder": None},
        {"state": "gone"},
        {"state": 1},
        {"unfenced": "node-b"},
        {"unfenced": [1]},
        {"unfenced": None},
    ],
    ids=str,
)
def test_fields_of_the_wrong_type(changes: dict[str, Any]) -> None:
    """Each field has one type; no value is guessed from another."""
    wire = json.loads(encode(RECORD))
    for key, value in changes.items():
        if value is None:
            del wire[key]
        else:
            wire[key] = value
    del wire["crc"]
    raw = sealed(json.dumps(wire, separators=(",", ":"))[1:])
    assert decode(raw, CLUSTER, 42) is Defect.GARBAGE


def test_a_newer_format() -> None:
    """It is told apart from garbage, since the remedy is an upgrade; also when all else is unknown."""
    assert decode(with_(v=2), CLUSTER, 42) is Defect.FUTURE
    assert decode(sealed('"v":99}'), CLUSTER, 42) is Defect.FUTURE


def test_a_foreign_cluster() -> None:
    """Another cluster's record is told apart: somebody mounted the wrong directory."""
    assert decode(encode(RECORD), "another", 42) is Defect.FOREIGN


def test_a_record_in_the_wrong_file() -> None:
    """A copied or renamed file holds a record of another epoch."""
    assert decode(encode(RECORD), CLUSTER, 43) is Defect.MISPLACED


def test_an_unknown_key_is_no_defect() -> None:
    """A later version of the same format may add keys."""
    assert decode(with_(more=1), CLUSTER, 42) == RECORD


@given(st.binary(max_size=600) | st.binary(min_size=RECORD_BYTES, max_size=RECORD_BYTES))
def test_any_bytes(raw: bytes) -> None:
    """Decoding never raises."""
    assert isinstance(decode(raw, CLUSTER, 42), Defect)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=3), part, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*json.loads(encode(RECORD)), "other"]), json_values, max_size=4))
def test_any_fields_with_a_right_checksum(changes: dict[str, Any]) -> None:
    """Neither do fields of whatever type behind a right checksum."""
    changes.pop("crc", None)
    raw = with_(**changes)
    assert isinstance(decode(raw, CLUSTER, 42), (Defect, Record))


@given(st.binary(max_size=490))
def test_any_body_with_a_right_checksum(body: bytes) -> None:
    """Nor bytes that are no text at all."""
    padded = body.ljust(RECORD_BYTES - 18)
    assert isinstance(decode(b'{"crc":"%08x",' % zlib.crc32(padded) + padded, CLUSTER, 42), Defect)


@given(st.integers(0, MAX_EPOCH))
def test_names(epoch: int) -> None:
    """The name of an epoch's file leads back to the epoch, and sorts as it does."""
    assert epoch_of(lease_name(epoch)) == epoch
    assert len(lease_name(epoch)) == 16


@pytest.mark.parametrize(
    "name",
    [
        "",
        "lease.",
        "lease.1",
        "lease.00000000001",
        "lease.-000000001",
        "lease.000000000x",
        "lease.٠٠٠٠٠٠٠٠٠١",
        "x",
        "Lease.0000000001",
        "lease.0000000001~",
        " lease.0000000001",
        "lease.0000000²00",
    ],
)
def test_names_that_are_no_lease_files(name: str) -> None:
    """Backups, temporary files and digits of other scripts are strangers."""
    assert epoch_of(name) is None
