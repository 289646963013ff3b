"""Stands in for a daemon's control socket: gives a script's answers, one a request; the last one stays."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Answer = dict[str, Any] | bytes


def configuration(directory: Path) -> Path:
    """A file that commands find the socket by."""
    (directory / "run").mkdir(exist_ok=True)
    file = directory / "acmd.toml"
    file.write_text(
        f'[cluster]\nname = "t"\ndirectory = "{directory}/shared"\n[node]\nname = "a"\n'
        f'[timing]\nprofile = "fast"\n[run]\nrun_dir = "{directory}/run"\nstate_dir = "{directory}/state"\n'
        '[guard]\nmode = "spawn"\nlast_resort = "none"\n'
    )
    return file


@contextmanager
def daemon(directory: Path, *answers: Answer) -> Iterator[list[dict[str, Any]]]:
    """Listens in `directory`/run; gives the requests that came."""
    asked: list[dict[str, Any]] = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(directory / "run" / "control.sock"))
    listener.listen()

    def serve() -> None:
        left = list(answers)
        while True:
            client, _ = listener.accept()
            with client:
                line = client.makefile("rb").readline()
                if not line:
                    return  # the end of the test
                asked.append(json.loads(line))
                answer = left.pop(0) if len(left) > 1 else left[0]
                client.sendall(answer if isinstance(answer, bytes) else json.dumps(answer).encode() + b"\n")

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield asked
    finally:
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(str(directory / "run" / "control.sock"))
        thread.join()
        listener.close()


def service(state: str, **changes: Any) -> dict[str, Any]:
    """A service as a snapshot has it."""
    return {
        "name": "web",
        "state": state,
        "runs_on": "active",
        "since_s": 60.0,
        "restarts": 0,
        "last_stop_s": None,
        "longest_stop_s": None,
        "detail": "",
        "held": "",
        "probes": [],
    } | changes


def node(name: str, role: str, **changes: Any) -> dict[str, Any]:
    """A node as a snapshot has it: fit, heard, its services as the role says."""
    return {
        "name": name,
        "address": "192.0.2.1",
        "role": role,
        "fit": True,
        "unfit_because": "",
        "last_seen_s": 0.2,
        "version": "1",
        "held_down": False,
        "users": {},
        "config_digest": "",
        "services": [service("running" if role == "active" else "stopped")],
    } | changes


def snapshot(**changes: Any) -> dict[str, Any]:
    """What the daemon of an active node says when all is well."""
    return {
        "format": 1,
        "version": "1",
        "pid": 1,
        "cluster": {"name": "t", "id": "c-1", "directory": "/shared"},
        "node": "a",
        "role": "active",
        "role_since_s": 100.0,
        "active": "a",
        "epoch": 7,
        "reason": "holds the lease",
        "reason_code": "holding",
        "lease": {
            "holder": "a",
            "state": "held",
            "sequence": 5,
            "age_s": 0.3,
            "remaining_s": 1.7,
            "expires_in_s": 4.2,
            "unfenced": [],
            "claimed_at": None,
            "written_at": None,
        },
        "nodes": [node("a", "active"), node("b", "passive")],
        "maintenance": {"all": None, "nodes": {}},
        "guard": {
            "alive": True,
            "armed": True,
            "epoch": 7,
            "gate": "open",
            "deadline_in_s": 2.7,
            "last_resort": "reset",
            "last_resort_means": "",
            "watchdog": "ok",
            "faults": [],
            "notes": [],
            "outdated": False,
        },
        "fencing": {"policy": "off", "agent": False, "running": [], "failed": [], "confirmed": []},
        "interlock": {"state": "clear", "because": ""},
        "hold_down": None,
        "handovers": [],
        "storage": {"fault": None, "abandoned_workers": 0},
        "timing": {
            "profile": "fast",
            "heartbeat_s": 0.4,
            "renew_deadline_s": 2.0,
            "kill_deadline_s": 3.0,
            "lease_duration_s": 4.5,
            "takeover_wait_s": 5.5,
        },
    } | changes
