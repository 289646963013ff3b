"""Where MySQL is and how to log in: an option file, a user with a password file, or database.yml.

All of these are small local files, read anew each time, so that a changed password is taken at once.
"""

from __future__ import annotations

import configparser
from pathlib import Path

from acmd.config.model import Config, DatabaseSettings, MysqlProbe
from acmd.drivers import database_yml
from acmd.drivers.database_yml import DatabaseYmlError
from acmd.drivers.probes import CheckFailed
from acmd.drivers.probes.mysql import MysqlLogin

DEFAULT_PORT = 3306


def login(config: Config, probe: MysqlProbe) -> MysqlLogin:
    """For one run of a probe. Raises CheckFailed."""
    found = _own(probe) or _own(config.database) or _section(config.database)
    return MysqlLogin(
        user=found.user,
        password=found.password,
        host=probe.host or found.host,
        port=probe.port or config.database.port or found.port,
        socket_path=probe.socket or ("" if probe.port else found.socket_path),
        database="",
    )


def port(config: Config, wanted: int) -> int:
    """MySQL's port: as configured, else as database.yml says, else the usual one."""
    if wanted:
        return wanted
    try:
        found = database_yml.read(config.database.file, config.database.section)
    except DatabaseYmlError:
        return DEFAULT_PORT
    return found.port or DEFAULT_PORT


def _own(settings: MysqlProbe | DatabaseSettings) -> MysqlLogin | None:
    if settings.defaults_file:
        return _option_file(settings.defaults_file)
    if settings.user:
        return MysqlLogin(
            settings.user, _first_line(settings.password_file) if settings.password_file else ""
        )
    return None


def _option_file(file: str) -> MysqlLogin:
    parser = configparser.ConfigParser(allow_no_value=True, strict=False, interpolation=None)
    try:
        parser.read_string(Path(file).read_text(encoding="utf-8"))
        client = parser["client"]
        number = client.get("port") or ""
        return MysqlLogin(
            user=_unquoted(client.get("user")),
            password=_unquoted(client.get("password")),
            host=_unquoted(client.get("host")) or "127.0.0.1",
            port=int(number) if number.isdecimal() else DEFAULT_PORT,
            socket_path=_unquoted(client.get("socket")),
        )
    except (OSError, UnicodeDecodeError, configparser.Error, KeyError):
        # Neither the parser's text nor its line: they may show the password.
        raise CheckFailed(f"{file} cannot be read as MySQL's options with a section [client]") from None


def _unquoted(text: str | None) -> str:
    text = text or ""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def _first_line(file: str) -> str:
    try:
        return (Path(file).read_text(encoding="utf-8").splitlines() or [""])[0]
    except (OSError, UnicodeDecodeError):
        raise CheckFailed(f"{file}, which holds the password, cannot be read") from None


def _section(settings: DatabaseSettings) -> MysqlLogin:
    try:
        found = database_yml.read(settings.file, settings.section)
    except DatabaseYmlError as error:
        raise CheckFailed(error.what) from None
    return MysqlLogin(found.user, found.password, "127.0.0.1", found.port or DEFAULT_PORT, found.socket)
