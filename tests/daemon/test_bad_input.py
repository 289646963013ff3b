"""Bad input to two running nodes: on shared storage, and on the control socket. Nothing may change."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.daemon.kit import Node, Pair, cluster, stays, wait

GARBAGE: dict[str, bytes] = {
    "empty": b"",
    "zeros": b"\0" * 512,
    "truncated": b'{"v": 1, "cluster": "',
    "deep": b"[" * 60_000,
    "oversized": b" " * 1_000_000 + b"{}",
    "no-text": b"\xff\xfe\x00{}",
    "null": b"null",
}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two nodes that must stay as they are throughout."""
    with cluster(tmp_path_factory.mktemp("d")) as made:
        yield Pair(made)


@pytest.fixture(autouse=True)
def unimpressed(pair: Pair) -> Iterator[None]:
    """After each test the same node is active, in the same epoch, with the service as it was started."""
    active, passive = pair.settle()
    before = (active.name, active.status("epoch"), active.status("pid"), passive.status("pid"))
    starts = pair.cluster.starts()
    yield
    active, passive = pair.settle()
    assert (active.name, active.status("epoch"), active.status("pid"), passive.status("pid")) == before
    assert pair.cluster.starts() == starts


def test_node_files(pair: Pair) -> None:
    """Garbage, links, directories and other clusters' files among the node files: said once, then ignored."""
    nodes = pair.cluster.shared / "nodes"
    good = json.loads((nodes / "a.json").read_text())
    for name, data in GARBAGE.items():
        (nodes / f"{name}.json").write_bytes(data)
    for name, change in (("foreign", {"cluster": "x"}), ("future", {"v": 2}), ("content", {"content": {}})):
        (nodes / f"{name}.json").write_text(json.dumps({**good, "node": name, **change}))
    (nodes / "unreadable.json").mkdir()
    (nodes / "link.json").symlink_to("/etc/passwd")
    for node in (pair.a, pair.b):
        wait(lambda node=node: node.count("node-file-ignored") >= len(GARBAGE) + 3)  # type: ignore[misc]
    said = pair.a.count("node-file-ignored")
    stays(lambda: pair.a.role() != "None" and pair.a.count("node-file-ignored") == said, 1.5)
    wait(lambda: [row["name"] for row in pair.a.status("nodes")] == ["a", "b"])
    for path in nodes.iterdir():
        if path.stem not in {"a", "b"}:
            path.rmdir() if path.is_dir() else path.unlink()


def test_the_own_node_file(pair: Pair) -> None:
    """Garbage under a living node's name is overwritten by that node."""
    _, passive = pair.settle()
    path = pair.cluster.shared / "nodes" / f"{passive.name}.json"
    path.write_bytes(GARBAGE["zeros"])
    wait(lambda: path.read_bytes().startswith(b'{"v": 1'))


@pytest.mark.parametrize("kind", ["truncated", "deep", "oversized", "foreign", "future"])
def test_commands(kind: str, pair: Pair) -> None:
    """A command that cannot be followed is refused by both, once; orders before it stay in force."""
    control = pair.cluster.shared / "control"
    number = max((int(path.stem) for path in control.iterdir()), default=-1) + 1
    cluster_id = json.loads((pair.cluster.shared / "cluster.json").read_text())["id"]
    wire: dict[str, Any] = {"v": 1, "cluster": cluster_id, "number": number, "content": {"everywhere": 1}}
    if kind == "foreign":
        wire["cluster"] = "x"
    elif kind == "future":
        wire["v"] = 9
    path = control / f"{number:010d}.json"
    path.write_bytes(GARBAGE.get(kind, json.dumps(wire).encode()))
    before = {node: node.count("orders-refused") for node in (pair.a, pair.b)}
    try:
        for node in (pair.a, pair.b):
            wait(lambda node=node: node.count("orders-refused") == before[node] + 1)  # type: ignore[misc]
        for node in (pair.a, pair.b):
            answer = node.ask(do="disable", all=True)
            assert "cannot be followed" in answer["error"]
        assert pair.a.status("maintenance", "all") is None
    finally:
        path.unlink()
    assert pair.b.ask(do="enable", node="a") == {"ok": True, "node": "a"}  # orders go on


def test_strange_names(pair: Pair) -> None:
    """Files that are nearly leases or commands are none."""
    shared = pair.cluster.shared
    names = ["lease.99999999999", "lease.000000000x", "lease.0000000001.bak", "control/1.json", "tmp/x", "x"]
    names += ["lease.٠٠٠٠٠٠٠٠٩٩", "control/000000099x.json"]
    for name in names:
        (shared / name).write_bytes(b"x")
    stays(lambda: pair.a.role() in {"active", "passive"}, 1.5)
    for name in names:
        (shared / name).unlink()


def send(node: Node, data: bytes) -> bytes:
    """The answer to these bytes."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(node.run_dir / "control.sock"))
        with suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            return client.recv(1 << 20)
        return b""


def test_the_control_socket(pair: Pair) -> None:
    """Fuzz, an oversized line, nesting of any depth, values of any type: answered or cut off."""
    active, _ = pair.settle()
    dice = random.Random(11)
    values: list[Any] = [
        None,
        True,
        3,
        1e300,
        "x" * 5000,
        [],
        {},
        ["a"],
        {"a": {}},
        "\ud800",
        "\0",
        -1,
        "a/../b",
    ]
    for do in ("status", "switchover", "disable", "enable", "explode", ""):
        for _ in range(12):
            keys = dice.sample(["node", "reason", "to", "force", "x"], 3)
            request = {key: dice.choice(values) for key in keys}
            request |= {"do": do, "node": f"no-such-{dice.random()}", "to": "no-such"}
            if do != "enable":
                assert send(active, json.dumps(request).encode() + b"\n").startswith(b"{")
    for data in (*GARBAGE.values(), b"x" * 500_000, dice.randbytes(5000) + b"\n"):
        answer = send(active, data + b"\n")
        assert not answer or b'"error"' in answer
    for depth in range(900, 1000, 3):
        nested = "[" * depth + "1" + "]" * depth
        send(active, b'{"do": "disable", "node": "no-such", "reason": %s}\n' % nested.encode())
    assert active.status("maintenance") == {"all": None, "nodes": {}}


def test_slow_clients(pair: Pair) -> None:
    """Clients that connect and say nothing, or half a line, keep neither status nor lease from going on."""
    active, _ = pair.settle()
    clients = []
    for number in range(12):
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(active.run_dir / "control.sock"))
        client.send(b'{"do": "sta'[:number])
        clients.append(client)
    sequence = active.status("lease", "sequence")
    wait(lambda: active.status("lease", "sequence") > sequence + 2)
    for client in clients:
        client.close()


def test_every_command_line_shows_such_a_cluster(pair: Pair) -> None:
    """`acmd status` with a strange node file there: no traceback, and nothing that steers a terminal."""
    nodes = pair.cluster.shared / "nodes"
    good = json.loads((nodes / "a.json").read_text())
    strange = {**good, "node": "strange", "content": {**good["content"], "node": "strange"}}
    strange["content"] |= {"role": "\ud800\x1b[2J", "version": "v" * 9000, "unfit_because": "\n\0"}
    path = nodes / "strange.json"
    path.write_text(json.dumps(strange))
    try:
        wait(lambda: "strange" in str(pair.a.status("nodes")))
        for arguments in ((), ("--json",)):
            done = pair.cluster.acmd("status", pair.a, *arguments)
            assert "Traceback" not in done.stderr, done.stderr
            assert "\x1b[2J" not in done.stdout
    finally:
        path.unlink()
