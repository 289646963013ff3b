"""The schema of probes: one class for each kind, told apart by `kind`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from acmd.config.values import (
    AbsolutePathOrNothing,
    Command,
    Count,
    Duration,
    Environment,
    Host,
    Interval,
    Line,
    Name,
    Port,
    PortOrZero,
    WebPath,
    option,
)

RULES = ConfigDict(strict=True, extra="forbid", frozen=True)

DEFAULTS_FILE = (
    "Option file of MySQL that has user and password in its section [client]; only root may read it."
)
USER = "User to log in as, with the password in `password_file`."
PASSWORD_FILE = "File whose first line is the password; only root may read it."  # noqa: S105 - a description


class CommonProbe(BaseModel):
    """Whether a service answers, beside what its manager says of it. A probe that hangs is a failed one."""

    model_config = RULES

    kind: str = option(description="Kind of probe.")
    name: Name | None = option(
        None,
        "Name of the probe, unique in its service.",
        computed="its kind, with a number from the second on",
        example="answers",
    )
    interval_s: Interval = option(10.0, "Time between two runs.")
    timeout_s: Duration = option(5.0, "How long one run may take.")
    fail_after: Count = option(3, "So many failures in a row make the service one that has failed.")
    recover_after: Count = option(1, "So many successes in a row make it healthy again.")


class TcpTable(CommonProbe):
    """Good when a connection is accepted."""

    kind: Literal["tcp"] = option(description="A TCP connection.", example="tcp")
    host: Host = option("127.0.0.1", "Where to connect to.")
    port: Port = option(description="Port to connect to.", example=8080)


class HttpTable(CommonProbe):
    """Good when the answer to a GET has the right status, and holds a text."""

    kind: Literal["http"] = option(description="A GET.", example="http")
    host: Host = option("127.0.0.1", "Where to connect to.")
    port: Port | None = option(None, "Port.", computed="443 with tls, else 80", example=80)
    path: WebPath = option("/", "What to ask for.")
    status: list[Annotated[int, Field(ge=100, le=599)]] = option([200], "One of these must be the status.")
    text: Line = option("", "The answer must hold this text. Empty: any will do.", example="welcome")
    host_header: Line = option("", "Host to ask for. Empty: `host`.", example="www.example.com")
    tls: bool = option(False, "Whether to use TLS.")
    verify: bool = option(False, "Whether the certificate must be valid for that host.")


class MysqlTable(CommonProbe):
    """Good when logging in and SELECT 1 work. Where nothing is said here, credentials are [database]'s."""

    kind: Literal["mysql"] = option(description="A log-in to MySQL.", example="mysql")
    host: Host = option("127.0.0.1", "Where to connect to.")
    port: PortOrZero | None = option(
        None, "Port. 0: as the credentials' file says, else 3306.", computed="database.port", example=3306
    )
    socket: AbsolutePathOrNothing = option(
        "", "Local socket to use instead.", example="/run/mysqld/mysqld.sock"
    )
    must_be_writable: bool = option(False, "Whether a server that is read-only counts as failed.")
    defaults_file: AbsolutePathOrNothing | None = option(
        None, DEFAULTS_FILE, computed="as in [database]", example=""
    )
    user: Line | None = option(None, USER, computed="as in [database]", example="acmd")
    password_file: AbsolutePathOrNothing | None = option(
        None, PASSWORD_FILE, computed="as in [database]", example="/etc/acmd/mysql.password"
    )


class CommandProbeTable(CommonProbe):
    """Good when a program exits with 0."""

    kind: Literal["command"] = option(description="A program.", example="command")
    command: Command = option(
        description="Program and arguments; no shell is involved. The program is an absolute path.",
        example=["/usr/local/bin/web-answers"],
    )
    environment: Environment = option({}, "Environment variables.", example={"LANG": "C.UTF-8"})


PROBE_KINDS: dict[str, type[CommonProbe]] = {
    "tcp": TcpTable,
    "http": HttpTable,
    "mysql": MysqlTable,
    "command": CommandProbeTable,
}
ProbeTable = Annotated[
    TcpTable | HttpTable | MysqlTable | CommandProbeTable,
    Field(discriminator="kind"),
]
