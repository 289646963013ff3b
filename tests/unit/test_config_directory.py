"""The cluster's directory: missing, not the right device, reached over links that others can turn."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from acmd.config.directory import examine
from acmd.config.host import HostFacts
from acmd.config.model import Config
from tests.unit.configs import FILE, HOST, loaded


def config(directory: Path, more: str = "") -> Config:
    return loaded(f'[cluster]\ndirectory = "{directory}"\n{more}').config


def told(found: Config, host: HostFacts) -> list[str]:
    return [("warning " if problem.warning else "") + problem.text(FILE) for problem in examine(found, host)]


def pretending(root: Path, device: int = 57, owners: dict[Path, int] | None = None) -> HostFacts:
    """The real host, but what is below `root` lies on another device, and may belong to others."""

    def lstat(path: str) -> os.stat_result:
        values = list(os.lstat(path))
        if Path(path).is_relative_to(root):
            values[2] = device
        values[4] = (owners or {}).get(Path(path), values[4])
        return os.stat_result(values)

    return replace(HOST, lstat=lstat)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    directory = tmp_path / "shared"
    directory.mkdir(mode=0o755)
    return directory


def test_all_is_well(shared: Path) -> None:
    """A directory on a device of its own, with the expected id, gives no message."""
    assert told(config(shared, "device_id = 57\ndevice_id_enforced = true\n"), pretending(shared)) == []


def test_missing(shared: Path) -> None:
    """A directory that is not there is an error, and the mount the first thing to look at."""
    assert told(config(shared / "acmd"), HOST) == [
        f'acmd.toml: cluster.directory = "{shared}/acmd": {shared}/acmd does not exist; '
        "mount the shared storage; if this is a new cluster, `acmd init` makes the directory"
    ]


def test_what_may_come_back_is_told_apart(shared: Path) -> None:
    """Storage that is not there yet is `unavailable`, so that a daemon can wait; a mistake is not."""
    (shared / "f").touch()
    kinds = [[p.unavailable for p in examine(config(path), HOST)] for path in (shared / "acmd", shared / "f")]
    assert kinds == [[True], [False]]
    enforced = config(shared, "device_id = 58\ndevice_id_enforced = true\n")
    assert [p.unavailable for p in examine(enforced, pretending(shared))] == [True]


def test_a_file(shared: Path) -> None:
    """A file is no directory, nor is what is said to be below one."""
    (shared / "f").touch()
    assert told(config(shared / "f"), HOST) == [
        f'acmd.toml: cluster.directory = "{shared}/f": is not a directory; correct the path'
    ]
    assert told(config(shared / "f" / "x"), HOST) == [
        f'acmd.toml: cluster.directory = "{shared}/f/x": a part of {shared}/f/x is not a directory; '
        "correct the path"
    ]


def test_root_disk(shared: Path) -> None:
    """A directory on the root disk is a warning: the storage is probably not mounted."""
    host = pretending(shared, device=os.lstat("/").st_dev)
    assert told(config(shared), host) == [
        f'warning acmd.toml: cluster.directory = "{shared}": is on this host\'s root disk, which no '
        "other node sees; "
        "mount the shared storage there"
    ]


def test_another_device(shared: Path) -> None:
    """Another device id is a warning, since NFS ids change, and an error where it is enforced."""
    line = (
        f"acmd.toml: cluster.device_id = 58: {shared} is on device 57; "
        "mount the shared storage there; if it is, set cluster.device_id = 57"
    )
    assert told(config(shared, "device_id = 58\n"), pretending(shared)) == [f"warning {line}"]
    assert told(config(shared, "device_id = 58\ndevice_id_enforced = true\n"), pretending(shared)) == [line]


def test_the_directory_is_a_link(shared: Path) -> None:
    """The directory itself must not be a link: it could be turned away from a held lease."""
    (shared / "real").mkdir()
    (shared / "link").symlink_to("real")
    assert told(config(shared / "link"), pretending(shared)) == [
        f'acmd.toml: cluster.directory = "{shared}/link": is a symbolic link, which can be turned '
        "away from a held "
        f"lease; write {shared}/real"
    ]


def test_a_link_on_the_way(shared: Path) -> None:
    """A link on the way is fine, as /opt/aspera/acm is one, unless others than root can turn it."""
    (shared / "real" / "acmd").mkdir(parents=True)
    link = shared / "acm"
    link.symlink_to("real")
    assert told(config(link / "acmd"), pretending(shared)) == []
    complaint = [
        f'acmd.toml: cluster.directory = "{link}/acmd": {link} is a symbolic link that others than '
        "root can change; "
        f"make root its owner and that of the directory it is in, or write {shared}/real/acmd"
    ]
    assert told(config(link / "acmd"), pretending(shared, owners={link: 65534})) == complaint
    shared.chmod(0o777)
    assert told(config(link / "acmd"), pretending(shared)) == complaint
    shared.chmod(0o1777)
    assert told(config(link / "acmd"), pretending(shared)) == []


def test_everybody_may_write(shared: Path) -> None:
    """A directory in which everybody may write leases is refused."""
    shared.chmod(0o777)
    assert told(config(shared), pretending(shared)) == [
        f'acmd.toml: cluster.directory = "{shared}": mode 0777 lets everybody write there, leases included; '
        f"`chmod 0755 {shared}`"
    ]


def test_a_local_place_that_leads_there(shared: Path, tmp_path: Path) -> None:
    """A run directory that reaches shared storage over a link is found."""
    (tmp_path / "run").symlink_to(shared)
    lines = told(config(shared, f'[run]\nrun_dir = "{tmp_path}/run/x"\n'), pretending(shared))
    assert lines[0] == (
        f'acmd.toml: run.run_dir = "{tmp_path}/run/x": leads into the cluster\'s directory, {shared}; '
        "use a place outside of it"
    )


def test_storage_errors_are_told(shared: Path) -> None:
    """An error of the storage is a message, not a traceback."""

    def stale(path: str) -> os.stat_result:
        if path == str(shared):
            raise OSError(116, "Stale file handle")
        return os.lstat(path)

    assert told(config(shared), replace(HOST, lstat=stale)) == [
        f'acmd.toml: cluster.directory = "{shared}": cannot be looked at: stale file handle; '
        "look at the mount, the network and the file server"
    ]


def test_places_of_a_program_that_lead_into_the_directory(shared: Path, tmp_path: Path) -> None:
    """Neither program nor working directory, log or data may come to lie there by a link."""
    (tmp_path / "link").symlink_to(shared)
    link = tmp_path / "link"
    lines = told(
        config(
            shared,
            f'[[service]]\nname = "w"\ncommand = ["{link}/w"]\nworking_directory = "{link}"\n'
            f'log_file = "{link}/log"\ndata_directories = ["{link}"]\n',
        ),
        pretending(shared),
    )
    keys = [line.split(" = ")[0].partition(".toml: ")[2] for line in lines if "leads into" in line]
    assert keys == [
        f'service["w"].{key}' for key in ("data_directories", "working_directory", "command", "log_file")
    ]
