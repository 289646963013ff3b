"""HTTP, out of the configuration: which path is answered how, and who may see it.

Health is for everybody who can connect. Everything else needs the token, or a loopback address without one.
The server is optional: what goes wrong with it is logged and tried again, and costs nothing else.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hmac
import ipaddress
import json
import ssl
from collections.abc import Callable

from acmd import status
from acmd.config.credentials import read_secret
from acmd.config.model import Config
from acmd.config.model_http import is_loopback, split_listen
from acmd.display import metrics, web
from acmd.display.document import document
from acmd.drivers.http import Answer, HttpServer, Request
from acmd.errors import AcmdError
from acmd.tasks.health import ENDPOINTS
from acmd.tasks.snapshot import Snapshot

METHODS = "GET, HEAD, OPTIONS"
SHORTEST_TOKEN = 16
AGAIN_S = 10.0
SAY_S = 60.0
JSON = "application/json"
_CHALLENGE = (("WWW-Authenticate", 'Bearer realm="acmd"'), ("WWW-Authenticate", 'Basic realm="acmd"'))


class Pages:
    """Makes answers out of the snapshot. `token` "" and not `open_to_all`: only health is served."""

    def __init__(self, snapshot: Snapshot, requests: Callable[[], int]) -> None:
        self.token = ""
        self.open_to_all = False
        self.wrong_tokens = 0
        self._snapshot = snapshot
        self._requests = requests
        self._details = {"/": self._page, "/status": self._status, "/metrics": self._metrics}

    def __call__(self, request: Request) -> Answer:
        """The answer to a request."""
        verdict, details = ENDPOINTS.get(request.path), self._details.get(request.path)
        if request.method not in METHODS.split(", "):
            return _text(405, "only GET, HEAD and OPTIONS", (("Allow", METHODS),))
        allowed = (("Allow", METHODS),) if request.method == "OPTIONS" else ()
        if verdict is not None:
            found = verdict(self._snapshot)
            return _text(200 if found.ok else 503, found.why, allowed)
        if details is None:
            return _text(404, "no such page")
        if request.method == "OPTIONS":
            return _text(200, "", allowed)
        return self._refusal(request) or details()

    def _refusal(self, request: Request) -> Answer | None:
        if self.token:
            given = _token(request.headers.get("authorization", ""))
            if hmac.compare_digest(given.encode(), self.token.encode()):
                return None
            self.wrong_tokens += bool(given)
            return _text(401, "this page needs the token", _CHALLENGE)
        if not self.open_to_all:
            return _text(403, "this page needs http.token_file and TLS, or a loopback address")
        # Not another site's name that somebody lets lead to this address in a browser here.
        host = request.headers.get("host", "localhost")
        return None if _is_local(host) else _text(403, "ask for localhost, or by address")

    def _page(self) -> Answer:
        shown = self._snapshot.take()
        if "error" in shown:
            return _text(503, str(shown["error"]))
        return Answer(200, web.page(shown, self._snapshot.clock.wall_time()).encode(), web.KIND, web.HEADERS)

    def _status(self) -> Answer:
        shown = self._snapshot.take()
        if "error" in shown:
            return _text(503, str(shown["error"]))
        return Answer(200, json.dumps(document(shown)).encode() + b"\n", JSON)

    def _metrics(self) -> Answer:
        shown = self._snapshot.take()
        if "error" in shown or self._snapshot.latest is None:
            return _text(503, "starting")
        serves = status.serves(self._snapshot.latest[0], self._snapshot.clock.now())
        return Answer(200, metrics.metrics(shown, serves, self._requests()).encode(), metrics.KIND)


def _text(code: int, words: str, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    return Answer(code, f"{words}\n".encode() if words else b"", headers=headers)


def _token(header: str) -> str:
    """A bearer token, or the password of a browser's Basic; "" when there is none."""
    scheme, _, value = header.strip().partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        with contextlib.suppress(binascii.Error, UnicodeDecodeError, ValueError):
            return base64.b64decode(value.strip(), validate=True).decode().partition(":")[2]
    return ""


def _is_local(host: str) -> bool:
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


class Web:
    """The server with its files: certificate, key and token."""

    def __init__(self, config: Config, snapshot: Snapshot, log: Callable[..., None]) -> None:
        self._http = config.http
        self._log = log
        self._server: HttpServer | None = None
        self._context: ssl.SSLContext | None = None
        self._pages = Pages(snapshot, lambda: self._server.requests if self._server is not None else 0)

    async def run(self) -> None:
        """Serve until cancelled; try again while that is not possible."""
        if not self._http.listen:
            return
        told = ""
        try:
            while True:
                if self._server is None:
                    told = await self._try(told)
                if self._pages.wrong_tokens:
                    self._log("http-token-wrong", level="warning", count=self._pages.wrong_tokens)
                    self._pages.wrong_tokens = 0
                if self._server is not None and self._server.crowded_out:
                    self._log("http-crowded", level="warning", count=self._server.crowded_out)
                    self._server.crowded_out = 0
                await asyncio.sleep(AGAIN_S if self._server is None else SAY_S)
        finally:
            if self._server is not None:
                await self._server.close()

    async def _try(self, told: str) -> str:
        try:
            await self._open()
        except AcmdError as error:
            because, remedy = error.what, error.remedy
        except OSError as error:
            because = (error.strerror or str(error)).lower()
            remedy = "is the address on this host, and the port free? See http.listen"
        else:
            self._log("http-listening", address=self._http.listen, tls=self._context is not None)
            return ""
        if because != told:
            self._log(
                "http-not-listening",
                level="warning",
                address=self._http.listen,
                because=because,
                remedy=remedy,
            )
        return because

    async def _open(self) -> None:
        """Raises OSError, AcmdError."""
        if self._http.certificate_file:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.reload()
        server = HttpServer(*split_listen(self._http.listen), self._pages, self._context)
        await server.start()
        self._server = server

    def reload(self) -> None:
        """Read token, certificate and key anew; connections that are open keep theirs. Raises AcmdError."""
        http = self._http
        token = read_secret(http.token_file) if http.token_file else ""
        if http.token_file and len(token) < SHORTEST_TOKEN:
            raise AcmdError(
                f"the token in {http.token_file} is shorter than {SHORTEST_TOKEN} characters",
                f"openssl rand -hex 32 > {http.token_file}",
            )
        if self._context is not None:
            try:
                self._context.load_cert_chain(http.certificate_file, http.key_file, password="")
            except (OSError, ValueError) as error:  # also what is no certificate, or of another key
                raise AcmdError(
                    f"{http.certificate_file} and {http.key_file} cannot be used: {error}",
                    "write a certificate and its key there, PEM, without a passphrase",
                ) from None
        self._pages.token = token
        self._pages.open_to_all = is_loopback(http.listen) and not http.token_file
