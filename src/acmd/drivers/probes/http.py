"""The http probe: one GET, its status, and a text that the answer must hold."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import Any

from acmd.drivers.probes.probe import CheckFailed
from acmd.drivers.probes.tcp import connect
from acmd.drivers.probes.worker import Worker

LONGEST_HEAD_BYTES = 65536
LONGEST_BODY_BYTES = 262144


@dataclass(frozen=True, slots=True)
class HttpCheck:
    """GET `path`. Good when the status is one of `status` and `text`, if any, is in the first 256 KiB.

    With `tls`, the certificate is not verified unless `verify`: the probe asks whether the service
    answers, usually by an address that its certificate does not name.
    """

    host: str
    port: int = 80
    path: str = "/"
    status: tuple[int, ...] = (200,)
    text: str = ""
    host_header: str = ""
    tls: bool = False
    verify: bool = False
    _resolver: Worker = field(default_factory=lambda: Worker("http"), repr=False, compare=False)

    async def __call__(self) -> dict[str, Any]:
        """Ask once. Raises CheckFailed."""
        sock = await connect(self.host, self.port, self._resolver)
        name = self.host_header or self.host
        writer: asyncio.StreamWriter | None = None
        try:
            reader, writer = await asyncio.open_connection(
                sock=sock,
                limit=LONGEST_HEAD_BYTES,
                ssl=self._context() if self.tls else None,
                server_hostname=name if self.tls else None,
            )
            # HTTP/1.0: the answer then ends with the connection and is in one piece.
            request = (
                f"GET {self.path} HTTP/1.0\r\nHost: {name}\r\nUser-Agent: acmd\r\nConnection: close\r\n\r\n"
            )
            writer.write(request.encode("ascii", "replace"))
            status = _status_of(await reader.readuntil(b"\n"))
            if status not in self.status:
                raise CheckFailed(f"status {status} instead of {' or '.join(map(str, self.status))}")
            if self.text:
                await self._look_for_text(reader)
            return {"status": status}
        except asyncio.LimitOverrunError:
            raise CheckFailed("an answer that is not HTTP") from None
        except (OSError, EOFError, ssl.SSLError) as error:
            raise CheckFailed(f"the connection broke: {str(error) or type(error).__name__}") from None
        finally:
            # abort, not close: a TLS peer that hangs would be waited for.
            if writer is not None:
                writer.transport.abort()
            else:
                sock.close()

    async def _look_for_text(self, reader: asyncio.StreamReader) -> None:
        wanted = self.text.encode()
        seen = b""
        while len(seen) < LONGEST_BODY_BYTES:
            piece = await reader.read(LONGEST_HEAD_BYTES)
            if not piece:
                break
            seen += piece
            head_end = seen.find(b"\r\n\r\n")
            if head_end >= 0 and wanted in seen[head_end:]:
                return
        raise CheckFailed(f"the answer does not hold {self.text!r}")

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _status_of(line: bytes) -> int:
    words = line.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise CheckFailed("an answer that is not HTTP")
    return int(words[1])
