"""Manuals out of the schema: the commented file, the reference page, the JSON Schema."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from acmd.config.agreement import RELOADABLE
from acmd.config.model import TIMING_KEYS
from acmd.config.presets import PRESETS
from acmd.config.problems import toml
from acmd.config.resolve import profile_values
from acmd.config.schema import Document
from acmd.config.schema_hooks import HookTable
from acmd.config.schema_probes import PROBE_KINDS, CommonProbe
from acmd.config.schema_services import KINDS, CommandTable, CommonTable, RestartTable
from acmd.core.timing import PROFILES

_WIDTH = 100
_TYPES = {
    "string": "string",
    "number": "number",
    "integer": "whole number",
    "boolean": "true or false",
    "object": "table of strings",
}
_SERVICES = "The services, each in a table of its own, beside those that `services` names."
_EXAMPLES = {"systemd": "site", "sysv": "legacy", "ocf": "address"}  # names of services in the file

_INTRODUCTION = """\
acmd reads one TOML file: the one named with `--config`, else the one in the environment variable
`ACMD_CONFIG`, else `/etc/acmd/acmd.toml`. Every option has a default, except in services; an empty file
is a valid one. For Aspera Orchestrator this is a whole file, the same on both nodes but for the address:

    services = ["APACHE", "ORCHESTRATOR", "MYSQL"]

    [cluster]
    directory = "/opt/aspera/acm/acmd"

    [node]
    address = "192.0.2.11"

Unknown options, wrong types and values that contradict one another are refused, all at
once, with file, line, value and what to do. Durations are in seconds, with fractions where you like.

- `acmd config check` says whether the configuration and the cluster's directory are as they should be.
- `acmd config show` prints every value that holds and where it comes from.
- `acmd config defaults` prints a file with every option in a comment.
- `acmd config schema` prints a JSON Schema of the file.

No password ever stands in the file: they are read from database.yml, or from files that the options name,
which only root may read.

Options marked *on reload* take effect with `systemctl reload acmd` (SIGHUP), all at once. Every other
change is named in the log (`reload-needs-restart`) and waits for `systemctl restart acmd`, which restarts no
service. A file with a mistake is refused as a whole (`reload-refused`): what held before holds on."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option as manuals show it."""

    key: str
    type: str
    default: str  # as TOML, or in words when it is computed; empty when there is none
    line: str  # a line for the file: the default, or an example
    description: str
    required: bool
    reloadable: bool


def _sections() -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in Document.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            yield name, section


def _options(model: type[BaseModel], pattern: str) -> list[Option]:
    properties = model.model_json_schema()["properties"]
    return [
        _option(key, field, properties[key], f"{pattern}.{key}")
        for key, field in model.model_fields.items()
        if "$ref" not in properties[key] and not {"oneOf", "$ref"} & properties[key].get("items", {}).keys()
    ]


def _own_options(model: type[BaseModel], common: type[BaseModel], pattern: str) -> list[Option]:
    """The options of one kind that not every kind has, or not with that default."""
    shared = {option.key: option.default for option in _options(common, pattern)}
    return [
        option
        for option in _options(model, pattern)
        if option.key != "kind" and (option.key not in shared or shared[option.key] != option.default)
    ]


def _option(key: str, field: FieldInfo, described: dict[str, Any], pattern: str) -> Option:
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    computed = str(extra.get("computed", ""))
    required = field.is_required()
    default = None if required else field.get_default(call_default_factory=True)
    example = (field.examples or [default])[0]
    return Option(
        key=key,
        type=_type(described),
        default="" if required else computed or f"`{toml(default)}`",
        line=f"{key} = {toml(example if required or default is None or key == 'services' else default)}",
        description=field.description or "",
        required=required,
        reloadable=pattern in RELOADABLE,
    )


def _type(described: dict[str, Any]) -> str:
    kinds = [item for item in described.get("anyOf", [described]) if item.get("type") != "null"]
    return " or ".join(dict.fromkeys(_one_type(kind) for kind in kinds))


def _one_type(plain: dict[str, Any]) -> str:
    if "enum" in plain:
        return " or ".join(f"`{toml(value)}`" for value in plain["enum"])
    if "const" in plain:
        return f"`{toml(plain['const'])}`"
    if plain["type"] == "array":
        return f"list of {_TYPES[plain['items']['type']]}s"
    limits = [
        f"{word} {plain[limit]:g}"
        for limit, word in (("minimum", "at least"), ("maximum", "at most"))
        if limit in plain
    ]
    return ", ".join([_TYPES[plain["type"]], *limits])


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def _doc(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def commented_file() -> str:
    """Every option with its description and default, commented out: means the same as an empty file."""
    lines = [
        "# Configuration of acmd, in TOML. Generated from the schema; `acmd config defaults` prints it anew.",
        "# Lines that begin with '#' and no space are options with their defaults, or with an example where",
        "# there is none. `acmd config check` looks at your changes, `acmd config show` says what holds.",
    ]
    for option in _options(Document, ""):
        # An example: the only option of which everybody needs another value than the default.
        lines += ["", "", *_comment(option.description), f"#{option.line}"]
    for name, section in _sections():
        lines += ["", "", *_comment(_doc(section)), f"[{name}]"]
        lines += _lines(_options(section, name))
    lines += ["", "", *_comment(_SERVICES), *_comment(f"Kind command: {_doc(CommandTable)}"), "#[[service]]"]
    lines += _lines(_options(CommandTable, "service[]"))
    lines += ["", *_comment(_doc(RestartTable)), "#[service.restart]"]
    lines += _lines(_options(RestartTable, "service[].restart"))
    lines += ["", *_comment(f"Probes of the service. {_doc(CommonProbe)}")]
    first = True
    for kind, probe in PROBE_KINDS.items():
        own = _options(probe, "") if first else _own_options(probe, CommonProbe, "")
        lines += ["", *_comment(f"Kind {kind}: {_doc(probe)}"), "#[[service.probe]]"]
        lines += _lines(own) if first else [f'#kind = "{kind}"', *_lines(own)]
        first = False
    for kind, name in _EXAMPLES.items():
        lines += ["", "", *_comment(f"Kind {kind}: {_doc(KINDS[kind])}")]
        lines += ["#[[service]]", f'#name = "{name}"', f'#kind = "{kind}"']
        lines += _lines(_own_options(KINDS[kind], CommonTable, "service[]"))
    lines += ["", "", *_comment(_doc(HookTable)), "#[[hook]]", *_lines(_options(HookTable, "hook[]"))]
    return "\n".join(lines) + "\n"


def _lines(options: list[Option]) -> list[str]:
    return [line for option in options for line in ("", *_comment(_told(option)), f"#{option.line}")]


def _told(option: Option) -> str:
    """The description, with the default in words where the line below shows an example instead."""
    if option.required:
        return f"{option.description} Required."
    return (
        option.description
        if option.default.startswith("`")
        else f"{option.description} Default: {option.default}."
    )


def reference_page() -> str:
    """The reference manual of the configuration in Markdown."""
    lines = [
        "# Configuration",
        "",
        "Generated from the schema by `python -m acmd.config.generate`; a test holds that it is up to date.",
        "",
        *_INTRODUCTION.splitlines(),
    ]
    lines += ["", "## At the top of the file", ""]
    lines += [_item(option) for option in _options(Document, "")]
    lines += ["", *_presets()]
    for name, section in _sections():
        lines += ["", f"## [{name}]", "", _wrap(_doc(section)), ""]
        lines += [_item(option) for option in _options(section, name)]
        if name == "timing":
            lines += ["", *_profiles()]
    lines += ["", "## [[service]]", "", _wrap(f"{_SERVICES} Every kind has these:"), ""]
    lines += [_item(option) for option in _options(CommonTable, "service[]") if option.key != "kind"]
    for kind, service in KINDS.items():
        lines += ["", f'### kind = "{kind}"', "", _wrap(_doc(service)), ""]
        lines += [_item(option) for option in _own_options(service, CommonTable, "service[]")]
    lines += ["", "### [service.restart]", "", _wrap(_doc(RestartTable)), ""]
    lines += [_item(option) for option in _options(RestartTable, "service[].restart")]
    lines += ["", "### [[service.probe]]", "", _wrap(f"{_doc(CommonProbe)} Every kind has these:"), ""]
    lines += [_item(option) for option in _options(CommonProbe, "") if option.key != "kind"]
    for kind, probe in PROBE_KINDS.items():
        lines += ["", f'#### Probes of kind = "{kind}"', "", _wrap(_doc(probe)), ""]
        lines += [_item(option) for option in _own_options(probe, CommonProbe, "")]
    lines += ["", "## [[hook]]", "", _wrap(_doc(HookTable)), ""]
    lines += [_item(option) for option in _options(HookTable, "hook[]")]
    return "\n".join(lines) + "\n"


def _presets() -> list[str]:
    lines = [_wrap("The presets. Values that are not here have the defaults of [[service]].")]
    for name, values in PRESETS.items():
        lines += ["", f"**{name}**", "", "```toml"]
        lines += [f"{key} = {toml(value)}" for key, value in values.items() if key != "probe"]
        for probe in values.get("probe", []):
            lines += ["[[service.probe]]", *(f"{key} = {toml(value)}" for key, value in probe.items())]
        lines.append("```")
    return lines


def _item(option: Option) -> str:
    about = [option.type, "required" if option.required else f"default: {option.default}"]
    if option.reloadable:
        about.append("*on reload*")
    return _wrap(f"- **`{option.key}`** ({'; '.join(about)}): {option.description}", "  ")


def _wrap(text: str, indent: str = "") -> str:
    return "\n".join(
        textwrap.wrap(text, 118, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)
    )


def _profiles() -> list[str]:
    rows = {profile: profile_values(profile) for profile in PROFILES}
    return [
        "The profiles:",
        "",
        f"| | {' | '.join(rows)} |",
        "| --- |" + " --- |" * len(rows),
        *(
            f"| `{key}` | {' | '.join(toml(float(row[key])) for row in rows.values())} |"
            for key in TIMING_KEYS
        ),
    ]


def json_schema() -> str:
    """The JSON Schema of the file, for editors."""
    return json.dumps(Document.model_json_schema(), indent=2) + "\n"
