"""The script of the demo: each scene does something to the nodes, waits for what must follow, measures."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from itertools import pairwise

from acmd.cli.client import ask
from acmd.cli.demo import machine
from acmd.cli.demo.client import Served, check_servers_records
from acmd.cli.demo.stage import Missed, Stage
from acmd.cli.demo.story import ACT, BAD, SCENE, Result
from acmd.core.timing import NS_PER_S

STEADY_S = 1.0
"""A node that comes back must cost clients nothing; this much is a busy machine's, not a failover's."""


def start(stage: Stage) -> None:
    """Both nodes boot; one of them is elected."""
    story = stage.story
    began = time.monotonic()
    for node in story.nodes:
        node.power_on()
        story.tell(ACT, f"node {node.name} boots: acmd run, its guard and its storage workers")
    story.client.start()
    stage.wait("a node answers", lambda: story.client.newest() is not None, 15.0)
    served = stage.serving()
    took_s = served.first_ns / NS_PER_S - began
    stage.wait_for_candidate(story.other(served.node).name, 10.0)
    measured = f"{served.node} elected; first answer {took_s:.2f} s after power-on"
    stage.note("start, election", "one active node", measured, None, f"{served.epoch}")
    stage.dwell()


def switchover(stage: Stage) -> None:
    """An operator moves the service."""
    story = stage.story
    before = stage.serving()
    target = story.other(before.node)
    story.client.forget_gap()
    story.tell(ACT, f"acmd switchover --to {target.name}")
    ask(target.place.glance(), {"do": "switchover", "to": target.name, "reason": "demo"})
    stage.wait_for_service(target.name, before.epoch, 5.0)
    stage.dwell(0.3)
    gap_s, now = story.client.gap_s(), stage.serving()
    stage.note(
        "planned switchover",
        "stop + start + 0.3 s",
        f"{before.node} → {now.node}",
        gap_s,
        f"{before.epoch} → {now.epoch}",
    )
    stage.wait_for_candidate(before.node, 10.0)
    stage.dwell()


def crash(stage: Stage) -> None:
    """kill -9 of the active node's daemon alone; the next one adopts the lease and the running service."""
    story = stage.story
    before = stage.serving()
    node = story.node(before.node)
    story.client.forget_gap()
    began = time.monotonic()
    node.crash_daemon()
    story.tell(ACT, f"acmd on node {node.name} crashes: kill -9 of the daemon; it is started again")
    pid = node.daemon_pid

    def settled() -> bool:
        adopted = story.says(node.name, "pid") == pid and story.says(node.name, "role") == "active"
        return adopted or stage.serving().epoch > before.epoch

    stage.wait("the lease is adopted, or taken over", settled, stage.takeover_limit_s())
    took_s = time.monotonic() - began
    stage.dwell()
    gap_s, now = story.client.gap_s(), stage.serving()
    renew_s = stage.timing.renew_deadline_ns / NS_PER_S
    if now.epoch == before.epoch:
        epochs, measured = f"{now.epoch}", f"adopted after {took_s:.2f} s; the service ran on"
    else:
        epochs = f"{before.epoch} → {now.epoch}"
        measured = f"this machine was too busy for a start within {renew_s:g} s: taken over by {now.node}"
    stage.note("crash of the daemon", f"back within {renew_s:g} s: nobody notices", measured, gap_s, epochs)
    stage.wait_for_candidate(story.other(now.node).name, 20.0)


def power_loss(stage: Stage) -> None:
    """kill -9 of everything on the active node."""
    story = stage.story
    before = stage.serving()
    victim, heir = story.node(before.node), story.other(before.node)
    story.client.forget_gap()
    victim.power_off()
    story.tell(ACT, f"node {victim.name} loses its power: kill -9 of daemon, guard, workers, service")
    limit_s = stage.takeover_limit_s()
    stage.wait_for_service(heir.name, before.epoch, limit_s)
    stage.dwell(0.3)
    gap_s, now = story.client.gap_s(), stage.serving()
    stage.note(
        "power loss of the active",
        f"takeover by expiry, at most {limit_s:.1f} s",
        f"{before.node} → {now.node}",
        gap_s,
        f"{before.epoch} → {now.epoch}",
    )
    stage.dwell()


def rejoin(stage: Stage) -> None:
    """The node that lost its power comes back, as passive."""
    story = stage.story
    before = stage.serving()
    returning = story.other(before.node)
    story.client.forget_gap()
    returning.power_on()
    story.tell(ACT, f"node {returning.name} boots again")
    stage.wait_for_candidate(returning.name, 20.0)
    stage.dwell()
    _steady(stage, before, f"{returning.name} comes back", f"{returning.name} is passive again")


def storage_stall(stage: Stage) -> None:
    """The active node's storage hangs: it stops its service by itself, before the other takes over."""
    story = stage.story
    before = stage.serving()
    victim, heir = story.node(before.node), story.other(before.node)
    story.client.forget_gap()
    at = victim.stall_storage()
    story.tell(ACT, f"the storage of node {victim.name} hangs: no call returns any more")
    limit_s = stage.takeover_limit_s()
    stage.wait_for_service(heir.name, before.epoch, limit_s)
    stage.dwell(0.3)
    gap_s, now = story.client.gap_s(), stage.serving()
    stopped_s = story.client.record.epochs[before.epoch].last_ns / NS_PER_S - at
    kill_s = stage.timing.kill_deadline_ns / NS_PER_S
    if stopped_s > kill_s:
        raise Missed(f"{victim.name} served for {stopped_s:.1f} s without its storage; allowed: {kill_s:g} s")
    stage.note(
        "storage of the active hangs",
        f"it stops itself within {kill_s:g} s, takeover within {limit_s:.1f} s",
        f"{before.node} stopped itself after {stopped_s:.2f} s; {before.node} → {now.node}",
        gap_s,
        f"{before.epoch} → {now.epoch}",
    )
    stage.dwell()


def heal(stage: Stage) -> None:
    """The storage answers again; calls that hung land late, in a lease file that nobody reads any more."""
    story = stage.story
    before = stage.serving()
    returning = story.other(before.node)
    story.client.forget_gap()
    returning.heal()
    story.tell(ACT, f"the storage of node {returning.name} answers again; what hung lands late")
    stage.wait_for_candidate(returning.name, 20.0)
    stage.dwell()
    _steady(stage, before, "it heals", f"{returning.name} is passive again")


def _steady(stage: Stage, before: Served, scene: str, measured: str) -> None:
    gap_s, now = stage.story.client.gap_s(), stage.serving()
    if now.epoch != before.epoch or gap_s > STEADY_S:
        raise Missed(f"{scene}: {now.node} serves epoch {now.epoch} after {gap_s:.2f} s, was {before.epoch}")
    stage.note(scene, "nobody notices", measured, gap_s, f"{now.epoch}")


def shut_down(stage: Stage) -> None:
    """Both daemons are told to end; they leave nothing behind."""
    story = stage.story
    active = stage.serving().node
    for node in (story.other(active), story.node(active)):
        if not node.powered:
            continue
        machine.send([node.daemon_pid], signal.SIGTERM)
        stage.wait(f"{node.name} ends", node.is_empty, 10.0)
        node.close()
    story.client.stop()
    stage.note("shutdown", "released, nothing left", "no process is left on either node", None, "")


def proof(stage: Stage) -> None:
    """What the servers themselves wrote down: no two epochs overlap."""
    record = check_servers_records(node.place for node in stage.story.nodes)
    epochs = [record.epochs[epoch] for epoch in sorted(record.epochs)]
    apart_s = [(b.first_ns - a.last_ns) / NS_PER_S for a, b in pairwise(epochs)]
    least = f"; the least time between two is {min(apart_s) * 1000:.0f} ms" if apart_s else ""
    measured = f"{record.answers} answers in {len(epochs)} epochs, one server at a time{least}"
    stage.note("servers' own records", "no two at any instant", measured, None, "")


SCENES: tuple[tuple[str, Callable[[Stage], None], str], ...] = (
    ("start and election", start, "two nodes boot; whoever links the next lease file first is active"),
    (
        "planned switchover",
        switchover,
        "the active one stops its service, releases, and the other need not wait",
    ),
    ("crash of acmd", crash, "the next daemon finds lease and service as they were, and adopts both"),
    ("power loss", power_loss, "nobody releases: the other waits until the lease has surely ended"),
    ("rejoin", rejoin, "the former active one finds a newer epoch and follows it"),
    (
        "storage stall",
        storage_stall,
        "the active one cannot renew: it stops its service before anybody else may start it",
    ),
    ("healing", heal, "calls that hung execute now: into the old epoch's file, which nobody reads"),
    ("shutdown", shut_down, "daemons release and leave nothing behind"),
    ("proof", proof, "each server wrote down each answer; here they are compared"),
)


def play(stage: Stage, scenes: tuple[tuple[str, Callable[[Stage], None], str], ...] = SCENES) -> bool:
    """All scenes in turn; the first that goes wrong ends it. True when all went well."""
    story = stage.story
    for number, (title, scene, explanation) in enumerate(scenes, 1):
        story.title, story.explanation = f"{number}/{len(scenes)} {title}", explanation
        story.tell(SCENE, f"{story.title}: {explanation}")
        try:
            scene(stage)
        except Missed as missed:
            story.results.append(Result(title, explanation, str(missed), None, "", ok=False))
            story.tell(BAD, str(missed))
            return False
    return True
