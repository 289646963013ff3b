"""Whether the files and directories that services need are as they should be on this host.

Like `directory`, this may touch network storage and hang: for a process that can be abandoned.
"""

from __future__ import annotations

from collections.abc import Iterator

from acmd.config.credentials import too_open
from acmd.config.host import HostFacts
from acmd.config.model import Config, MysqlProbe, OcfService
from acmd.config.problems import Problem


def examine_files(config: Config, host: HostFacts) -> list[Problem]:
    """Mistakes and warnings; empty when all is well. Raises nothing."""
    return [*_secrets(config, host), *_database(config, host), *_data(config, host)]


def _secret_files(config: Config) -> Iterator[tuple[str, str]]:
    """Each file with a secret, and the option that names it."""
    database = config.database
    yield "database.defaults_file", database.defaults_file
    yield "database.password_file", database.password_file
    yield "http.key_file", config.http.key_file
    yield "http.token_file", config.http.token_file
    for name, file in config.fencing.parameter_files.items():
        yield f"fencing.parameter_files.{name}", file
    for service in config.services:
        if isinstance(service, OcfService):
            for name, file in service.parameter_files.items():
                yield f'service["{service.name}"].parameter_files.{name}', file
        for number, probe in enumerate(service.probes):
            if isinstance(probe, MysqlProbe):
                key = f'service["{service.name}"].probe[{number}]'
                yield f"{key}.defaults_file", probe.defaults_file
                yield f"{key}.password_file", probe.password_file


def _secrets(config: Config, host: HostFacts) -> Iterator[Problem]:
    seen: set[str] = set()
    for key, file in _secret_files(config):
        if not file or file in seen:
            continue
        seen.add(file)
        try:
            defect = too_open(host.lstat(host.realpath(file)))
        except OSError as error:
            yield Problem(
                what=f"cannot be looked at: {(error.strerror or str(error)).lower()}",
                remedy="write it, for root alone",
                key=key,
                value=f'"{file}"',
                warning=True,
            )
            continue
        if defect:
            yield Problem(
                what=defect, remedy=f"`chown root {file} && chmod 0600 {file}`", key=key, value=f'"{file}"'
            )


def _database(config: Config, host: HostFacts) -> Iterator[Problem]:
    """database.yml on the storage of the lease would hang the daemon with it."""
    uses = config.publish.enabled or any(
        isinstance(probe, MysqlProbe) and not probe.defaults_file and not probe.user
        for service in config.services
        for probe in service.probes
    )
    if not uses:
        return
    named = {config.database.file: "database.file"}
    if config.publish.enabled:
        named.setdefault(config.publish.file, "publish.file")
    for file, key in named.items():
        try:
            device = host.lstat(host.realpath(file)).st_dev
        except OSError as error:
            yield Problem(
                what=f"cannot be looked at: {(error.strerror or str(error)).lower()}",
                remedy=f"copy it there, or set {key}",
                key=key,
                value=f'"{file}"',
                warning=True,
            )
            continue
        if device == _shared_device(config, host):
            yield Problem(
                what="lies on the storage of the cluster's directory, where whoever reads it hangs when "
                "that storage does",
                remedy=f"copy it to a local file, for root alone, and set {key} to that",
                key=key,
                value=f'"{file}"',
                warning=True,
            )


def _shared_device(config: Config, host: HostFacts) -> int | None:
    """The device of the cluster's directory; None when it is not a device of its own."""
    try:
        device = host.lstat(config.cluster.directory).st_dev
        return None if device == host.lstat("/").st_dev else device
    except OSError:
        return None


def _data(config: Config, host: HostFacts) -> Iterator[Problem]:
    for service in config.services:
        for place in service.data_directories:
            try:
                host.lstat(host.realpath(place))
            except OSError as error:
                yield Problem(
                    what=f"cannot be looked at: {(error.strerror or str(error)).lower()}; while it is not "
                    "there, what the service wrote cannot be synced, and this node is not fit",
                    remedy="mount it, or correct the service's data_directories",
                    key=f'service["{service.name}"].data_directories',
                    value=f'"{place}"',
                    warning=True,
                )
