"""A small HTTP/1.1 server for health, metrics and the status page: bounded in clients, sizes and time.

h11 reads and writes the protocol; a handler makes an answer out of a request at once, without waiting.
"""

from __future__ import annotations

from acmd.drivers.http.message import Answer, Handler, Request
from acmd.drivers.http.server import HttpServer

__all__ = ["Answer", "Handler", "HttpServer", "Request"]
