"""What can be wrong between the values of `[http]`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from acmd.config.model_http import is_loopback
from acmd.config.presets import Mistake


def http_mistakes(tree: Mapping[str, Any]) -> Iterator[Mistake]:
    """Half a pair of certificate and key, and a token that would cross a network in the clear."""
    http = tree["http"]
    certificate, key = http["certificate_file"], http["key_file"]
    if bool(certificate) != bool(key):
        missing = "key_file" if certificate else "certificate_file"
        yield (("http", missing), "certificate and key belong together", f"set http.{missing}")
    listen = http["listen"]
    if listen and http["token_file"] and not certificate and not is_loopback(listen):
        yield (
            ("http", "token_file"),
            f"the token would cross the network to {listen} in the clear",
            "set http.certificate_file and http.key_file, or listen on a loopback address",
        )
