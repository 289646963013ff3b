"""MySQL: database.yml is found, its login works, agrees with ACM's, and all tables are InnoDB.

The credentials go from the file to the server and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from acmd.checks.finding import Check, Finding, all_or, ko, ok, warn
from acmd.checks.storage import (
    LOCAL_ONLY,
    LOOK_LIMIT_S,
    LOOK_THERE,
    mount_at,
    must_answer,
    real_path,
)
from acmd.checks.subject import Subject
from acmd.config.credentials import Login, own_login
from acmd.config.model import Config, MysqlProbe
from acmd.drivers.database_yml import DatabaseYmlError, read
from acmd.errors import ConfigError

if TYPE_CHECKING:
    from pymysql.connections import Connection

CONNECT_LIMIT_S = 5
DEFAULT_PORT = 3306
ACMCOMMON = "/opt/aspera/acm/bin/acmcommon"
SYSTEM_SCHEMAS = ("mysql", "information_schema", "performance_schema", "sys")
ASSIGNMENT = re.compile(r"^\s*(?:export\s+)?(MYSQL_USER|MYSQL_PWD)=(.*)$", re.MULTILINE)


def uses_mysql(config: Config) -> bool:
    """Whether this node has to do with a MySQL at all."""
    probes = [probe for service in config.services for probe in service.probes]
    return config.publish.enabled or any(isinstance(probe, MysqlProbe) for probe in probes)


def runs_mysql(config: Config) -> bool:
    """Whether one of the services here is a MySQL."""
    return any(isinstance(probe, MysqlProbe) for service in config.services for probe in service.probes)


def login_of(config: Config) -> Login:
    """How to log in. Raises ConfigError or DatabaseYmlError, with what to do."""
    own = own_login(config.database)
    if own is not None:
        return own
    found = read(config.database.file, config.database.section)
    if found.erb & {"user", "password"}:
        raise ConfigError(
            f"{config.database.file}: the login is computed by ERB, which is never run",
            "set database.user and database.password_file",
        )
    return Login(found.user, found.password, found.host, found.port or 0, found.socket)


def credentials(subject: Subject) -> Iterator[Finding]:
    """A wrong password is found now, not at the first failover."""
    config = subject.settings
    if not uses_mysql(config):
        return
    must_answer(subject, config.database.file)  # a copy may lie on shared storage
    try:
        login = login_of(config)
    except (ConfigError, DatabaseYmlError) as error:
        yield ko(error.what, error.remedy)
        return
    where = config.database.defaults_file or config.database.password_file or config.database.file
    yield ok(f"{where} was read: user {login.user or 'nobody'}")
    connection = _connect(subject, login)
    if isinstance(connection, Finding):
        yield connection
        return
    with connection:
        yield ok(f"MySQL takes the login of {where}")
        yield from _tables(connection)
        yield from _data_of(subject, connection)


def _target(subject: Subject, login: Login) -> tuple[str, int]:
    """The active node where one is known, else what the file says."""
    config = subject.settings
    active = subject.snapshot.get("active")
    address = next(
        (node["address"] for node in subject.snapshot.get("nodes", ()) if node["name"] == active), ""
    )
    host = address if runs_mysql(config) and address else login.host or "127.0.0.1"
    return host, config.database.port or login.port or DEFAULT_PORT


def _connect(subject: Subject, login: Login) -> Connection[Any] | Finding:
    import pymysql  # noqa: PLC0415 - only where there is a MySQL

    host, port = _target(subject, login)
    try:
        return pymysql.connect(
            host=host,
            port=port,
            unix_socket=login.socket if not login.host and login.socket else None,
            user=login.user,
            password=login.password.encode(),  # PyMySQL would take text for Latin-1
            connect_timeout=CONNECT_LIMIT_S,
            read_timeout=CONNECT_LIMIT_S,
            write_timeout=CONNECT_LIMIT_S,
        )
    except pymysql.MySQLError as error:
        code, *words = error.args or (0, "")
        said = " ".join(str(word) for word in words)
        if code in (1044, 1045):
            return ko(
                f"MySQL at {host}:{port} refuses the login: {said}",
                "correct user and password in the file, or the user in MySQL",
            )
        remedy = "start it, or look at its log; if it is meant to be down now, run this again later"
        return warn(f"MySQL at {host}:{port} could not be asked: {said or error}", remedy)


def _tables(connection: Connection[Any]) -> Iterator[Finding]:
    """Other engines lose rows at a power loss."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_schema, table_name, engine FROM information_schema.tables "
            "WHERE table_type = 'BASE TABLE' AND engine <> 'InnoDB' "
            "AND table_schema NOT IN (%s, %s, %s, %s) LIMIT 20",
            SYSTEM_SCHEMAS,
        )
        found = [
            ko(
                f"table {schema}.{table} is {engine}, not InnoDB: a power loss can break it",
                f"in MySQL: ALTER TABLE {_quoted(schema)}.{_quoted(table)} ENGINE=InnoDB",
            )
            for schema, table, engine in cursor.fetchall()
        ]
        yield from all_or(found, "all tables are InnoDB")


def _quoted(name: str) -> str:
    """An identifier; in backticks only where it needs them."""
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else "`" + name.replace("`", "``") + "`"


def _data_of(subject: Subject, connection: Connection[Any]) -> Iterator[Finding]:
    """Where the server keeps its data by its own word: that has to be what acmd syncs and watches."""
    places = [
        place.rstrip("/")
        for service in subject.settings.services
        if any(isinstance(probe, MysqlProbe) for probe in service.probes)
        for place in service.data_directories
    ]
    if not places:
        return  # `data` says it
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@datadir")
        row = cursor.fetchone()
    directory = str(row[0]).rstrip("/") if row else ""
    real = real_path(subject, directory)
    known = [*places, *(real_path(subject, place) for place in places)]
    if any(f"{where}/".startswith(f"{place}/") for where in (directory, real) for place in known if place):
        yield ok(f"MySQL's data directory {directory} is among data_directories")
    else:
        yield ko(
            f"MySQL keeps its data in {directory}, which is in none of data_directories: {', '.join(places)}",
            "correct data_directories, or datadir in MySQL's own configuration",
        )


def agrees_with_acm(subject: Subject) -> list[Finding]:
    """ACM's own settings, where they are still there."""
    if not uses_mysql(subject.settings):
        return []
    must_answer(subject, ACMCOMMON)  # it lies on shared storage, or a link leads there
    text = subject.read(ACMCOMMON)
    if text is None:
        return []
    found = {key: value.strip().strip("'\"") for key, value in ASSIGNMENT.findall(text)}
    try:
        login = login_of(subject.settings)
    except (ConfigError, DatabaseYmlError):
        return []  # `credentials` says it
    differing = [
        key
        for key, own in (("MYSQL_USER", login.user), ("MYSQL_PWD", login.password))
        if found.get(key, own) != own
    ]
    findings = [
        warn(
            f"{key} in {ACMCOMMON} is another than acmd's",
            "find out which one is right, and correct the other",
        )
        for key in differing
    ]
    return all_or(findings, f"the login agrees with {ACMCOMMON}")


def data_is_shared(subject: Subject) -> Iterator[Finding]:
    """A data directory on a local disk stays behind when the service moves."""
    for service in subject.settings.services:
        if service.runs_on != "active" or not any(isinstance(probe, MysqlProbe) for probe in service.probes):
            continue
        if not service.data_directories:
            yield warn(
                f"{service.name}: no data_directories are configured, so nothing can be synced before it "
                "counts as gone",
                f'add data_directories to the service "{service.name}"',
            )
        for place in service.data_directories:
            yield _data_directory(subject, service.name, place)


def _data_directory(subject: Subject, name: str, place: str) -> Finding:
    device = subject.run("stat", "-L", "-c", "%d", "--", place, limit_s=LOOK_LIMIT_S)
    root = subject.run("stat", "-L", "-c", "%d", "/")
    if device.late:
        return ko(f"{name}: {place} does not answer within {device.waited_s:g} s", LOOK_THERE)
    if not device.fine:
        return ko(f"{name}: {place} is not there", "mount it, or correct data_directories")
    if device.output == root.output:
        return ko(f"{name}: {place} is on this host's root disk", "put the data on shared storage")
    mount = mount_at(subject, place)
    if mount is not None and mount.kind in LOCAL_ONLY:
        return warn(
            f"{name}: {place} is on {mount.kind} ({mount.source} at {mount.point}), which is for one host "
            "alone",
            "put the data on a file system that all nodes can have mounted, unless this is a test",
        )
    return ok(f"{name}: {place} is not on this host's root disk")


CHECKS = (
    Check(
        "credentials",
        "database",
        "database.yml is found and parsed, its login works, and all tables are InnoDB.",
        credentials,
    ),
    Check(
        "acmcommon",
        "database",
        "The login agrees with ACM's settings where those are still there.",
        agrees_with_acm,
    ),
    Check("data", "database", "MySQL's data directory is on shared storage.", data_is_shared),
)
