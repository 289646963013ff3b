"""The types of single values: names, absolute paths, durations, arguments; each refuses in plain words."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue

from acmd.config.model_services import EVERYWHERE

NAME_PATTERN = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
NAME_LENGTH = 32
PATH_LENGTH = 4095
LONGEST_S = 86_400
OWN_UNITS = ("acmd.service", "acmd-guard.service")
_OTHER_UNITS = ("socket", "target", "timer", "mount", "automount", "path", "slice", "scope", "device", "swap")
_RESERVED_VARIABLES = ("ACMD_", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


def check_name(value: str) -> str:
    """The value, if it can name a node, cluster or service. Raises ValueError, saying why not."""
    if not value:
        raise ValueError("must not be empty")
    if len(value) > NAME_LENGTH:
        raise ValueError(
            f"is {len(value)} characters long, but at most {NAME_LENGTH} fit into a lease record"
        )
    if not re.fullmatch(NAME_PATTERN, value):
        raise ValueError(
            "may hold only letters, digits, '.', '_' and '-', and must not begin with '.' or '-'"
        )
    return value


def _path(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError("must be an absolute path, beginning with '/'")
    if "\0" in value or "\n" in value:
        raise ValueError("must not hold a line break or a zero byte")
    if ".." in value.split("/"):
        raise ValueError("must not hold '..'")
    if len(value.encode()) > PATH_LENGTH:
        raise ValueError(f"is longer than {PATH_LENGTH} bytes")
    return value if value == "/" else re.sub(r"/+", "/", value).rstrip("/")


def _path_or_nothing(value: str) -> str:
    return _path(value) if value else value


def _address_or_nothing(value: str) -> str:
    if not value:
        return value
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError("must be an IPv4 or IPv6 address, not a name, and without a prefix length") from None


def _name_or_nothing(value: str) -> str:
    return check_name(value) if value else value


def _argument(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not hold a zero byte")
    return value


def _argv(value: list[str]) -> list[str]:
    if not value:
        raise ValueError("must name a program")
    try:
        _path(value[0])
    except ValueError as error:
        raise ValueError(f"the program (its first element) {error}") from None
    return value


def _argv_or_nothing(value: list[str]) -> list[str]:
    return _argv(value) if value else value


def _environment(value: dict[str, str]) -> dict[str, str]:
    for name in value:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError(f"{name!r} cannot be the name of an environment variable")
        if name.startswith(_RESERVED_VARIABLES):
            raise ValueError(f"{name} belongs to acmd and cannot be set for a service")
    return value


def unit_name(value: str) -> str:
    """The whole name of a unit of kind service. Raises ValueError, saying why it is none."""
    if not re.fullmatch(r"[A-Za-z0-9:_.\\@-]+", value):
        raise ValueError("cannot be the name of a unit: letters, digits and ':_.\\@-' make one, no path")
    stem, dot, kind = value.rpartition(".")
    if dot and kind in _OTHER_UNITS:
        raise ValueError(f"is a unit of kind {kind}; acmd keeps units of kind service")
    whole = value if kind == "service" and dot else f"{value}.service"
    stem = whole.removesuffix(".service")
    if not stem or stem.endswith("@"):
        raise ValueError("is a template: name an instance of it, as in name@instance.service")
    if len(whole) > 255:
        raise ValueError("is longer than 255 characters")
    if whole in OWN_UNITS:
        raise ValueError("is acmd itself")
    return whole


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _some(value: list[str]) -> list[str]:
    if not value:
        raise ValueError("must name a unit")
    return value


def _script(value: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", value):
        return f"/etc/init.d/{value}"
    return _path(value)


def _agent(value: str) -> str:
    if not re.fullmatch(r"ocf:[A-Za-z0-9_-][A-Za-z0-9_.-]*:[A-Za-z0-9_-][A-Za-z0-9_.-]*", value):
        raise ValueError("is no name of a resource agent, which is written ocf:PROVIDER:TYPE")
    return value


def _host(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        if re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?", value) and len(value) <= 253:
            return value
    raise ValueError("must be an IP address or a host's name")


def _web_path(value: str) -> str:
    if not re.fullmatch(r"/[!-~]*", value):
        raise ValueError("must begin with '/' and hold only printable ASCII characters without spaces")
    return value


def _one_line(value: str) -> str:
    if any(ord(character) < 32 for character in value):
        raise ValueError("must not hold a line break, nor another control character")
    return value


def _parameters(value: dict[str, str]) -> dict[str, str]:
    for name in value:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError(f"{name!r} cannot be the name of a parameter")
    return value


def _fence_parameters(value: dict[str, str]) -> dict[str, str]:
    for key in value:
        node, _, name = key.rpartition(":")
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", name) or (":" in key and not node):
            raise ValueError(f"{key!r} is neither the name of a parameter nor NODE:PARAMETER")
        if node:
            check_name(node)
        if name in {"action", "nodename"}:
            raise ValueError(f"{key!r} is given to the agent by acmd itself")
    return value


Name = Annotated[
    str,
    AfterValidator(check_name),
    Field(json_schema_extra={"pattern": f"^{NAME_PATTERN}$", "minLength": 1, "maxLength": NAME_LENGTH}),
]
NameOrNothing = Annotated[str, AfterValidator(_name_or_nothing)]
AbsolutePath = Annotated[str, AfterValidator(_path), Field(json_schema_extra={"pattern": "^/"})]
AbsolutePathOrNothing = Annotated[
    str, AfterValidator(_path_or_nothing), Field(json_schema_extra={"pattern": "^(/.*)?$"})
]
DataPlace = Annotated[
    str,
    AfterValidator(lambda value: value if value == EVERYWHERE else _path(value)),
    Field(json_schema_extra={"pattern": r"^(/.*|\*)$"}),
]
AddressOrNothing = Annotated[str, AfterValidator(_address_or_nothing)]
Argument = Annotated[str, AfterValidator(_argument)]
Command = Annotated[list[Argument], AfterValidator(_argv), Field(max_length=256)]
CommandOrNothing = Annotated[list[Argument], AfterValidator(_argv_or_nothing), Field(max_length=256)]
Environment = Annotated[dict[str, Argument], AfterValidator(_environment)]
UnitName = Annotated[str, AfterValidator(unit_name)]
Units = Annotated[
    list[UnitName],
    BeforeValidator(_one_or_more, json_schema_input_type=str | list[str]),
    AfterValidator(_some),
    Field(max_length=16),
]
Script = Annotated[str, AfterValidator(_script)]
Agent = Annotated[str, AfterValidator(_agent), Field(json_schema_extra={"pattern": "^ocf:.+:.+$"})]
Host = Annotated[str, AfterValidator(_host)]
WebPath = Annotated[str, AfterValidator(_web_path), Field(json_schema_extra={"pattern": "^/"})]
Line = Annotated[str, AfterValidator(_one_line)]
Parameters = Annotated[dict[str, Argument], AfterValidator(_parameters)]
ParameterFiles = Annotated[dict[str, AbsolutePath], AfterValidator(_parameters)]
FenceParameters = Annotated[dict[str, Line], AfterValidator(_fence_parameters)]
FenceParameterFiles = Annotated[dict[str, AbsolutePath], AfterValidator(_fence_parameters)]
Port = Annotated[int, Field(ge=1, le=65535)]
PortOrZero = Annotated[int, Field(ge=0, le=65535)]
Count = Annotated[int, Field(ge=1, le=1000)]
Duration = Annotated[float, Field(ge=0.001, le=LONGEST_S, allow_inf_nan=False)]
DurationOrZero = Annotated[float, Field(ge=0, le=LONGEST_S, allow_inf_nan=False)]
Interval = Annotated[float, Field(ge=1, le=LONGEST_S, allow_inf_nan=False)]


def option(
    default: Any = ...,
    description: str = "",
    *,
    computed: str = "",
    example: Any = None,
) -> Any:
    """A field of the schema. `computed` says where a default of None comes from; `example` is for manuals."""
    extra: dict[str, JsonValue] | None = {"computed": computed} if computed else None
    examples = None if example is None else [example]
    if isinstance(default, (list, dict)):
        return Field(default_factory=default.copy, description=description, examples=examples)
    return Field(default=default, description=description, examples=examples, json_schema_extra=extra)
