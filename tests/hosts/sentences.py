"""Every warning that `acmd status` can give, and every reason; host tests try each in its situation.

`tests/unit/test_sentences.py` holds this list to the sources, and the host tests to this list: whoever adds a
sentence has to try it on hosts. `{}` stands for what is filled in.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from acmd.core.decision import Reason


class Sentence(NamedTuple):
    """The levels that it can have, and its words."""

    levels: str
    words: str

    @property
    def pattern(self) -> re.Pattern[str]:
        """Matches the sentence with whatever is filled in."""
        return re.compile(".+".join(re.escape(part) for part in self.words.split("{}")))


SENTENCES = {
    # of this node
    "no daemon": Sentence("ALARM", "the acmd daemon does not run on this host: it takes part in nothing"),
    "leaving": Sentence("WARN ALARM", "this node {}: {}"),
    "nobody known": Sentence(
        "ALARM", "no active node is known: without the shared directory this node cannot tell"
    ),
    "refused": Sentence("ALARM", "no node is active, and none may become so: {}"),
    "nobody": Sentence("ALARM", "no node is active; this node: {}"),
    "all disabled": Sentence("WARN", "the whole cluster is disabled, {}: nobody takes over"),
    "disabled": Sentence("WARN", "{} is disabled, {}: it will not take over"),
    "storage full": Sentence(
        "WARN", "the shared directory {} is full: nodes and orders are not written there any more"
    ),
    "storage": Sentence("ALARM WARN", "the shared directory {} does not work: {}"),
    "hanging": Sentence("WARN", "storage calls have hung for longer than their limit: {}"),
    "interlock": Sentence(
        "WARN", "the interlock blocks a takeover by {}, since a MySQL server still answers elsewhere: {}"
    ),
    "kept back": Sentence("WARN", "{} could not take over now: {}"),
    "hold-down": Sentence("WARN", "{} gave up after failures and stays out of elections for {} more"),
    "hold-down there": Sentence("WARN", "{} gave up after failures and stays out of elections for a while"),
    # of the guard
    "no guard": Sentence(
        "WARN", "the guard (the dead man's switch) does not answer: this node cannot become or stay active"
    ),
    "guard": Sentence("WARN", "the guard says: {}"),
    "watchdog": Sentence(
        "WARN",
        "the watchdog that guard.watchdog requires is missing: this node cannot become active, and "
        "nothing resets it should its guard be stuck",
    ),
    "old guard": Sentence(
        "NOTE",
        "the guard is of another version, or has other settings, than this daemon; it protects this node "
        "as it did before",
    ),
    "no last resort": Sentence(
        "NOTE",
        "last resort none: services that cannot be killed would run on after the lease has ended, so two "
        "nodes could be active. For tests only",
    ),
    # of the lease
    "unconfirmed": Sentence(
        "NOTE", "nobody has confirmed that these former holders of the lease are off: {}"
    ),
    "about to be lost": Sentence(
        "ALARM", "the own lease is about to be lost: services stop in {} unless it is renewed"
    ),
    "late": Sentence("WARN", "the lease of {} was last renewed {} ago (every {} s is usual)"),
    "detached": Sentence(
        "ALARM", "the lease is detached and its holder {} is not heard: nobody will take over"
    ),
    "holder idle": Sentence("WARN", "{} holds the lease, and {}"),
    "fencing": Sentence("WARN", "{} is being fenced"),
    "not confirmed": Sentence("ALARM WARN", "the fence agent could not confirm that {} is off"),
    # of nodes and services
    "silent": Sentence("WARN", "{} was not heard {}"),
    "unfit": Sentence("WARN", "{} is not fit to run the services: {}"),
    "remark": Sentence("WARN", "{} remarks: {}"),
    "alone": Sentence("WARN", "no other node is known: nobody can take over"),
    "nobody else": Sentence("WARN", "no node could take over from {}"),
    "versions": Sentence("WARN", "the nodes run different versions: {}"),
    "held": Sentence("WARN NOTE", "service {} on {} is {}{}"),
    "service": Sentence("WARN NOTE", "service {} on {} is {}{}"),
    "probe": Sentence("WARN", "probe {} of service {} on {} failed: {}"),
}

PASSING: dict[Reason, str] = {
    Reason.NONE: "has no words",
    Reason.STARTING: "over with the first look at storage and guard",
    Reason.GUARD_NOT_CLEAN: "over once the guard has looked, unless /proc cannot be read",
    Reason.CLAIM_IN_FLIGHT: "a claim that hung, on storage that answers again",
    Reason.INTENT_UNKNOWN: "over with the first look at the orders",
    Reason.CLAIMED: "over within the claim",
    Reason.CLAIM_LOST: "over with the next look",
    Reason.ARMING: "over once the guard has answered",
    Reason.ADOPTED: "over once the guard has answered",
    Reason.EPOCH_LOST: "over once all is killed",
    Reason.FENCING_FAILED: "over once the lease is given back",
    Reason.SUPERSEDED: "over once all is killed",
    Reason.GUARD_LOST: "the host resets itself",
    Reason.CRASH_LOOP: "over once the services are stopped",
    Reason.REATTACHING: "over with the next renewal",
    Reason.RUN_UNWRITABLE: "a full /run does not do it, since what is kept there has its room",
    Reason.YIELDING: "the named node claims within a tenth of a second",
}
"""Reasons that no host test waits for: most are gone before a person could read them."""
