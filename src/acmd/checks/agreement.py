"""What all nodes have to have alike, as far as they have said so in their node files."""

from __future__ import annotations

from collections.abc import Iterator

from acmd.checks.finding import Check, Finding, all_or, ko, ok, warn
from acmd.checks.subject import Subject

NOT_RUNNING = "there: `systemctl start acmd`; `journalctl -u acmd` says why it ended, and is its host up?"

SERVICES_REMEDY = "give both the same [[service]] entries, then `systemctl restart acmd` where they changed"

UPGRADE = "install the same package on all nodes, one after the other; docs/howto/upgrade.md"
COMPARE = "compare `acmd config show` on both; after a change `systemctl restart acmd` there"


def heard(subject: Subject) -> Iterator[Finding]:
    """A node that was not heard cannot take over."""
    if not subject.running:
        yield warn(
            "the daemon does not run here, so the other nodes' state is not known", "`systemctl start acmd`"
        )
        return
    others = [node for node in subject.snapshot["nodes"] if node["name"] != subject.snapshot["node"]]
    if not others:
        yield warn(
            "no other node was ever heard", "install acmd on a second node; until then nobody can take over"
        )
    for node in others:
        if node["role"] == "unknown":
            yield ko(f"{node['name']} was not heard lately", NOT_RUNNING)
        elif not node["fit"]:
            yield ko(
                f"{node['name']} is not fit: {node['unfit_because'] or 'it does not say why'}",
                "mend that there; `acmd status` there says more",
            )
        else:
            yield ok(f"{node['name']} is heard and fit")


def same_version(subject: Subject) -> list[Finding]:
    """Mixed versions are for the time of an upgrade."""
    versions = {node["version"] for node in subject.snapshot.get("nodes", ()) if node["version"]}
    if len(versions) > 1:
        listed = ", ".join(f"{node['name']} {node['version']}" for node in subject.snapshot["nodes"])
        return [
            warn(
                f"the nodes run different versions: {listed}",
                UPGRADE,
            )
        ]
    return all_or([], f"all nodes run {versions.pop()}") if versions else []


def same_services(subject: Subject) -> list[Finding]:
    """A service that only one node knows does not move with the others."""
    lists = {
        node["name"]: {(service["name"], service["runs_on"]) for service in node["services"]}
        for node in subject.snapshot.get("nodes", ())
        if node["role"] != "unknown"
    }
    own = lists.get(subject.settings.node.name, set())
    found = []
    for name, services in sorted(lists.items()):
        for missing, _ in sorted(own - services):
            found.append(
                ko(
                    f"{name} does not know the service {missing}, or runs it elsewhere",
                    SERVICES_REMEDY,
                )
            )
        for more, _ in sorted(services - own):
            found.append(
                ko(
                    f"{name} has the service {more}, which is not so configured here",
                    SERVICES_REMEDY,
                )
            )
    return all_or(found, "all nodes have the same services") if len(lists) > 1 else []


def same_configuration(subject: Subject) -> list[Finding]:
    """What must be alike on all nodes, by a digest that each node announces."""
    digests = {
        node["name"]: node["config_digest"]
        for node in subject.snapshot.get("nodes", ())
        if node.get("config_digest") and node["role"] != "unknown"
    }
    own = digests.get(subject.settings.node.name)
    if own is None or len(digests) < 2:
        return []
    found = [
        warn(
            f"{name} has another configuration than this node",
            COMPARE,
        )
        for name, digest in sorted(digests.items())
        if digest != own
    ]
    return all_or(found, "all nodes have the same configuration")


CHECKS = (
    Check("nodes", "cluster", "All nodes are heard, and fit to take over.", heard),
    Check("versions", "cluster", "All nodes run the same version.", same_version),
    Check("service-lists", "cluster", "All nodes manage the same services.", same_services),
    Check(
        "configurations",
        "cluster",
        "All nodes have the same configuration, but for what is their own.",
        same_configuration,
    ),
)
