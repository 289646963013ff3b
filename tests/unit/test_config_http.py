"""`[http]`: addresses that can be listened on, pairs that belong together, no token in the clear."""

from __future__ import annotations

import pytest

from acmd.config.model_http import is_loopback, split_listen
from tests.unit.configs import loaded, refusal


@pytest.mark.parametrize(
    ("listen", "host", "port", "loopback"),
    [
        ("127.0.0.1:8808", "127.0.0.1", 8808, True),
        ("[::1]:80", "::1", 80, True),
        ("0.0.0.0:65535", "0.0.0.0", 65535, False),
        ("[2001:DB8::1]:1", "2001:db8::1", 1, False),
    ],
)
def test_addresses(listen: str, host: str, port: int, loopback: bool) -> None:
    """IPv4, and IPv6 in brackets; a loopback address is known as such."""
    assert split_listen(listen) == (host, port)
    assert is_loopback(listen) is loopback


@pytest.mark.parametrize(
    ("listen", "words"),
    [
        ("8808", "must be ADDRESS:PORT"),
        ("127.0.0.1:", "must be ADDRESS:PORT"),
        ("127.0.0.1:0", "must be ADDRESS:PORT"),
        ("127.0.0.1:65536", "must be ADDRESS:PORT"),
        ("127.0.0.1:99999999999", "must be ADDRESS:PORT"),
        ("::1:8808", "in brackets"),
        ("localhost:80", "must begin with an IP address, not a name"),
        (":80", "must begin with an IP address"),
    ],
)
def test_what_is_no_address(listen: str, words: str) -> None:
    """Refused with the key and what belongs there."""
    said = " ".join(refusal(f'[http]\nlisten = "{listen}"'))
    assert "http.listen" in said
    assert words in said


def test_certificate_and_key_belong_together() -> None:
    """One without the other is a mistake that names the missing one."""
    said = " ".join(refusal('[http]\ncertificate_file = "/etc/acmd/c"'))
    assert "http.key_file" in said
    assert "certificate and key belong together" in said


def test_no_token_in_the_clear() -> None:
    """A token without TLS is for loopback only."""
    said = " ".join(refusal('[http]\nlisten = "192.0.2.1:80"\ntoken_file = "/etc/acmd/t"'))
    assert "the token would cross the network to 192.0.2.1:80 in the clear" in said
    found = loaded('[http]\nlisten = "127.0.0.1:80"\ntoken_file = "/etc/acmd/t"').config
    assert found.http.token_file == "/etc/acmd/t"


def test_off_by_default() -> None:
    """Nobody listens unless told to."""
    assert loaded("").config.http.listen == ""
