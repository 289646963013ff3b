"""What an OCF resource agent says of itself (its meta-data), and whether parameters fit it. Pure."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field

from acmd.errors import AcmdError

UNITS_S = {"": 1.0, "s": 1.0, "sec": 1.0, "ms": 0.001, "m": 60.0, "min": 60.0, "h": 3600.0, "hr": 3600.0}
TIME = re.compile(r"\s*(\d+)\s*([a-z]*)\s*", re.IGNORECASE)
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
BOOLEANS = {"true", "on", "yes", "y", "1", "false", "off", "no", "n", "0"}
NEEDED = ("start", "stop", "monitor")


class AgentError(AcmdError):
    """The agent, or what was configured for it, cannot be used."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an agent."""

    name: str
    kind: str = "string"
    required: bool = False
    default: str = ""


@dataclass(frozen=True, slots=True)
class Metadata:
    """An agent's parameters and actions. Times in seconds; 0 where the agent names none."""

    name: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    timeouts_s: Mapping[str, float] = field(default_factory=dict)
    monitor_interval_s: float = 0.0

    def problems(self, given: Mapping[str, str]) -> tuple[str, ...]:
        """Everything that is wrong with the parameters, in words; values are not shown."""
        found = [
            f"{self.name} has no parameter {name!r}; it has {', '.join(sorted(self.parameters))}"
            for name in sorted(set(given) - set(self.parameters))
        ]
        for parameter in self.parameters.values():
            value = given.get(parameter.name)
            if value is None:
                if parameter.required and not parameter.default:
                    found.append(f"{self.name} needs the parameter {parameter.name!r}")
            elif parameter.kind == "integer" and not re.fullmatch(r"-?\d+", value):
                found.append(f"{parameter.name!r} of {self.name} must be a whole number")
            elif parameter.kind == "boolean" and value.lower() not in BOOLEANS:
                found.append(f"{parameter.name!r} of {self.name} must be true or false")
        return tuple(found)


def parse(text: str) -> Metadata:
    """Raises AgentError when it is no meta-data of an agent that can be started, stopped and monitored."""
    begin = text.find("<")
    try:
        root = ET.fromstring(text[begin:].strip() if begin >= 0 else "")  # noqa: S314 - a local program that root runs anyway
    except ET.ParseError as error:
        raise AgentError(f"its meta-data is not XML: {error}", _REMEDY) from None
    if root.tag != "resource-agent" or not root.get("name"):
        raise AgentError("its meta-data describes no resource agent", _REMEDY)
    timeouts: dict[str, float] = {}
    interval_s = 0.0
    for action in root.iterfind("./actions/action"):
        name = action.get("name", "")
        name = "monitor" if name == "status" and "monitor" not in timeouts else name
        # An agent may have several monitors (by role or depth): the longest timeout serves for all.
        timeouts[name] = max(timeouts.get(name, 0.0), seconds(action.get("timeout", "")))
        if name == "monitor" and not interval_s:
            interval_s = seconds(action.get("interval", ""))
    missing = [name for name in NEEDED if name not in timeouts]
    if missing:
        raise AgentError(f"its meta-data lacks the actions {', '.join(missing)}", _REMEDY)
    parameters = (_parameter(element) for element in root.iterfind("./parameters/parameter"))
    return Metadata(
        name=str(root.get("name")),
        parameters={parameter.name: parameter for parameter in parameters if NAME.fullmatch(parameter.name)},
        timeouts_s=timeouts,
        monitor_interval_s=interval_s,
    )


_REMEDY = "Call the agent by hand with the argument meta-data, and use one that answers."


def _parameter(element: ET.Element) -> Parameter:
    content = element.find("content")
    attributes = {} if content is None else content.attrib
    return Parameter(
        name=element.get("name", ""),
        kind=attributes.get("type", "string"),
        required=element.get("required", "0") in {"1", "true", "yes"},
        default=attributes.get("default", ""),
    )


def seconds(text: str) -> float:
    """`20`, `20s`, `2min`, `500ms`; 0 for what is none of them."""
    match = TIME.fullmatch(text)
    return float(match[1]) * UNITS_S.get(match[2].lower(), 0.0) if match else 0.0
