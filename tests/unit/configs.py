"""A made-up host, and shortcuts for loading configurations on it."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from acmd.config.host import HostFacts
from acmd.config.load import Loaded, understand
from acmd.config.problems import ConfigRefused

FILE = "acmd.toml"
HOST = HostFacts(
    hostname="node-a.example.net",
    addresses=frozenset({"127.0.0.1", "192.0.2.11", "2001:db8::11"}),
    has_user=lambda name: name in {"root", "www-data"},
    lstat=os.lstat,
    realpath=os.path.realpath,
)


def loaded(text: str, hostname: str = HOST.hostname) -> Loaded:
    """The configuration that a text stands for on the made-up host."""
    return understand(FILE, text, host=replace(HOST, hostname=hostname))


def refusal(text: str, hostname: str = HOST.hostname) -> list[str]:
    """The lines that refuse a text."""
    with pytest.raises(ConfigRefused) as caught:
        loaded(text, hostname)
    return [problem.text(FILE) for problem in caught.value.problems]
