"""`config.secret`: what is taken out of texts for other people's eyes, and what stays."""

from __future__ import annotations

import pytest

from acmd.config.secret import in_text, scrubbed

TOLD = [
    'DATABASE_URL="mysql://u:s3cret@h/db"',
    "http://u:s3cret@h/",
    'command = ["curl", "-H", "Authorization: Bearer s3cret", "https://h/"]',
    'command = ["curl", "https://hooks.example.com/services/T0/B0/s3cret"]',
    'command = ["/usr/bin/mysqladmin", "-ps3cret", "ping"]',
    "ExecStart={ path=/x ; argv[]=/x --password=s3cret --port 3306 ; }",
    "ExecStart=/x --api-key s3cret -v",
    "MYSQL_PWD=s3cret",
    "Environment=X_TOKEN=s3cret",
    "2026-11-28 acmd[7]: WARN x db_password='s3cret' node=a",
    'password = "s3cret words"',
]
KEPT = [
    'password_file = "/etc/acmd/password"',
    "role='passive' was='starting' reason='following'",
    "a passive node passes the lease on; -p 8080",
    "ExecStart=/usr/sbin/mariadbd --pid-file=/run/m.pid -p 3306",
    "http://127.0.0.1:8443/health",
    "WARN token ring is no secret here",
    "/var/lib/acmd/epoch 12",
]


@pytest.mark.parametrize("text", TOLD)
def test_what_looks_like_a_secret_goes(text: str) -> None:
    """By the name before it, in an address, after `Bearer`, glued to `-p`."""
    assert "s3cret" not in scrubbed(text)
    assert "********" in scrubbed(text)


@pytest.mark.parametrize("text", KEPT)
def test_everything_else_stays(text: str) -> None:
    """A report that says nothing helps nobody."""
    assert scrubbed(text) == text


def test_scrubbing_twice_changes_nothing() -> None:
    """Parts of a report are made of texts that were scrubbed before."""
    for text in (*TOLD, *KEPT):
        assert scrubbed(scrubbed(text)) == scrubbed(text)
        assert in_text(in_text(text)) == in_text(text)
