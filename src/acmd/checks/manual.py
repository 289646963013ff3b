"""The page about the checks, made of the registry: `python -m acmd.checks.manual > docs/check.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from acmd.checks.registry import ALL, GROUPS

HEAD = """\
# The sanity check

`acmd check` looks at this host and says what is wrong and what to do about it. `acmctl -s` is the same.
This page is made from the checks themselves (`python -m acmd.checks.manual > docs/check.md`).

- `OK` is fine. `KO` has to be mended. `WARN` may be meant so, or cannot be known from here.
- Below each `WARN` and `KO` stands what to do. What stands there in backticks can be run as it is.
- The exit code is 1 if anything is KO, else 0.
- `--group NAME` looks at one group, `--json` is for machines.
- `--pre-install` needs no configuration: only the checks that are marked with *.
- `--fix` offers the changes that are safe, shows each one (a file as a diff), and asks; `--yes` does not ask.
  It writes the rules for rsyslog and logrotate, turns autostart off, enables and unmasks acmd's units, and
  tightens modes. A file that its program does not like is put back. ACM's line in a crontab is commented out
  only when a person at a terminal says that ACM is not needed any more on any node; `--yes` does not say so.
- Run it as root, on each node. What only root can see is a WARN for others.
- Everything is asked with a limit, 25 s for a check at most: what does not answer (storage, systemd, the name
  service, MySQL) is a KO or WARN that says so, and the other checks still run.
"""


def page() -> str:
    """The whole page, in Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield HEAD.rstrip()
    for group, title in GROUPS.items():
        yield ""
        yield f"## {title[0].upper()}{title[1:]} (`--group {group}`)"
        yield ""
        yield "| check | what is looked at |"
        yield "| --- | --- |"
        for check in ALL:
            if check.group == group:
                yield f"| `{check.id}`{'' if check.configured else ' *'} | {check.about} |"


if __name__ == "__main__":
    sys.stdout.write(page())
