"""The demo's service: a web server that answers only where it runs, and keeps a record of each answer.

`python -I -S server.py NODE PORT RECORD`, standard library only and no framework: it is up in a
few milliseconds, so that what the demo measures is acmd. It answers each connection with one JSON
object, and appends to RECORD a line for each answer: `<monotonic ns> <epoch>`, the moment before
the answer was sent. All nodes of the demo are one machine, so that these moments can be compared.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time

REQUEST_LIMIT_S = 0.5


def answer(client: socket.socket, node: str, epoch: str, record: int) -> None:
    """Read one request, note the moment, answer. A client that misbehaves is closed."""
    client.settimeout(REQUEST_LIMIT_S)
    try:
        request = client.recv(2048)
        if not request:
            return
        now_ns = time.monotonic_ns()
        os.write(record, b"%d %s\n" % (now_ns, epoch.encode()))
        body = b'{"node": "%s", "epoch": %s, "at_ns": %d}\n' % (node.encode(), epoch.encode(), now_ns)
        head = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        client.sendall(head + body)
    except OSError:
        return
    finally:
        client.close()


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM."""
    node, port, record_path = arguments
    epoch = str(int(os.environ["ACMD_EPOCH"]))
    record = os.open(record_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(port)))
    listener.listen(64)
    listener.setblocking(False)
    told, tell = os.pipe()
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell)
    signal.signal(signal.SIGTERM, lambda *_: None)
    while True:
        ready, _, _ = select.select([listener.fileno(), told], [], [])
        if told in ready:
            return 0
        try:
            client, _ = listener.accept()
        except OSError:
            continue
        answer(client, node, epoch, record)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
