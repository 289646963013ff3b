"""The schema of the database and of what depends on it: credentials, publishing, interlock, fitness."""

from __future__ import annotations

from pydantic import BaseModel

from acmd.config.schema_probes import DEFAULTS_FILE, PASSWORD_FILE, RULES, USER
from acmd.config.values import (
    AbsolutePath,
    AbsolutePathOrNothing,
    CommandOrNothing,
    Count,
    Duration,
    Interval,
    Line,
    Name,
    PortOrZero,
    option,
)


class DatabaseSection(BaseModel):
    """Orchestrator's database.yml, from which the log-in to MySQL is taken. No password stands here."""

    model_config = RULES

    file: AbsolutePath | None = option(
        None,
        "The file, on a local file system. Hosts that have MySQL and no Orchestrator need a copy of it.",
        computed="/opt/aspera/orchestrator/config/database.yml; with the preset MYSQL and without "
        "ORCHESTRATOR /etc/acmd/database.yml",
        example="/opt/aspera/orchestrator/config/database.yml",
    )
    section: Line = option("production", "Its section: the environment that Rails runs in.")
    port: PortOrZero = option(0, "MySQL's port. 0: as the file says, else 3306.")
    defaults_file: AbsolutePathOrNothing = option(
        "", f"{DEFAULTS_FILE} It is used instead of the file.", example="/etc/acmd/mysql.cnf"
    )
    user: Line = option("", f"{USER} They are used instead of the file's.", example="acmd")
    password_file: AbsolutePathOrNothing = option("", PASSWORD_FILE, example="/etc/acmd/mysql.password")


class PublishSection(BaseModel):
    """Keeping `host:` in database.yml at the active node's address, on every node.

    Nothing else in the file is changed. Services that read it follow once MySQL answers at the new address.
    """

    model_config = RULES

    enabled: bool = option(
        False,
        "Whether to. Off unless said so, since it changes a file that is the vendor's; it suits the presets "
        "ORCHESTRATOR and MYSQL in one cluster. Needs node.address.",
    )
    file: AbsolutePath | None = option(
        None, "The file.", computed="database.file", example="/opt/aspera/orchestrator/config/database.yml"
    )
    section: Line | None = option(None, "Its section.", computed="database.section", example="production")
    services_to_restart: list[Name] | None = option(
        None,
        "Services that are restarted then.",
        computed="those with the preset ORCHESTRATOR",
        example=["ORCHESTRATOR"],
    )
    services_to_reload: list[Name] = option(
        [], "Services of kind systemd that are reloaded then.", example=["web"]
    )


class InterlockSection(BaseModel):
    """What must be so before this node takes over."""

    model_config = RULES

    mysql: bool | None = option(
        None,
        "No MySQL server answers at the address of the node that had the lease. One that refuses or does "
        "not answer in time does not count.",
        computed='true where the preset MYSQL is used with runs_on = "active"',
        example=True,
    )
    port: PortOrZero | None = option(
        None,
        "Port of that server. 0: as database.yml says, else 3306.",
        computed="database.port",
        example=3306,
    )
    timeout_s: Duration = option(2.0, "How long it may take to answer.")


class FitnessSection(BaseModel):
    """What makes a node one that could take over; an unfit one is no candidate, and says why."""

    model_config = RULES

    directories: list[AbsolutePath] | None = option(
        None,
        "Directories that must answer: each is listed, and its file system asked for its state.",
        computed="data_directories of all services",
        example=["/srv/data"],
    )
    check: CommandOrNothing = option(
        [],
        "Program and arguments that exits with 0 when this node is fit. Empty: none.",
        example=["/usr/local/bin/node-is-fit"],
    )
    interval_s: Interval = option(10.0, "Time between two looks.")
    timeout_s: Duration = option(5.0, "How long one look may take.")
    fail_after: Count = option(2, "So many failures in a row make the node unfit.")
    recover_after: Count = option(1, "So many successes in a row make it fit again.")
