"""What is packed, as far as that shows without packages; tests/hosts/test_packages.py installs them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

import acmd
from tests.tree import ROOT
from tools.pack import deb, rpm, source, tree, vendor

SCRIPTS = ("packaging/scriptlets/package-step", *(f"packaging/deb/{name}" for name in deb.SCRIPTS))


def test_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wheel and sdist of the same sources and time are the same files, with the licence in both."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    one = source.copy(tmp_path / "one", None)
    two = Path(shutil.copytree(one, tmp_path / "elsewhere" / "two"))
    for path in two.rglob("*.py"):
        os.utime(path, (1, 1))
    first = source.build(one, tmp_path / "out", "wheel", "sdist")
    second = source.build(two, tmp_path / "other", "wheel", "sdist")
    assert [path.name for path in first] == [path.name for path in second]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    sdist, wheel = sorted(first, key=lambda path: path.suffix)
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "CHANGELOG.md", "tools/pack/__main__.py", "requirements/runtime.txt"} <= names
    with zipfile.ZipFile(wheel) as files:
        assert f"acmd-{acmd.__version__}.dist-info/licenses/LICENSE" in files.namelist()
        assert not [name for name in files.namelist() if not name.startswith("acmd")]


def test_another_version(tmp_path: Path) -> None:
    """A copy may say that it is another version, for tests of upgrades."""
    copy = source.copy(tmp_path / "tree", "9.8.7")
    assert source.version(copy) == "9.8.7"
    assert source.version() == acmd.__version__


@pytest.mark.parametrize(
    ("version", "debian", "rpms"),
    [
        ("0.2.0", "0.2.0-1", "0.2.0"),
        ("0.2.0rc1", "0.2.0~rc1-1", "0.2.0~rc1"),
        ("0.2.0.dev3", "0.2.0~dev3-1", "0.2.0~dev3"),
    ],
)
def test_versions_sort(version: str, debian: str, rpms: str) -> None:
    """What comes before a release sorts before it."""
    assert (deb.debian_version(version), rpm.rpm_version(version)) == (debian, rpms)


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_are_plain_sh(script: str) -> None:
    """They parse, and begin with what the package managers want."""
    text = (ROOT / script).read_text()
    assert text.startswith("#!/bin/sh\n")
    subprocess.run(["sh", "-n", str(ROOT / script)], check=True)


def test_pythons_agree() -> None:
    """The Pythons that modules are compiled for are those that the packages ask for and look for."""
    lowest, above = vendor.PYTHONS[0], f"3.{int(vendor.PYTHONS[-1].partition('.')[2]) + 1}"
    assert f"python3 (>= {lowest}), python3 (<< {above})" in (ROOT / "packaging/deb/control").read_text()
    spec = (ROOT / rpm.SPEC).read_text()
    assert tuple(re.findall(r"python\(abi\) = (3\.\d+)", spec)) == vendor.PYTHONS
    for trigger in re.findall(r"^%trigger\w+ -- (.*)$", spec, re.MULTILINE):
        assert trigger == ", ".join(("python3", *(f"python{python}" for python in vendor.PYTHONS)))
    step = (ROOT / SCRIPTS[0]).read_text()
    assert f"PYTHONS='{' '.join(vendor.PYTHONS)}'" in step


def test_configuration_files() -> None:
    """What dpkg and rpm keep when somebody changed it is there; the configuration itself is not among it."""
    assert all((ROOT / name[1:]).is_file() for name in tree.CONFIG_FILES)
    assert "/etc/acmd/acmd.toml" not in tree.CONFIG_FILES


def test_one_default_for_rotation() -> None:
    """The default is the variant of its name, by size, and nothing is cut underneath rsyslog."""
    text = (ROOT / "etc/logrotate.d/acmd").read_text()
    assert re.findall(
        r"^    (size|rotate|compress|delaycompress|copytruncate)\b ?(\S*)$", text, re.MULTILINE
    ) == [
        ("size", "100M"),
        ("rotate", "10"),
        ("compress", ""),
        ("delaycompress", ""),
    ]
