"""What acmd refuses, and in which words: command lines on hosts, with exit code, message and remedy.

`says` is a part of the error, `remedy` of what stands behind its arrow (or, for a configuration's mistake,
on its line). Where `then` is given, it is what a person does by that remedy, and the command works then.
"""

from __future__ import annotations

from dataclasses import dataclass

LONG = "x" * 5000


@dataclass(frozen=True, slots=True)
class Refusal:
    """One command line that is refused."""

    words: str
    says: str
    remedy: str = "--help` says more"
    code: int = 64
    before: str = ""  # run before, to make the situation
    then: str = ""  # run after; `words` end with 0 afterwards
    after: str = ""  # run at last, however it went


def usage(words: str, says: str, remedy: str = "--help` says more") -> Refusal:
    """A command line that cannot be understood."""
    return Refusal(words, says, remedy)


def no(words: str, says: str, remedy: str) -> Refusal:
    """Understood, and refused."""
    return Refusal(words, says, remedy, 1)


USAGE = [
    usage("acmd", "which command?"),
    usage("acmd ''", "there is no command ''"),
    usage("acmd stauts", "there is no command 'stauts'; did you mean 'status'?", "`acmd --help` says more"),
    usage("acmd --nope", "unrecognized arguments: --nope"),
    usage("acmd --config", "argument -c/--config: expected one argument"),
    usage("acmd --config '' status", "argument -c/--config: is empty; name a file"),
    usage("acmd status --nope", "status: unrecognized arguments: --nope", "`acmd status --help` says more"),
    usage("acmd switchover beta", "switchover: unrecognized arguments: beta"),
    usage("acmd switchover --to ''", "argument --to: is empty; a name belongs there"),
    usage(f"acmd switchover --to {LONG}", "...' is 5000 characters long; a name has 32 at most"),
    usage("acmd switchover --timeout 0", "'0' is not a number of seconds greater than 0"),
    usage("acmd switchover --timeout nan", "'nan' is not a number of seconds"),
    usage("acmd switchover --timeout 1e400", "'1e400' is not a number of seconds"),
    usage("acmd disable --node ''", "argument --node: is empty; a name belongs there"),
    usage("acmd disable --node beta --all", "--all: not allowed with argument --node"),
    usage("acmd disable --until ''", "'' is no end: write a length"),
    usage("acmd disable --until yesterday", "'yesterday' is no end: write a length"),
    usage("acmd disable --until 0s", "'0s' is no end: write a length"),
    usage("acmd disable --until 99999d", "'99999d' is no end"),
    usage("acmd disable --until '2031-02-30 06:00'", "'2031-02-30 06:00' is no end"),
    usage("acmd disable --until \"$(printf '\\377')\"", "is no end: write a length"),
    usage("acmd enable --node ''", "argument --node: is empty; a name belongs there"),
    usage(
        "acmd enable --holder-is-dead", "enable: --holder-is-dead speaks of the whole cluster", "add --all"
    ),
    usage("acmd service", "service: the following arguments are required"),
    usage("acmd service stop", "service: the following arguments are required: NAME"),
    usage("acmd service stop ''", "argument NAME: is empty; a name belongs there"),
    usage("acmd service explode witness", "invalid choice: 'explode'"),
    usage("acmd clear-hold-down ''", "argument NODE: is empty; a name belongs there"),
    usage("acmd fence", "fence: the following arguments are required: NODE"),
    usage("acmd fence '' --yes", "argument NODE: is empty; a name belongs there"),
    usage("acmd fence beta --timeout -1 --yes", "'-1' is not a number of seconds greater than 0"),
    usage("acmd forget '' --yes", "argument NODE: is empty; a name belongs there"),
    *(
        usage(
            f"acmd {words}",
            f"{words.split()[0]}: there is no terminal to ask on",
            "add --yes if you are sure",
        )
        for words in (
            "fence beta",
            "confirm-off beta",
            "forget beta",
            "interlock override",
            "detach",
        )
    ),
    usage("acmd interlock", "interlock: the following arguments are required"),
    usage("acmd interlock away", "invalid choice: 'away'"),
    usage("acmd nodes beta", "nodes: unrecognized arguments: beta"),
    usage("acmd history -n x", "argument -n: 'x' is not a whole number, 1 or more"),
    usage("acmd history -n 0", "argument -n: '0' is not a whole number, 1 or more"),
    usage("acmd events -n -1", "argument -n: '-1' is not a whole number, 1 or more"),
    usage("acmd logs -n 1.5", "argument -n: '1.5' is not a whole number, 1 or more"),
    usage("acmd logs --since ''", "logs: --since '' is no time", "write 90s, 10m, 2h, 1d, or 2026-"),
    usage("acmd logs --since 2026-13-01", "logs: --since '2026-13-01' is no time", "write 90s"),
    usage("acmd check --group nope", "argument --group: invalid choice: 'nope'"),
    usage("acmd check --fix --json", "check: --fix talks to people, --json to machines", "use one of them"),
    usage(
        "acmd check --fix", "check: --fix asks before each change, and nobody can answer here", "add --yes"
    ),
    usage("acmd config", "config: the following arguments are required: check|show|defaults|schema"),
    usage("acmd config nope", "invalid choice: 'nope'"),
    usage("acmd setup --force", "setup: nobody can answer here", "add --yes"),
    usage("acmd setup --force --yes --profile x", "argument --profile: invalid choice: 'x'"),
    usage("acmd setup --force --yes --device-id x", "setup: 'x' is no device id", "`stat -c %d DIRECTORY`"),
    usage("acmd migrate --plan --apply", "--apply: not allowed with argument --plan"),
    usage("acmd migrate --json --undo", "migrate: --json shows the plan", "leave it out with --apply"),
    usage("acmd guard", "guard: the following arguments are required: action"),
    usage("acmd guard explode", "invalid choice: 'explode'"),
    usage("acmd run now", "run: unrecognized arguments: now"),
    usage("acmd demo --nope", "demo: unrecognized arguments: --nope"),
    usage("acmctl -x", "unrecognized arguments: -x"),
    usage("acmctl -i -s", "argument -s: not allowed with argument -i"),
    usage("acmctl -b --keep 0", "argument --keep: '0' is not a whole number, 1 or more"),
]

# On an active alpha, with a passive beta.
ORDERS = [
    no("acmd switchover --to alpha", "alpha is the active node already", "name another with --to"),
    no("acmd switchover --to nope", "there is no node 'nope' to switch to", "other nodes known: beta"),
    no("acmd switchover --to \"$(printf 'be\\nta')\"", "there is no node 'be?ta' to switch to", "beta"),
    no("acmd switchover --to \"$(printf '\\377')\"", "there is no node '?' to switch to", "beta"),
    no("acmd disable --node nope", "there is no node 'nope'", "nodes known: alpha, beta"),
    no("acmd enable --node nope", "there is no node 'nope'", "nodes known: alpha, beta"),
    no("acmd disable --until 2001-01-01T00:00", "by the clock of alpha that end was", "name a later one"),
    no("acmd disable --all --until '2001-01-01 00:00'", "days ago already", "set the clocks of the nodes"),
    no(
        "acmd enable --all --holder-is-dead",
        "there is no detached lease whose holder could be",
        "acmd status",
    ),
    no("acmd service stop nope", "there is no service 'nope' on alpha", "services: witness"),
    no("acmd service resume witness", "witness is not paused", "it is looked after as usual"),
    Refusal(
        "acmd service restart witness",
        "witness is paused: acmd leaves it alone",
        "`acmd service resume witness` first",
        1,
        before="acmd service pause witness",
        then="acmd service resume witness",
    ),
    Refusal(
        "acmd service resume witness",
        "witness is not paused",
        "it is stopped; `acmd service start witness`",
        1,
        before="acmd service stop witness",
        after="acmd service start witness",
    ),
    no("acmd clear-hold-down", "alpha does not hold down", "`acmd status` says why it is not active"),
    no("acmd clear-hold-down beta", "beta does not hold down", "`acmd status` says why"),
    no("acmd clear-hold-down nope", "there is no node 'nope'", "nodes known: alpha, beta"),
    no("acmd fence alpha --yes", "alpha is this node and cannot fence itself", "run it on another node"),
    no("acmd fence nope --yes", "there is no node 'nope'", "nodes known: alpha, beta"),
    no("acmd fence beta --yes", "no fence agent is configured", "set fencing.agent"),
    no(
        "acmd confirm-off alpha --yes", "alpha is this node and cannot be off: it answers you", "another node"
    ),
    no(
        "acmd confirm-off beta --yes", "beta is not off: its node file keeps changing", "power beta off first"
    ),
    no("acmd confirm-off '*' --yes", "nobody waits for * to be off", "`acmd status` shows both"),
    no("acmd forget alpha --yes", "alpha is this node and cannot forget itself", "run it on another node"),
    no("acmd forget beta --yes", "beta is alive: its node file keeps changing", "stop acmd on beta"),
    no("acmd interlock override --yes", "no interlock keeps this node from taking over", "acmd status"),
    no("acmd detach --yes --no-disable", "the cluster is not disabled", "`acmd disable --all` first"),
    no("acmd timing --apply --yes", "the timing in /etc/acmd/acmd.toml is the cluster's already", "[timing]"),
    no("acmd init", "/shared/acm/acmd already belongs to the cluster 'acmd'", "take another directory"),
    no("acmd setup", "/etc/acmd/acmd.toml is there already", "add --force; the old one is kept then"),
    usage(
        "acmd guard run", "last_resort is 'reset', but this process is not run by PID 1", "acmd-guard.service"
    ),
    no("acmd guard release", "ACMD_EPOCH does not name the epoch that ended", "leave this to the guard"),
    no("acmd migrate", "/opt/aspera/acm/bin/acmcommon cannot be read", "without ACM use `acmd setup`"),
    no("acmd migrate --root /mnt", "/mnt/opt/aspera/acm/bin/acmcommon cannot be read", "`acmd setup`"),
    no("acmd migrate --undo", "there is nothing to put back on this host", "`acmd migrate` shows"),
    no("acmd report -o /nowhere/x", "/nowhere/x cannot be made: no such file or directory", "--output"),
    no("acmd report -o /root", "/root cannot be made: file exists", "it must not exist yet"),
    Refusal(
        "acmd switchover",
        "no node can take over (beta: it is disabled)",
        "see `acmd status`",
        1,
        before="acmd disable --node beta",
        after="acmd enable --node beta",
    ),
    Refusal(
        "acmd switchover --to beta",
        "beta cannot take over: it is disabled",
        "mend that, or name another",
        1,
        before="acmd disable --node beta",
        after="acmd enable --node beta",
    ),
    Refusal(
        "acmd disable",
        "alpha is active and no other node can take over: witness would stop",
        "mend the other node first, or stop the services with --force",
        1,
        before="acmd disable --node beta",
        after="acmd enable --node beta",
    ),
    Refusal(
        "acmd service stop witness",
        "the whole cluster is disabled: acmd leaves all services as they are",
        "`acmd enable --all` first",
        1,
        before="acmd disable --all",
        then="acmd enable --all",
        after="acmd service start witness",
    ),
    Refusal(
        "acmd switchover",
        "the whole cluster is disabled: nobody acts",
        "`acmd enable --all` first",
        1,
        before="acmd disable --all",
        after="acmd enable --all",
    ),
]

# On the passive beta.
PASSIVE = [
    no(
        "acmd service stop witness", "witness runs on the active node only, which is alpha", "run it on alpha"
    ),
    no("acmd confirm-off alpha --yes", "alpha is not off: its node file keeps changing", "power alpha off"),
    no("acmctl -b /root/backup", "this node (beta) is not the active one: no backup", "run it on alpha"),
]
