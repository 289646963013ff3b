"""Logins for the mysql probe, from each place that may hold them; secrets stay out of what is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from acmd.config.model import DatabaseSettings, MysqlProbe
from acmd.daemon.logins import _option_file, _own, _section
from acmd.drivers.probes import CheckFailed
from acmd.drivers.probes.mysql import MysqlLogin

SECRET = "s3c=r#t"
YML = f"production:\n  username: rails\n  password: '{SECRET}'\n  port: 3307\n  socket: /run/x.sock\n"


def database(
    file: str = "", user: str = "", password_file: str = "", defaults_file: str = ""
) -> DatabaseSettings:
    """Where a login may be."""
    return DatabaseSettings(file, "production", 0, defaults_file, user, password_file)


def probe(user: str = "", password_file: str = "", defaults_file: str = "") -> MysqlProbe:
    """A probe's own settings."""
    return MysqlProbe(
        name="m",
        kind="mysql",
        interval_s=1.0,
        timeout_s=1.0,
        fail_after=1,
        recover_after=1,
        host="",
        port=0,
        socket="",
        must_be_writable=False,
        defaults_file=defaults_file,
        user=user,
        password_file=password_file,
    )


def test_database_yml(tmp_path: Path) -> None:
    """User, password, port and socket of the section; the host is this one."""
    (tmp_path / "d.yml").write_text(YML)
    assert _section(database(f"{tmp_path}/d.yml")) == MysqlLogin(
        "rails", SECRET, "127.0.0.1", 3307, "/run/x.sock"
    )


@pytest.mark.parametrize("text", ["", "- 1\n", "development:\n  host: x\n", f"production: [{SECRET}\n"])
def test_a_database_yml_that_cannot_be_used(tmp_path: Path, text: str) -> None:
    """Empty, no sections, another section, no YAML: a failed check that shows nothing of the file."""
    (tmp_path / "d.yml").write_text(text)
    with pytest.raises(CheckFailed) as failed:
        _section(database(f"{tmp_path}/d.yml"))
    assert SECRET not in str(failed.value)
    with pytest.raises(CheckFailed, match="cannot be read"):
        _section(database(f"{tmp_path}/none.yml"))


def test_an_option_file(tmp_path: Path) -> None:
    """MySQL's own format: quotes, no values, percent signs, other sections."""
    (tmp_path / "o.cnf").write_text(
        f'[mysqld]\nskip-name-resolve\n[client]\nuser = acmd\npassword = "{SECRET}%"\n'
        "socket=/run/m.sock\nport=3308\n"
    )
    assert _option_file(f"{tmp_path}/o.cnf") == MysqlLogin(
        "acmd", f"{SECRET}%", "127.0.0.1", 3308, "/run/m.sock"
    )


@pytest.mark.parametrize("text", ["", f"password={SECRET}\n", f"[mysqld]\npassword={SECRET}\n", "\udcff"])
def test_an_option_file_that_cannot_be_used(tmp_path: Path, text: str) -> None:
    """Empty, no section, another section, no text: a failed check that names the file and no secret."""
    (tmp_path / "o.cnf").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(CheckFailed) as failed:
        _option_file(f"{tmp_path}/o.cnf")
    assert str(tmp_path) in str(failed.value)
    assert SECRET not in str(failed.value)


def test_a_user_with_a_password_file(tmp_path: Path) -> None:
    """The first line is the password; without a file there is none; a missing file fails the check."""
    (tmp_path / "p").write_text(f"{SECRET}\nmore\n")
    found = _own(probe("acmd", f"{tmp_path}/p"))
    assert found == MysqlLogin("acmd", SECRET)
    assert SECRET not in repr(found)
    assert _own(probe("acmd")) == MysqlLogin("acmd", "")
    assert _own(probe()) is None
    with pytest.raises(CheckFailed, match="cannot be read"):
        _own(database(user="acmd", password_file=f"{tmp_path}/none"))
