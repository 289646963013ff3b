"""Logins for the mysql probe, from each place that may hold them; secrets stay out of what is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from acmd.config.model import Config, DatabaseSettings, MysqlProbe
from acmd.daemon.logins import login
from acmd.drivers.probes.mysql import MysqlLogin
from tests.unit.configs import loaded

SECRET = "s3c=r#t"
MINIMAL = 'services = ["MYSQL"]\n[cluster]\ndirectory = "/srv/acm/acmd"\n'
YML = f"production:\n  username: rails\n  password: '{SECRET}'\n  port: 3307\n  socket: /run/x.sock\n"


def database(
    file: str = "", user: str = "", password_file: str = "", defaults_file: str = ""
) -> DatabaseSettings:
    """Where a login may be."""
    return DatabaseSettings(file, "production", 0, defaults_file, user, password_file)


def config(database: DatabaseSettings) -> Config:
    """A configuration with that database."""
    return replace(loaded(MINIMAL).config, database=database)


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


def secret(tmp_path: Path, name: str, text: str) -> str:
    """A file for root alone."""
    path = tmp_path / name
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def test_database_yml(tmp_path: Path) -> None:
    """User, password, port and socket of the section; the host is this one."""
    file = secret(tmp_path, "d.yml", YML)
    found = login(config(database(file)), probe())
    assert found == MysqlLogin("rails", SECRET, "127.0.0.1", 3307, "/run/x.sock")
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        (None, "cannot be read"),
        ("", "empty"),
        ("- 1\n", "section"),
        ("development:\n  host: x\n", "section"),
        (f"production: [{SECRET}\n", "YAML"),
        (f"production:\n  password: '{SECRET}'\n", "names no user"),
        ("production:\n  username: a\n  password: <%= ENV['X'] %>\n", "ERB computes password"),
    ],
    ids=["missing", "empty", "a list", "another section", "no YAML", "no user", "ERB"],
)
def test_a_database_yml_that_cannot_be_used(tmp_path: Path, text: str | None, lacks: str) -> None:
    """The login says what it lacks, and shows nothing of the file; where the server is stays known."""
    file = f"{tmp_path}/d.yml" if text is None else secret(tmp_path, "d.yml", text)
    found = login(config(database(file)), probe())
    assert (found.host, found.port) == ("127.0.0.1", 3306)
    assert lacks in found.lacks
    assert file in found.lacks
    assert SECRET not in found.lacks


def test_an_option_file(tmp_path: Path) -> None:
    """What the probe names comes before the database's own file."""
    text = f'[client]\nuser = acmd\npassword = "{SECRET}"\nsocket=/run/m.sock\nport=3308\n'
    file = secret(tmp_path, "o.cnf", text)
    found = login(config(database(f"{tmp_path}/none.yml")), probe(defaults_file=file))
    assert found == MysqlLogin("acmd", SECRET, "127.0.0.1", 3308, "/run/m.sock")


def test_a_user_with_a_password_file(tmp_path: Path) -> None:
    """The first line is the password; without a file there is none."""
    file = secret(tmp_path, "p", f"{SECRET}\nmore\n")
    assert login(config(database(user="acmd", password_file=file)), probe()) == MysqlLogin("acmd", SECRET)
    assert login(config(database(user="acmd")), probe()) == MysqlLogin("acmd", "")


@pytest.mark.parametrize("mode", [0o644, 0o602])
def test_a_file_that_others_can_read(tmp_path: Path, mode: int) -> None:
    """It is not used: the login lacks it and says what to do, until its mode is mended."""
    file = secret(tmp_path, "p", SECRET)
    Path(file).chmod(mode)
    found = login(config(database(user="acmd", password_file=file)), probe())
    assert "others than root" in found.lacks
    assert f"chmod 0600 {file}" in found.lacks
    Path(file).chmod(0o600)
    assert login(config(database(user="acmd", password_file=file)), probe()).lacks == ""
