"""Shared storage: the cluster's directory and the services' data, and how they are mounted.

Whatever may touch shared storage runs in a process that is given up at its limit: dead storage is a KO,
never a check that hangs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from acmd.checks.finding import Check, Finding, Fix, Silent, all_or, ko, ok, warn
from acmd.checks.subject import Subject
from acmd.config.apart import examine_apart
from acmd.config.model import Config

LOOK_THERE = "look at the mount, the network and the file server"
LOOK_LIMIT_S = 3.0  # of one look at a place on storage
NFS = ("nfs", "nfs4")
LOCAL_ONLY = {"ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "overlay", "ramfs", "vfat"}


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of /proc/self/mountinfo."""

    point: str
    kind: str
    source: str
    options: frozenset[str]

    def option(self, name: str) -> str:
        """The value of an option `name=value`; empty without."""
        return next((text.partition("=")[2] for text in self.options if text.startswith(f"{name}=")), "")


def mounts(text: str) -> list[Mount]:
    """What is mounted, in the order of mounting; a later one hides an earlier one at the same place."""
    found = []
    for line in text.splitlines():
        head, _, tail = line.partition(" - ")
        fields, rest = head.split(), tail.split()
        if len(fields) >= 6 and len(rest) >= 3:
            options = frozenset([*fields[5].split(","), *rest[2].split(",")])
            found.append(Mount(_plain(fields[4]), rest[0], _plain(rest[1]), options))
    return found


def _plain(text: str) -> str:
    """The kernel writes blanks as \\040."""
    return text.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")


def mount_of(path: str, table: list[Mount]) -> Mount | None:
    """The mount that a path is on, by the names alone."""
    holds = [mount for mount in table if f"{path}/".startswith(f"{mount.point.rstrip('/')}/")]
    return max(holds, key=lambda mount: (len(mount.point), table.index(mount)), default=None)


def must_answer(subject: Subject, path: str) -> None:
    """Before a file is read that may lie on storage. Raises Silent where that does not answer."""
    ran = subject.run("head", "-c", "1", "--", str(subject.at(path)), limit_s=LOOK_LIMIT_S)
    if ran.late:
        raise Silent(f"{path} does not answer within {ran.waited_s:g} s", LOOK_THERE)


def real_path(subject: Subject, path: str) -> str:
    """With its links followed, by a process that can be given up; as it is where that does not answer."""
    ran = subject.run("readlink", "-m", "--", path, limit_s=LOOK_LIMIT_S)
    return ran.output.strip() if ran.fine else path


def mount_at(subject: Subject, path: str) -> Mount | None:
    """The mount that a path is on, its links followed. It is asked of the kernel, never of the storage."""
    return mount_of(real_path(subject, path), mounts(subject.read("/proc/self/mountinfo") or ""))


def data_directories(config: Config) -> list[tuple[str, str]]:
    """Service and directory, for each that one names."""
    return [(service.name, place) for service in config.services for place in service.data_directories]


def directory(subject: Subject) -> list[Finding]:
    """All that `acmd config check` says of the directory and of other files."""
    found = []
    for problem in examine_apart(subject.settings):
        at = f"{problem.key} = {problem.value}" if problem.key else problem.value
        what = f"{at}: {problem.what}"
        found.append((warn if problem.warning else ko)(what, problem.remedy, _tightened(problem.remedy)))
    return all_or(found, f"{subject.settings.cluster.directory} is there, with tight permissions")


def _tightened(remedy: str) -> Fix | None:
    """What makes a mode tighter is safe to do: whoever needs more was never meant to have it."""
    command = remedy.strip("`")
    return Fix(("sh", "-c", command)) if command.startswith(("chmod 0755 ", "chown root ")) else None


def shared(subject: Subject) -> Iterator[Finding]:
    """A directory that no other node sees elects every node."""
    path = subject.settings.cluster.directory
    mount = mount_at(subject, path)
    if mount is None:
        yield ko(f"no mount can be found for {path}", "mount the shared storage there")
    elif mount.point == "/":
        yield ko(
            f"{path} is on the root file system, which no other node sees", "mount the shared storage there"
        )
    elif mount.kind in LOCAL_ONLY:
        yield warn(
            f"{path} is on {mount.kind} ({mount.source} at {mount.point}), which is for one host alone",
            "use a file system that all nodes can have mounted at a time, unless this is a test",
        )
    else:
        yield ok(f"{path} is on {mount.kind}, {mount.source} at {mount.point}")


def lease_options(subject: Subject) -> list[Finding]:
    """The lease wants no caches; an error there is better than waiting for ever."""
    path = subject.settings.cluster.directory
    mount = mount_at(subject, path)
    if mount is None or mount.kind not in NFS:
        return []
    found = _for_all(mount)
    if "noac" not in mount.options and mount.option("actimeo") != "0":
        found.append(
            ko(
                f"{mount.point} is mounted without noac: other nodes' leases are seen late",
                "mount it noac,lookupcache=none",
            )
        )
    if mount.option("lookupcache") != "none":
        found.append(
            warn(
                f"{mount.point} is mounted without lookupcache=none: new epochs may be seen late",
                "mount it noac,lookupcache=none",
            )
        )
    return all_or(found, f"{mount.point} is mounted as the lease wants it")


def data_options(subject: Subject) -> list[Finding]:
    """Data want every write to land or to wait."""
    found: list[Finding] = []
    seen: dict[str, str] = {}
    for name, place in data_directories(subject.settings):
        mount = mount_at(subject, place)
        if mount is None or mount.kind not in NFS or mount.point in seen:
            continue
        seen[mount.point] = name
        found += _for_all(mount)
        if mount.options & {"soft", "softerr"}:
            found.append(
                ko(
                    f"{mount.point} ({name}) is mounted soft: a write can fail though it lands later",
                    "mount data hard; soft is for a volume that holds the lease alone",
                )
            )
        if "nolock" in mount.options or mount.option("local_lock") not in ("", "none"):
            found.append(
                ko(
                    f"{mount.point} ({name}) is mounted nolock: two servers can open the same data",
                    "mount it without nolock and local_lock",
                )
            )
        if mount.option("vers").startswith("3"):
            found.append(
                warn(
                    f"{mount.point} ({name}) is NFSv3, which does not release a dead client's locks: "
                    "MySQL may not start on the other node",
                    "mount it with vers=4.2",
                )
            )
    return all_or(found, f"data is mounted hard and locked ({', '.join(seen)})") if seen else found


def _for_all(mount: Mount) -> list[Finding]:
    if "nocto" in mount.options:
        return [
            ko(
                f"{mount.point} is mounted nocto: what others wrote may never be seen",
                "mount it without nocto",
            )
        ]
    return []


def export(subject: Subject) -> list[Finding]:
    """An export with `async` acknowledges what a restart of the server loses."""
    found = []
    for line in (subject.read("/etc/exports") or "").splitlines():
        text = line.partition("#")[0]
        if text.strip() and "async" in text.replace("(", ",").replace(")", ",").split(","):
            found.append(
                ko(
                    f"this host exports {text.split()[0]} async: acknowledged leases and rows can be lost",
                    "export it sync, and run exportfs -ra",
                )
            )
    mount = mount_at(subject, subject.settings.cluster.directory)
    if not found and mount is not None and mount.kind in NFS:
        server = mount.source.rpartition(":")[0]
        return [
            warn(
                f"whether {server} exports it sync cannot be seen from here",  # the protocol does not say
                f"run exportfs -v on {server}: sync, never async, or a restart there loses what was "
                "acknowledged; docs/howto/nfs.md",
            )
        ]
    return found


CHECKS = (
    Check(
        "directory",
        "storage",
        "The cluster's directory and the files with secrets are as they should be.",
        directory,
    ),
    Check("shared", "storage", "The cluster's directory is on storage that other nodes can see.", shared),
    Check("lease-mount", "storage", "The lease's volume is mounted without caches.", lease_options),
    Check("data-mounts", "storage", "Data is mounted hard, with locks, and not by NFSv3.", data_options),
    Check(
        "export",
        "storage",
        "The export does not acknowledge what it could lose; only the file server itself can tell.",
        export,
    ),
)
