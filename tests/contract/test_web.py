"""`daemon.web`: who may see what over HTTP, and that no request changes anything."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acmd.core.state import Role
from acmd.daemon.web import Pages, Web
from acmd.display.metrics import METRICS
from acmd.display.schema import Status
from acmd.drivers.http import Request
from acmd.errors import AcmdError
from tests.contract.http_kit import served
from tests.fakes.clock import FakeClock
from tests.tasks.console_kit import Desk
from tests.tasks.kit import Log
from tests.unit.configs import loaded

TOKEN = "0123456789abcdef-secret"
HEALTH = ("/active", "/passive", "/node", "/health", "/ready")
DETAILS = ("/", "/status", "/metrics")


def pages(*, token: str = "", open_to_all: bool = False, role: Role = Role.ACTIVE) -> Pages:
    """Of an active node without peers."""
    desk = Desk(FakeClock())
    desk.show(desk.state(role))
    made = Pages(desk.snapshot, lambda: 5)
    made.token, made.open_to_all = token, open_to_all
    return made


def ask(made: Pages, path: str, method: str = "GET", **headers: str) -> int:
    """The status of the answer."""
    return made(Request(method, path, headers)).status


def test_health_is_for_everybody() -> None:
    """200 or 503 without a token, by GET, HEAD and OPTIONS alike; the text is a word or a few."""
    made = pages()
    for method in ("GET", "HEAD", "OPTIONS"):
        assert [ask(made, path, method) for path in HEALTH] == [200, 503, 200, 200, 200]
    assert made(Request("GET", "/active")).body == b"active\n"


@pytest.mark.parametrize("path", DETAILS)
def test_details_need_the_token(path: str) -> None:
    """No token, a wrong one, or none configured: refused; bearer, or a browser's password: shown."""
    made = pages(token=TOKEN)
    basic = base64.b64encode(f"anyone:{TOKEN}".encode()).decode()
    assert ask(made, path) == 401
    assert made.wrong_tokens == 0
    for wrong in (
        "Bearer wrong",
        "Basic !!",
        "Basic /w==",
        f"Digest {TOKEN}",
        f"Bearer {TOKEN}x",
        TOKEN,
        "Bearer é",
    ):
        assert ask(made, path, authorization=wrong) == 401
    assert ask(made, path, authorization=f"Bearer {TOKEN}") == 200
    assert ask(made, path, authorization=f"basic {basic}") == 200
    assert ask(pages(), path, authorization="Bearer ") == 403
    assert made.wrong_tokens > 0


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8808", 200),
        ("127.0.0.1:8808", 200),
        ("[::1]:8808", 200),
        ("[::1]", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example:80", 403),
        ("192.0.2.1", 403),
        ("", 403),
    ],
)
def test_loopback_without_a_token(host: str, status: int) -> None:
    """Open to this host's users, but not to another site in their browsers that leads its name here."""
    assert ask(pages(open_to_all=True), "/status", host=host) == status


def test_nothing_can_be_changed() -> None:
    """No other method is known, no other page is there."""
    made = pages(open_to_all=True)
    for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "get", ""):
        assert {ask(made, path, method) for path in (*HEALTH, *DETAILS, "/switchover")} == {405}
    for path in ("/switchover", "//", "/status/", "/../status", "*", ""):
        assert ask(made, path) == 404


@settings(max_examples=200)
@given(st.text(max_size=30), st.text(max_size=60), st.text(max_size=30))
def test_fuzz(path: str, authorization: str, host: str) -> None:
    """Whatever is asked without the token: a refusal or health, never a page of details."""
    made = pages(token=TOKEN)
    for asked in (path, *DETAILS):
        answer = made(Request("GET", asked, {"authorization": authorization, "host": host}))
        assert answer.status in {200, 401, 404, 503}
        assert answer.status != 200 or asked in HEALTH


def test_what_the_pages_hold() -> None:
    """JSON as the schema says, every metric with help and type, HTML that takes nothing from elsewhere."""
    made = pages(open_to_all=True)
    Status.model_validate(json.loads(made(Request("GET", "/status")).body))
    lines = made(Request("GET", "/metrics")).body.decode().splitlines()
    told = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    assert told <= set(METRICS)
    assert 'acmd_role{role="active"} 1' in lines
    assert "acmd_active 1" in lines
    assert "acmd_http_requests_total 5" in lines
    answer = made(Request("GET", "/"))
    page = answer.body.decode()
    assert "default-src 'none'" in dict(answer.headers)["Content-Security-Policy"]
    assert not [
        word for word in ("src=", "href=", "http", "<script", "style=", "@import", "url(") if word in page
    ]


def test_names_are_escaped() -> None:
    """A name that another node made up is text on the page and in the metrics."""
    desk = Desk(FakeClock())
    desk.show(desk.state(Role.ACTIVE))
    evil = '<script>"x"\n'
    desk.snapshot.about = replace(desk.snapshot.about, cluster=evil)
    made = Pages(desk.snapshot, lambda: 0)
    made.open_to_all = True
    assert b"<script>" not in made(Request("GET", "/")).body
    assert b'cluster="<script>\\"x\\"\\n"' in made(Request("GET", "/metrics")).body


def certificate(directory: Path) -> tuple[Path, Path]:
    """One for localhost, made by openssl."""
    crt, key = directory / "c.pem", directory / "k.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", crt],
        check=True, capture_output=True,
    )  # fmt: skip
    return crt, key


def web(directory: Path, http: str, log: Callable[..., None]) -> Web:
    """Of a configuration."""
    desk = Desk(FakeClock())
    desk.show(desk.state(Role.ACTIVE))
    config = loaded(f'[run]\nrun_dir = "{directory}/run"\n[http]\n{http}').config
    return Web(config, desk.snapshot, log)


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    """A short token, an open file, a missing one: each is one message with its remedy."""
    token = tmp_path / "token"
    token.write_text("short\n")
    token.chmod(0o600)
    made = web(tmp_path, f'listen = "127.0.0.1:1"\ntoken_file = "{token}"', Log())
    with pytest.raises(AcmdError, match="shorter than 16 characters"):
        made.reload()
    token.write_text(f"{TOKEN}\n")
    made.reload()
    token.chmod(0o644)
    with pytest.raises(AcmdError, match="others than root can read"):
        made.reload()
    token.unlink()
    with pytest.raises(AcmdError, match="cannot be read"):
        made.reload()


@pytest.mark.asyncio
async def test_an_address_that_is_taken(tmp_path: Path) -> None:
    """Said once with its remedy; the daemon goes on without HTTP."""
    async with served(pages()) as http:
        log = Log()
        made = web(tmp_path, f'listen = "127.0.0.1:{http.server.port()}"', log)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(made.run(), 0.5)
        assert log.count("http-not-listening") == 1
        assert log.last("http-not-listening")["level"] == "warning"


@pytest.mark.asyncio
async def test_tls(tmp_path: Path) -> None:
    """With a certificate TLS is spoken, and nothing else; plain HTTP gets no answer."""
    crt, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    client = ssl.create_default_context(cafile=str(crt))
    async with served(pages(token=TOKEN), context) as http:
        assert (await http.get("/active", tls=client)).status == 200
        assert (await http.get("/status", tls=client)).status == 401
        shown = await http.get("/status", "GET", f"Authorization: Bearer {TOKEN}", tls=client)
        assert shown.status == 200
        assert b"HTTP/1.1" not in await http.raw(b"GET /active HTTP/1.0\r\n\r\n")
        http.complaints.clear()  # the loop tells of a handshake that failed; nobody is harmed
