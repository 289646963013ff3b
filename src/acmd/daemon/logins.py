"""Where MySQL is and how to log in: an option file, a user with a password file, or database.yml.

All of these are small local files, read anew each time, so that a changed password is taken at once.
"""

from __future__ import annotations

from acmd.config import credentials
from acmd.config.model import Config, DatabaseSettings, MysqlProbe
from acmd.drivers import database_yml
from acmd.drivers.database_yml import DatabaseYmlError
from acmd.drivers.probes.mysql import MysqlLogin
from acmd.errors import AcmdError

DEFAULT_PORT = 3306
HERE = "127.0.0.1"


def login(config: Config, probe: MysqlProbe) -> MysqlLogin:
    """For one run of a probe. Never raises: a login that cannot be had says why in `lacks`."""
    try:
        found = _own(probe) or _own(config.database) or _section(config.database)
    except AcmdError as error:
        found = MysqlLogin(host=HERE, port=DEFAULT_PORT, lacks=f"{error.what}: {error.remedy}")
    return MysqlLogin(
        user=found.user,
        password=found.password,
        host=probe.host or found.host,
        port=probe.port or config.database.port or found.port,
        socket_path=probe.socket or ("" if probe.port else found.socket_path),
        lacks=found.lacks,
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
    """What the configuration names; None: nothing. Raises ConfigError."""
    found = credentials.own_login(settings)
    if found is None:
        return None
    place = (found.host or HERE, found.port or DEFAULT_PORT, found.socket)
    return MysqlLogin(found.user, found.password, *place)


def _section(settings: DatabaseSettings) -> MysqlLogin:
    """Out of database.yml. Raises DatabaseYmlError."""
    found = database_yml.read(settings.file, settings.section)
    computed = " and ".join(sorted(found.erb & {"user", "password"}))
    lacks = ""
    if computed:
        lacks = f"{settings.file}: ERB computes {computed} of section {settings.section!r}"
    elif not found.user:
        lacks = f"{settings.file}: section {settings.section!r} names no user"
    if lacks:
        lacks += ": name a login under [database]"
    return MysqlLogin(found.user, found.password, HERE, found.port or DEFAULT_PORT, found.socket, lacks=lacks)
