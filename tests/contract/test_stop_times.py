"""`drivers.stop_times`: what was measured outlives the daemon; a file of nonsense says nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from acmd.drivers.stop_times import NAME, StopTimesFile
from acmd.ports import LocalFailure


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    """Replaced as a whole, for its owner only, nothing left beside it."""
    file = StopTimesFile(tmp_path)
    assert file.load() == {}
    file.save({"web": [1.0], "db": [2.0]})
    file.save({"web": [1.0, 2.5]})
    assert file.load() == {"web": [1.0, 2.5]}
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("found", [3, None, {}, "1", ["1"], [True], [-1], [float("inf")], [float("nan")], []])
def test_lengths_that_make_no_sense(found: object, tmp_path: Path) -> None:
    """They are left out, the others count."""
    (tmp_path / NAME).write_text(json.dumps({"web": found, "db": [1, 2.5]}))
    assert StopTimesFile(tmp_path).load() == {"db": [1.0, 2.5]}


@pytest.mark.parametrize("data", [b"", b"\xff\0", b"[" * 60_000, b"[]", b'{"web"'])
def test_a_file_that_makes_no_sense(data: bytes, tmp_path: Path) -> None:
    """Nothing is known."""
    (tmp_path / NAME).write_bytes(data)
    assert StopTimesFile(tmp_path).load() == {}


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Neither for reading nor for writing."""
    other = tmp_path / "other"
    other.write_text('{"web": [1]}')
    (tmp_path / NAME).symlink_to(other)
    (tmp_path / f"{NAME}.new").symlink_to(other)
    file = StopTimesFile(tmp_path)
    assert file.load() == {}
    file.save({})
    assert other.read_text() == '{"web": [1]}'
    assert not (tmp_path / NAME).is_symlink()


def test_a_directory_that_takes_nothing(tmp_path: Path) -> None:
    """Refused with the file and the way out."""
    with pytest.raises(LocalFailure, match=f"{NAME} cannot be written: No such file or directory"):
        StopTimesFile(tmp_path / "missing").save({})
