"""`acmd init`: makes a cluster once, and refuses everything else with one clear error."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from acmd.cli.main import main
from tests.unit.cli_daemon import configuration


def init(directory: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(["init", "--config", str(configuration(directory))])
    out, err = capsys.readouterr()
    refusals = [line for line in err.splitlines() if line.startswith("acmd: ")]
    assert len(refusals) == (code != 0)
    return code, out, refusals[0] if refusals else ""


def test_an_absent_directory_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """cluster.json with id, name and timing, the first lease file, the folders; and it says so."""
    code, out, _ = init(tmp_path, capsys)
    shared = tmp_path / "shared"
    cluster = json.loads((shared / "cluster.json").read_text())
    assert code == 0
    assert cluster["id"] in out
    assert cluster["timing"]["lease_duration_s"] == 4.5
    assert (shared / "lease.0000000000").stat().st_size == 512
    assert {"nodes", "control", "tmp", "history"} <= {path.name for path in shared.iterdir()}


def test_an_empty_directory_is_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mounted empty volume is the usual case; its lost+found is no content."""
    (tmp_path / "shared" / "lost+found").mkdir(parents=True)
    assert init(tmp_path, capsys)[0] == 0


def test_a_cluster_is_not_made_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second time nothing changes, and the error names the cluster that is there."""
    init(tmp_path, capsys)
    before = (tmp_path / "shared" / "cluster.json").read_bytes()
    code, _, said = init(tmp_path, capsys)
    assert code == 1
    assert "already belongs to the cluster 't'" in said
    assert (tmp_path / "shared" / "cluster.json").read_bytes() == before


def test_a_directory_with_content_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody's files are named and left alone."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "orchestrator.log").touch()
    code, _, said = init(tmp_path, capsys)
    assert code == 1
    assert "not empty: it holds orchestrator.log" in said
    assert [path.name for path in (tmp_path / "shared").iterdir()] == ["orchestrator.log"]


def test_a_link_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A link could be turned away from a held lease."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "shared").symlink_to("elsewhere")
    code, _, said = init(tmp_path, capsys)
    assert code == 1
    assert "symbolic link" in said
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file in the directory's place is called that."""
    (tmp_path / "shared").touch()
    code, _, said = init(tmp_path, capsys)
    assert code == 1
    assert "is not a directory" in said


def test_a_missing_parent_means_not_mounted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only the last part of the path is made: more would make a cluster below an empty mount point."""
    config = configuration(tmp_path)
    config.write_text(config.read_text().replace("/shared", "/mnt/volume/shared"))
    code = main(["init", "--config", str(config)])
    err = capsys.readouterr().err
    assert code == 1
    assert f"{tmp_path}/mnt/volume does not exist" in err
    assert "mount the shared storage" in err
    assert not (tmp_path / "mnt").exists()


def test_an_unwritable_directory_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Permissions are named as such; what keeps even root out is an immutable directory."""
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o555)
    root = os.geteuid() == 0
    if root and subprocess.run(["chattr", "+i", shared], capture_output=True, check=False).returncode != 0:
        pytest.skip("this file system has no immutable directories: a refusal to root is not shown")
    try:
        code, _, said = init(tmp_path, capsys)
    finally:
        if root:
            subprocess.run(["chattr", "-i", shared], check=True)
    assert code == 1
    assert "denied" in said


def test_a_configuration_with_mistakes_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A broken inequality stops it before anything is made."""
    config = configuration(tmp_path)
    config.write_text(config.read_text().replace("[timing]", "[timing]\nrenew_deadline_s = 0.5"))
    assert main(["init", "--config", str(config)]) == 1
    assert "3 x heartbeat_s <= renew_deadline_s" in capsys.readouterr().err
    assert not (tmp_path / "shared").exists()
