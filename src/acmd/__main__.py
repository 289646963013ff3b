"""`python -m acmd` is the command `acmd`; the scripts `acmd` and `acmctl` begin here, too."""

from __future__ import annotations

import sys

# Not `signal`, whose own import takes its time.
from _signal import SIG_DFL, SIGINT, default_int_handler, getsignal, signal  # type: ignore[import-not-found]


def acmd() -> int:
    """The command `acmd`."""
    interruptible = _SilentInterrupts()
    from acmd.cli.main import main  # noqa: PLC0415 - see _SilentInterrupts

    interruptible()
    return main()


def acmctl() -> int:
    """The command `acmctl`."""
    interruptible = _SilentInterrupts()
    from acmd.cli.acmctl import main  # noqa: PLC0415 - see _SilentInterrupts

    interruptible()
    return main()


class _SilentInterrupts:
    """^C ends a program that still imports its modules without a traceback, until this is called."""

    def __init__(self) -> None:
        self._python_s = getsignal(SIGINT) is default_int_handler  # else it is ignored, and stays so
        if self._python_s:
            signal(SIGINT, SIG_DFL)

    def __call__(self) -> None:
        if self._python_s:
            signal(SIGINT, default_int_handler)


if __name__ == "__main__":
    sys.exit(acmd())
