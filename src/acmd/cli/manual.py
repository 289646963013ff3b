"""`python -m acmd.cli.manual [DIRECTORY]` writes manual pages and completions into a checkout.

Commands come from their parsers and options of the file from its schema; a test holds both in step.
Without a directory: into the checkout that this module is in. Prints what it changed.
"""

from __future__ import annotations

import re
import sys

from acmd.cli import acmctl
from acmd.cli.completion import bash, fish, of_program, zsh
from acmd.cli.grammar import Argument, Usage, grammar, usage_of
from acmd.cli.roff import page
from acmd.config.generate import write
from acmd.config.manual import reference_page

_MANUAL = "System administration"
_BEFORE = """\
## NAME

acmd - one active node out of several, decided on a shared directory

## SYNOPSIS

`acmd` [`--config` *FILE*] *COMMAND* [*ARGUMENTS*]

## DESCRIPTION

acmd runs services on one of several hosts, and on another one when that host fails. The hosts need
nothing in common but a directory on shared storage: a lease kept there decides who is active. A host that
cannot renew the lease in time stops its services before another one may start them; a process of its own,
the guard, does this even when the daemon hangs or is dead, and resets the host where killing was not
enough.

`acmd run` is the daemon; systemd starts it as `acmd.service`. All other commands are for people. Those
that change something ask the daemon of this host over its socket, which root and the group `acmd` may
use; who gave an order is logged with its reason.

## COMMANDS

Every command also takes `-h` (`--help`) and `-c` *FILE* (`--config`).
"""
_AFTER = """\
## EXIT STATUS

- `0`: fine, or done
- `1`: degraded, refused, or failed; a configuration that is wrong, too
- `2`: no active node
- `3`: the daemon is not running on this host
- `64`: the command line is wrong
- `78`: as a unit of systemd, `acmd run` and `acmd guard run` that are refused to start
- `130`: interrupted from the keyboard

## SIGNALS

The daemon understands these. Use `systemctl` rather than `kill`.

- `SIGTERM`: stop the services and release the lease, so that another node takes over at once; `systemctl
stop acmd`.
- `SIGHUP`: read the configuration anew; what cannot change while it runs is named and refused; `systemctl
reload acmd`.
- `SIGUSR2`: end and leave lease and services to a successor that has to come within the renew deadline.

## ENVIRONMENT

- `ACMD_CONFIG`: the configuration, where `--config` is not given.

## FILES

- `/etc/acmd/acmd.toml`: the configuration, see `acmd.toml`(5).
- `/run/acmd`: what an adopting daemon and the next guard must know, until the next boot; the control
socket.
- `/var/lib/acmd`: what a node remembers over boots: its journal, its hooks.
- The cluster's directory on shared storage: `cluster.json`, a lease file for each epoch, a file for each
node. Nothing in it is to be edited by hand.

## SECURITY

The daemon runs as root, since services run as any user. Members of the group `acmd` may give every order,
not only look. Who can write to the cluster's directory can take the active role: keep it writable for
root alone. No password stands in the configuration, in arguments, logs or status.

## EXAMPLES

Who is active, and what is wrong:

```
acmd status
```

Hand over to the node `b`:

```
acmd switchover --to b --reason "new kernel on a"
```

Work on storage or network: nobody acts, services stay, for two hours at most:

```
acmd disable --all --until 2h --reason "switch replaced"
acmd enable --all
```

A host that you switched off yourself, while this node waits for it:

```
acmd confirm-off a --reason "power button, 03:10"
```

## SEE ALSO

`acmd.toml`(5), `acmctl`(8), `systemctl`(1), `journalctl`(1)
"""

_ACMCTL = """\
## NAME

acmctl - ACM's command for acmd

## SYNOPSIS

{synopsis}

## DESCRIPTION

ACM's options and ACM's shape of output, for people and scripts that know those. Each option is one of acmd's
commands; what it does, and what it refuses, is the same. Exactly one of ACM's options has to be given.

## OPTIONS

{options}

## EXIT STATUS

As of `acmd`(8).

## FILES

- `/etc/acmd/acmd.toml`: the configuration, see `acmd.toml`(5).

## SEE ALSO

`acmd`(8), `acmd.toml`(5)
"""


def acmd_page() -> str:
    """acmd(8): the commands out of their parsers between sections written by hand."""
    parts = [_command(usage) for usage in grammar()]
    return page("acmd", 8, _MANUAL, "\n".join([_BEFORE, *parts, _AFTER]))


def acmctl_page() -> str:
    """acmctl(8): ACM's options."""
    usage = _acmctl()
    options = [f"- **{_shown(option)}**: {option.about}" for option in usage.options]
    return page("acmctl", 8, _MANUAL, _ACMCTL.format(synopsis=usage.synopsis, options="\n".join(options)))


def _acmctl() -> Usage:
    return usage_of("acmctl", "", acmctl.parser())


def toml_page() -> str:
    """acmd.toml(5): the reference of the configuration, with the sections that a manual page has."""
    text = reference_page().partition("\n\n")[2].partition("\n\n")[2]
    text = re.sub(r"^(#+) ", r"#\1 ", text, flags=re.MULTILINE)
    head = "## NAME\n\nacmd.toml - configuration of acmd\n\n## DESCRIPTION\n\n"
    files = "## FILES\n\n- `/etc/acmd/acmd.toml`: the configuration, where nothing else is named\n\n"
    return page(
        "acmd.toml", 5, "File formats", f"{head}{text}\n{files}## SEE ALSO\n\n`acmd`(8), `acmctl`(8)\n"
    )


def _command(usage: Usage, level: str = "###") -> str:
    lines = [f"{level} {usage.synopsis}", "", f"{usage.about[:1].upper()}{usage.about[1:]}.", ""]
    for argument in usage.arguments:
        if not {"--help", "--config"} & {*argument.names}:
            lines += [f"- **{_shown(argument)}**: {argument.about or argument.value}"]
    lines.append("")
    return "\n".join([*lines, *(_command(action, level) for action in usage.actions)])


def _shown(argument: Argument) -> str:
    return " ".join(part for part in (", ".join(argument.names), argument.shown) if part)


def generated() -> dict[str, str]:
    """Paths in the repository and what belongs there."""
    commands, plain = grammar(), of_program(_acmctl())
    return {
        "docs/man/acmd.8": acmd_page(),
        "docs/man/acmctl.8": acmctl_page(),
        "docs/man/acmd.toml.5": toml_page(),
        "packaging/completions/acmd.bash": bash(commands),
        "packaging/completions/_acmd": zsh(commands),
        "packaging/completions/acmd.fish": fish(commands),
        "packaging/completions/acmctl.bash": plain["bash"],
        "packaging/completions/_acmctl": plain["zsh"],
        "packaging/completions/acmctl.fish": plain["fish"],
    }


if __name__ == "__main__":
    sys.exit(write(generated(), sys.argv[1:]))
