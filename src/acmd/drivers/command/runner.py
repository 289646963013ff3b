"""The small process between acmd and a service of kind `command`; standard library only.

It is started with its order on descriptor 3 and answers once on descriptor 4:

1. it leads its own session, adopts every orphan of what it starts (a subreaper), and joins the
   service's control group where there is one;
2. it registers itself in `<run dir>/services/NAME.json`, and only then looks at the gate. Whoever
   closes the gate and looks at the registry afterwards sees this runner, or this runner sees the
   closed gate;
3. it starts the program, answers, and waits. When the program has ended, what it left behind is
   told to end, and killed after a while;
4. it writes the exit status and that nothing is left, and ends.

It survives the daemon, so that the next daemon finds the service running.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pwd
import resource
import signal
import sys
import time
import warnings  # noqa: F401 - os.execvpe imports it, and by then this may be a user who cannot read Python's files
from typing import Any, NoReturn

if __name__ == "__main__":  # run as a file, isolated: the package's parent is not on the path
    sys.path.insert(0, os.path.abspath(f"{os.path.dirname(__file__)}/../../.."))

from acmd.guard.processes import MARK, Entry, kill_all, members, read_stat, send, table, write_entry

ORDER, ANSWER = 3, 4
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
NOT_FOR_CHILDREN = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "INVOCATION_ID", "JOURNAL_STREAM")
POLL_S = 0.05

_libc = ctypes.CDLL(None, use_errno=True)


def gate_refuses(text: str, epoch: int, clocks: tuple[int, int]) -> str:
    """Why the gate's line forbids a start of this epoch now, or an empty string."""
    words = text.split()
    if not words or words[0] != "open":
        return f"the gate is {words[0] if words else 'not there'}"
    numbers = [int(word) for word in words[1:] if word.isdecimal()]
    if len(numbers) != len(words) - 1 or len(numbers) not in {1, 3}:
        return f"the gate says {text.strip()!r}"
    if numbers[0] != epoch:
        return f"the gate is open for epoch {numbers[0]}, not {epoch}"
    if any(clock >= until for clock, until in zip(clocks, numbers[1:], strict=False)):
        return "the gate's deadline has passed"
    return ""


def _read_gate(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(256)
    except (OSError, UnicodeDecodeError):
        return ""


def _clocks() -> tuple[int, int]:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)


class Runner:
    """One run of one service, from its registration to its end."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._order = order
        own = read_stat(os.getpid())
        if own is None:
            raise RuntimeError("/proc does not show this process")
        self._entry = Entry(
            name=order["name"],
            runs_on=order["runs_on"],
            mark=order["mark"],
            pid=own.pid,
            start=own.start,
            epoch=order["epoch"],
            cgroup=order["cgroup"],
        )
        self._known: set[tuple[int, int]] = set()

    def run(self) -> int:
        """Register, look at the gate, start, wait, tell."""
        self._keep()
        refusal = ""
        if self._entry.runs_on == "active":
            refusal = gate_refuses(_read_gate(self._order["gate"]), self._entry.epoch, _clocks())
        refusal = refusal or self._start()
        if refusal:
            self._keep(refused=refusal, done=True)
            _answer({"refused": refusal})
            return 1
        _answer({"started": self._entry.main})
        self._wait()
        return 0

    def _keep(self, **changes: Any) -> None:
        self._entry = self._entry._replace(**changes)
        write_entry(self._order["services_dir"], self._entry)

    def _start(self) -> str:
        """Fork and exec; "" once the program runs, else why it does not."""
        try:
            output = self._output()
        except OSError as problem:
            return f"{self._order['log']}: {problem.strerror}"
        heard, told = os.pipe()
        child = os.fork()
        if child == 0:
            self._become_the_program(output, told, self._entry.pid)
        os.close(told)
        with os.fdopen(heard, "rb") as pipe:
            failure = pipe.read()
        if failure:
            os.waitpid(child, 0)
            return failure.decode(errors="replace")
        stat = read_stat(child)
        self._keep(main=child, main_start=stat.start if stat is not None else 0)
        return ""

    def _output(self) -> int:
        """The log file, or -1 for what the daemon had: its journal."""
        if not self._order["log"]:
            return -1
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        return os.open(self._order["log"], flags, 0o640)

    def _become_the_program(self, output: int, told: int, runner: int) -> NoReturn:
        try:
            os.setpgid(0, 0)
            _within_oom_reach()
            _own_descriptors(self._order.get("descriptors", 0))
            account = self._change_user()
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != runner:  # killed before it could be noticed
                os._exit(127)
            for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            if output >= 0:
                os.dup2(output, 1)
                os.dup2(output, 2)
            if self._order["cwd"]:
                os.chdir(self._order["cwd"])
            environment = {**os.environ, **account, **self._order["environment"], MARK: self._order["mark"]}
            for name in NOT_FOR_CHILDREN:
                environment.pop(name, None)
            os.execvpe(self._order["argv"][0], self._order["argv"], environment)  # noqa: S606 - its purpose
        except KeyError:
            os.write(told, f"there is no user {self._order['user']!r} on this host".encode())
        except OSError as problem:
            os.write(told, f"{problem.filename or self._order['argv'][0]}: {problem.strerror}".encode())
        finally:
            os._exit(127)

    def _change_user(self) -> dict[str, str]:
        """Become the service's user, groups and all; what its environment says of it. Raises KeyError."""
        user = self._order["user"]
        if not user:
            return {}
        account = pwd.getpwnam(user)
        os.initgroups(user, account.pw_gid)
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
        return {"USER": user, "LOGNAME": user, "HOME": account.pw_dir}

    # -- waiting ----------------------------------------------------------------------------------

    def _wait(self) -> None:
        """Reap everything. A subreaper without a child has nothing below it: that is the proof."""
        with contextlib.suppress(ChildProcessError):
            while self._entry.exit is None:
                pid, status = os.waitpid(-1, 0)
                if pid == self._entry.main:
                    self._keep(exit=os.waitstatus_to_exitcode(status))
            self._clear_up()
        self._keep(done=True)

    def _clear_up(self) -> None:
        """What the program left: SIGTERM, then SIGKILL at the stop limit. Ends by ChildProcessError."""
        end = time.monotonic() + self._order["stop_limit_s"]
        self._each(signal.SIGTERM)
        while True:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                if time.monotonic() >= end:
                    kill_all(self._entry, self._known)
                time.sleep(POLL_S)

    def _each(self, number: int) -> None:
        for stat in members(self._entry, table(), self._known):
            if stat.pid != os.getpid():
                with contextlib.suppress(PermissionError):
                    send(stat.pid, stat.start, number)


def _within_oom_reach() -> None:
    """The daemon's protection from the OOM killer is not for what it starts; another score is left alone."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "r+", encoding="ascii") as file:
        if int(file.read()) < 0:
            file.seek(0)
            file.write("0")


def _own_descriptors(soft: int) -> None:
    """The limit that the daemon was given, which it raised for itself alone. 0: it is what it was."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _answer(wire: dict[str, Any]) -> None:
    """The daemon may be gone by now; the registry tells the next one."""
    with contextlib.suppress(BrokenPipeError):
        os.write(ANSWER, json.dumps(wire).encode())
    os.close(ANSWER)


def main() -> int:
    """Take the order and run it. Anything unexpected ends the runner, and the program with it."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    # It ends with its program; a signal meant for a group must not part the two.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.set_inheritable(ANSWER, False)
    with os.fdopen(ORDER, "rb") as pipe:
        order = json.loads(pipe.read())
    if order["cgroup"]:
        try:
            with open(f"{order['cgroup']}/cgroup.procs", "w", encoding="ascii") as file:
                file.write("0")
        except OSError as problem:
            _answer({"refused": f"cannot join the control group {order['cgroup']}: {problem.strerror}"})
            return 1
    return Runner(order).run()


if __name__ == "__main__":
    sys.exit(main())
