"""Whether the cluster's directory is what the configuration says.

This touches shared storage and may hang there: call it in a process that can be abandoned
(`config.apart` does), never in the daemon.
"""

from __future__ import annotations

import os
import stat

from acmd.config.host import HostFacts
from acmd.config.host_files import examine_files
from acmd.config.model import CommandService, Config
from acmd.config.problems import Problem

_KEY = "cluster.directory"


def examine(config: Config, host: HostFacts) -> list[Problem]:
    """Mistakes and warnings about the directory and other files; empty when all is well. Raises nothing."""
    return [*_examine_directory(config, host), *examine_files(config, host)]


def _examine_directory(config: Config, host: HostFacts) -> list[Problem]:
    directory = config.cluster.directory
    try:
        problems = _links(directory, host)
        status = host.lstat(directory)
    except FileNotFoundError as error:
        missing = error.filename or directory
        remedy = _MOUNT if missing == directory else _ABOVE.format(os.path.dirname(directory))
        return [_problem(directory, f"{missing} does not exist", remedy, unavailable=True)]
    except NotADirectoryError as error:
        return [
            _problem(
                directory, f"a part of {error.filename or directory} is not a directory", "correct the path"
            )
        ]
    except OSError as error:
        return [
            _problem(
                directory,
                f"cannot be looked at: {(error.strerror or str(error)).lower()}",
                _STORAGE,
                unavailable=True,
            )
        ]
    if not stat.S_ISDIR(status.st_mode):
        return problems or [_problem(directory, "is not a directory", "correct the path")]
    return [*problems, *_mode(directory, status), *_device(config, status, host), *_places(config, host)]


_MOUNT = "mount the shared storage; if this is a new cluster, `acmd init` makes the directory"
_ABOVE = "mount the shared storage; if it is mounted, make {} first: `acmd init` makes the last part only"
_STORAGE = "look at the mount, the network and the file server"


def _problem(
    value: str, what: str, remedy: str, *, key: str = _KEY, warning: bool = False, unavailable: bool = False
) -> Problem:
    return Problem(
        what=what, remedy=remedy, key=key, value=f'"{value}"', warning=warning, unavailable=unavailable
    )


def _links(directory: str, host: HostFacts) -> list[Problem]:
    """Symbolic links that somebody else than root could turn, and the directory itself being one."""
    parts = directory.strip("/").split("/")
    paths = ["/", *("/" + "/".join(parts[: count + 1]) for count in range(len(parts)))]
    above = host.lstat("/")
    problems = []
    trusted = {0, os.geteuid()}
    for path in paths[1:]:
        status = host.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            if path == directory:
                target = host.realpath(path)
                problems.append(
                    _problem(
                        directory,
                        "is a symbolic link, which can be turned away from a held lease",
                        f"write {target}",
                    )
                )
            elif status.st_uid not in trusted or (_loose(above) and not above.st_mode & stat.S_ISVTX):
                problems.append(
                    _problem(
                        directory,
                        f"{path} is a symbolic link that others than root can change",
                        "make root its owner and that of the directory it is in, "
                        f"or write {host.realpath(directory)}",
                    )
                )
            above = host.lstat(host.realpath(path))
        else:
            above = status
    return problems


def _loose(status: os.stat_result) -> bool:
    return bool(status.st_mode & stat.S_IWOTH)


def _mode(directory: str, status: os.stat_result) -> list[Problem]:
    if not _loose(status):
        return []
    what = f"mode {stat.S_IMODE(status.st_mode):04o} lets everybody write there, leases included"
    return [_problem(directory, what, f"`chmod 0755 {directory}`")]


def _device(config: Config, status: os.stat_result, host: HostFacts) -> list[Problem]:
    cluster = config.cluster
    problems = []
    if cluster.device_id is not None and status.st_dev != cluster.device_id:
        problems.append(
            Problem(
                what=f"{cluster.directory} is on device {status.st_dev}",
                remedy=f"mount the shared storage there; if it is, set cluster.device_id = {status.st_dev}",
                key="cluster.device_id",
                value=str(cluster.device_id),
                warning=not cluster.device_id_enforced,
                unavailable=True,
            )
        )
    if status.st_dev == host.lstat("/").st_dev:
        what = "is on this host's root disk, which no other node sees"
        problems.append(_problem(cluster.directory, what, "mount the shared storage there", warning=True))
    return problems


def _places(config: Config, host: HostFacts) -> list[Problem]:
    """Local places that lead into the directory by a link; the plain case was refused when loading."""
    real = host.realpath(config.cluster.directory)
    places = [
        ("run.run_dir", config.run_dir),
        ("run.state_dir", config.state_dir),
        ("guard.socket", config.guard.socket),
    ]
    for service in config.services:
        places += [(f'service["{service.name}"].data_directories', at) for at in service.data_directories]
        if not isinstance(service, CommandService):
            continue
        places.append((f'service["{service.name}"].working_directory', service.working_directory))
        places.append((f'service["{service.name}"].command', service.command[0]))
        if service.log_file:
            places.append((f'service["{service.name}"].log_file', service.log_file))
    return [
        _problem(place, f"leads into the cluster's directory, {real}", "use a place outside of it", key=key)
        for key, place in places
        if (host.realpath(place) + "/").startswith(real + "/")
    ]
