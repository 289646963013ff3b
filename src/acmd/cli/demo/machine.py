"""A make-believe host: one process below which a whole node lives, so that it can lose its power.

`python -I -S machine.py PROGRAM ARGUMENT...`. It adopts every orphan of what it starts (a
subreaper), so that daemon, storage workers, guard, runners and services stay its descendants
whatever they do; nobody has to be found by name. A line on its standard input starts the program
once more, as a service manager does with one that crashed. It lives as long as that input: when
it ends, because the demo ended in whatever way, everything below it is killed.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
_ROUND_S = 0.01


def parents() -> dict[int, int]:
    """Process id to parent's id, of all processes that have not ended."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                line = file.read()
        except OSError:
            continue
        state, parent = line[line.rindex(b")") + 2 :].split()[:2]
        if state not in {b"Z", b"X"}:
            found[int(name)] = int(parent)
    return found


def descendants(root: int) -> list[int]:
    """All processes below `root`, nearest first."""
    parent_of = parents()
    found = [root]
    for ancestor in found:
        found += [pid for pid, parent in parent_of.items() if parent == ancestor]
    return found[1:]


def send(pids: list[int], number: int) -> None:
    """Signal them all; what is gone is gone. Refuses what would mean a whole process group, or PID 1."""
    for pid in pids:
        if pid <= 1:
            raise ValueError(f"{pid} is not a process of ours")
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def end_all(root: int) -> None:
    """Stop everything below `root` until nothing new appears, then SIGKILL all of it at one stroke.

    As a power loss does: nobody sees another one die first. `root` itself must not be killed before,
    since orphans would leave it. The caller reaps, or is not the parent.
    """
    stopped: set[int] = set()
    while new := set(descendants(root)) - stopped:
        send(sorted(new), signal.SIGSTOP)
        stopped |= new
    send(sorted(stopped), signal.SIGKILL)


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        return


def _start(arguments: list[str]) -> subprocess.Popen[bytes]:
    """The caller keeps it: what is forgotten warns, and `_reap` has its exit status."""
    child = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=2, start_new_session=True)
    os.write(1, b"%d\n" % child.pid)
    return child


def main(arguments: list[str]) -> int:
    """Start the program, tell its process id; reap until standard input ends, then end everything."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a terminal's ^C is for the demo, which then ends us
    told, tell = os.pipe()
    os.set_blocking(tell, False)
    os.set_blocking(told, False)
    signal.set_wakeup_fd(tell)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    started = [_start(arguments)]
    while True:
        ready, _, _ = select.select([0, told], [], [])
        if told in ready:
            os.read(told, 4096)
            _reap()
        if 0 in ready:
            if not os.read(0, 4096):
                break
            started.append(_start(arguments))
    while descendants(os.getpid()):
        end_all(os.getpid())
        _reap()
        time.sleep(_ROUND_S)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
