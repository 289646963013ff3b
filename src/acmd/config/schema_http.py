"""The schema of `[http]`: health for load balancers, metrics, and the status page."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel

from acmd.config.model_http import split_listen
from acmd.config.schema_probes import RULES
from acmd.config.values import AbsolutePathOrNothing, option


def _listen(value: str) -> str:
    if value:
        host, port = split_listen(value)
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return value


ListenOrNothing = Annotated[str, AfterValidator(_listen)]


class HttpSection(BaseModel):
    """Health endpoints for load balancers, metrics for Prometheus, and a status page; see docs/http.md."""

    model_config = RULES

    listen: ListenOrNothing = option(
        "",
        "Address and port. Empty: off. On a loopback address all is served to every user of this host; "
        "on any other only health, and the rest with a certificate and a token.",
        example="127.0.0.1:8808",
    )
    certificate_file: AbsolutePathOrNothing = option(
        "",
        "Certificate with its chain, PEM. With it, TLS is spoken. SIGHUP reads it anew.",
        example="/etc/acmd/http.crt",
    )
    key_file: AbsolutePathOrNothing = option(
        "", "Its private key, PEM, for root alone.", example="/etc/acmd/http.key"
    )
    token_file: AbsolutePathOrNothing = option(
        "",
        "File whose first line is the token for all beyond health, for root alone, 16 characters or more: "
        "sent as bearer token, or as the password that a browser asks for. SIGHUP reads it anew.",
        example="/etc/acmd/http.token",
    )
