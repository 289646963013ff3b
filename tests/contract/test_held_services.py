"""`drivers.held_services`: what operators hold outlives the daemon; a file of nonsense holds nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from acmd.core.orders import Held
from acmd.drivers.held_services import NAME, HeldServicesFile
from acmd.ports import LocalFailure

WEB = Held("stopped", "alice", 1_700_000_000, "index", 7)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    """Replaced as a whole, readable for its owner only, nothing left beside it."""
    file = HeldServicesFile(tmp_path)
    assert file.load() == {}
    file.save({"web": WEB, "db": WEB._replace(how="paused")})
    file.save({"web": WEB})
    assert file.load() == {"web": WEB}
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "entry",
    [
        3,
        None,
        {},
        {"how": "stopped"},
        {**WEB._asdict(), "how": "gone"},
        {**WEB._asdict(), "at": "now"},
        {**WEB._asdict(), "by": 7},
        {**WEB._asdict(), "more": 1},
    ],
    ids=str,
)
def test_an_entry_that_makes_no_sense(entry: object, tmp_path: Path) -> None:
    """It is left out, the others count."""
    (tmp_path / NAME).write_text(json.dumps({"web": entry, "db": WEB._asdict()}))
    assert HeldServicesFile(tmp_path).load() == {"db": WEB}


@pytest.mark.parametrize("data", [b"", b"\xff\0", b"[" * 60_000, b"[]", b'{"web"'])
def test_a_file_that_makes_no_sense(data: bytes, tmp_path: Path) -> None:
    """Nothing is held."""
    (tmp_path / NAME).write_bytes(data)
    assert HeldServicesFile(tmp_path).load() == {}


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Neither for reading nor for writing."""
    other = tmp_path / "other"
    other.write_text(json.dumps({"web": WEB._asdict()}))
    (tmp_path / NAME).symlink_to(other)
    (tmp_path / f"{NAME}.new").symlink_to(other)
    file = HeldServicesFile(tmp_path)
    assert file.load() == {}
    file.save({})
    assert json.loads(other.read_text()) == {"web": WEB._asdict()}
    assert not (tmp_path / NAME).is_symlink()


def test_a_directory_that_takes_nothing(tmp_path: Path) -> None:
    """Refused with the file, the reason and the way out."""
    with pytest.raises(LocalFailure, match=f"{NAME} cannot be written: No such file or directory"):
        HeldServicesFile(tmp_path / "missing").save({})
