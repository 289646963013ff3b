"""What an installation of ACM says. Nothing is changed, nothing of it is executed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from acmd.checks.storage import Mount, mount_of, mounts
from acmd.config.presets import PRESETS
from acmd.core.timing import PROFILES
from acmd.drivers.cluster_directory import cluster_file
from acmd.errors import AcmdError
from acmd.migrate import bash, cron, storage

LINK = "/opt/aspera/acm"
COMMON = f"{LINK}/bin/acmcommon"
STATUS = f"{LINK}/run/acm4orchestrator.status"
DATABASE = "/opt/aspera/orchestrator/config/database.yml"
DATABASE_COPY = f"{LINK}/config/database.yml"
DIRECTORY = f"{LINK}/acmd"
CLUSTER = f"{DIRECTORY}/cluster.json"
WANTED = frozenset({"SERVICES", "MYSQL_USER", "MYSQL_PWD"})
SLOW_S = 0.25


@dataclass(frozen=True, slots=True)
class Installation:
    """One node's ACM. Ages are in seconds, None where there is no status file."""

    services: tuple[str, ...]
    mysql_user: str
    mysql_password: str = field(repr=False)
    lines: tuple[cron.CronLine, ...]
    address: str
    device_id: int | None
    real: str
    mount: Mount | None
    status_age_s: float | None
    database: str
    database_text: str = field(repr=False)
    profile: str
    profile_why: str
    initialised: bool


def read(root: Path) -> Installation:
    """Read it below a root. Raises AcmdError with file, line and value for what cannot be used."""
    at = {name: _below(root, name) for name in (COMMON, STATUS, DATABASE_COPY, CLUSTER, LINK)}
    seen = storage.look(list(at.values()), storage.ROUNDS)
    common = seen.text(at[COMMON])
    if common is None:
        raise AcmdError(
            f"{at[COMMON]} cannot be read: {seen.files[at[COMMON]].get('error', 'it is no file').lower()}",
            f"mount the shared storage, and see that {LINK} leads to it; without ACM use `acmd setup`",
        )
    values = bash.assignments(COMMON, common, WANTED)
    services = tuple(values.get("SERVICES", ["APACHE", "ORCHESTRATOR", "MYSQL"]))
    for name in services:
        if name not in PRESETS:
            raise AcmdError(
                f"{COMMON}: SERVICES names {name!r}, which acmd has no preset for",
                f"presets are {', '.join(PRESETS)}; others become [[service]] tables, see docs/services.md",
            )
    lines = tuple(cron.find(root))
    if len({line.address for line in lines}) > 1:
        said = ", ".join(f"{line.file} line {line.number} {line.address}" for line in lines)
        raise AcmdError(f"cron starts ACM with several addresses: {said}", "leave the right line alone")
    database, text = _database(root, seen.text(at[DATABASE_COPY]))
    cluster = seen.text(at[CLUSTER])
    profile, why = _profile(cluster, seen.taken_s)
    real = str(seen.files[at[LINK]].get("real", at[LINK]))
    table = mounts(_local(root, "/proc/self/mountinfo") or "")
    return Installation(
        services=services,
        mysql_user="".join(values.get("MYSQL_USER", [])),
        mysql_password="".join(values.get("MYSQL_PWD", [])),
        lines=lines,
        address=lines[0].address if lines else "",
        device_id=lines[0].device_id if lines else None,
        real=real,
        mount=mount_of(real, table),
        status_age_s=seen.files[at[STATUS]].get("age_s"),
        database=database,
        database_text=text,
        profile=profile,
        profile_why=why,
        initialised=cluster is not None,
    )


def _below(root: Path, path: str) -> str:
    return str(root / path.lstrip("/"))


def _local(root: Path, path: str) -> str | None:
    try:
        return Path(_below(root, path)).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _database(root: Path, copy: str | None) -> tuple[str, str]:
    """Where database.yml was found, and its text; both empty when there is none."""
    own = _local(root, DATABASE)
    if own is not None:
        return DATABASE, own
    return (DATABASE_COPY, copy) if copy is not None else ("", "")


def _profile(cluster: str | None, taken_s: list[float]) -> tuple[str, str]:
    if cluster is not None:
        timing = cluster_file(cluster.encode()).timing
        known = [name for name, values in PROFILES.items() if values == timing]
        if not known:
            raise AcmdError(f"{CLUSTER} has timing of its own", "copy [timing] from the other node")
        return known[0], "as the cluster's other node has it (cluster.json)"
    if not taken_s:
        return "standard", "the storage could not be measured"
    worst = max(taken_s)
    said = f"{len(taken_s)} reads of the storage took {worst * 1000:.1f} ms at worst"
    if worst > SLOW_S:
        return (
            "patient",
            f"{said}: too slow for standard's heartbeat",
        )
    return (
        "standard",
        f"{said}; fast is for storage known to answer quickly always, which a short look cannot tell",
    )
