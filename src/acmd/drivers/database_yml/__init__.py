"""Rails' database.yml: read the login, and keep `host:` at the active node's address.

The file is a template: ERB (`<%= … %>`) may stand anywhere. It is never evaluated. For parsing,
each tag is replaced by a plain word of the same length; a value that holds such a word is one
that acmd cannot know. Rewriting changes the bytes of one value and no other: ruamel.yaml says
where the value stands, so that comments, quoting, order and line ends stay as they are.

All functions block (local files); none of their errors or objects shows the password.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from acmd.drivers.database_yml.document import Document
from acmd.drivers.database_yml.file import DatabaseYmlError, load, replace

__all__ = ["DatabaseSection", "DatabaseYmlError", "publish", "read"]

IPV6 = re.compile(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
# Without quotes only what no YAML, old or new, takes for a number, a truth value or nothing at all.
PLAIN = re.compile(r"\d+\.\d+\.\d+\.\d+|[A-Za-z][A-Za-z0-9-]*(\.[A-Za-z0-9-]+)*")
NO_TEXT = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
STRING = "tag:yaml.org,2002:str"
CORRECT = "Correct the file."


@dataclass(frozen=True, slots=True)
class DatabaseSection:
    """One environment of the file. What is empty is not there, or computed by ERB (then named in `erb`)."""

    file: str
    section: str
    host: str = ""
    port: int | None = None
    socket: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    database: str = ""
    erb: frozenset[str] = frozenset()


def read(file: str, section: str) -> DatabaseSection:
    """What the file's section says, merges (`<<: *default`) included. Raises DatabaseYmlError."""
    text, _ = load(file)
    parsed = Document(file, text, section)
    values: dict[str, str] = {}
    erb: set[str] = set()
    for key in ("host", "port", "socket", "username", "password", "database"):
        node = parsed.find(key)
        if node is None:
            continue
        original = parsed.original(node)
        if "<%" in original:
            erb.add("user" if key == "username" else key)
        elif node.tag != "tag:yaml.org,2002:null":
            values[key] = str(node.value)
    port = values.get("port", "")
    if port and not (port.isdigit() and 0 < int(port) < 65536):
        raise DatabaseYmlError(
            f"{file}: port of section {section!r} is {port!r}, which is no port number", CORRECT
        )
    return DatabaseSection(
        file=file,
        section=section,
        host=values.get("host", ""),
        port=int(port) if port else None,
        socket=values.get("socket", ""),
        user=values.get("username", ""),
        password=values.get("password", ""),
        database=values.get("database", ""),
        erb=frozenset(erb),
    )


def publish(file: str, section: str, host: str) -> bool:
    """Put `host` into the section, atomically. True when the file changed, False when it said so already.

    Mode, owner and extended attributes are kept; a symbolic link stays one, and what it leads to
    is replaced. A host that ERB computes is left alone and is an error, as is a section that has
    its host only by a merge of another one: acmd then adds no key of its own.
    Raises DatabaseYmlError; nothing was changed then.
    """
    if not NAME.fullmatch(host) and not IPV6.fullmatch(host):
        raise DatabaseYmlError(f"{host!r} is no address for {file}", "Correct this node's address.")
    text, where = load(file)
    parsed = Document(file, text, section)
    node = parsed.own("host")
    if node is None:
        there = "only by a merge (<<) of another section" if parsed.find("host") is not None else "not there"
        raise DatabaseYmlError(
            f"{file}: `host` of section {section!r} is {there}",
            "Write a `host:` line into that section once.",
        )
    original = parsed.original(node)
    if "<%" in original:
        raise DatabaseYmlError(
            f"{file}: `host` of section {section!r} is computed by ERB",
            "Write a plain value there, or turn publishing off.",
        )
    if node.tag == STRING and str(node.value) == host:
        return False
    if original[:1] in {"&", "*", "!", "|", ">"} or node.start_mark.index < parsed.after_key("host"):
        raise DatabaseYmlError(
            f"{file}: `host` of section {section!r} is no plain value of its own",
            "Write a plain value there, without anchor, alias or tag.",
        )
    if original:
        start, end = node.start_mark.index, node.end_mark.index
        changed = text[:start] + _quoted(host, original) + text[end:]
    else:
        colon = text.index(":", parsed.after_key("host")) + 1
        changed = f"{text[:colon]} {_quoted(host, original)}{text[colon:]}"
    _verify(file, section, changed, parsed, host)
    replace(where, changed)
    return True


def _verify(file: str, section: str, changed: str, before: Document, host: str) -> None:
    """Refuse to write what does not read back as meant: the value changed, and nothing else."""
    after = Document(file, changed, section)
    node = after.own("host")
    same = node is not None and node.tag == STRING and str(node.value) == host
    if not same or after.shape(node) != before.shape(before.own("host")):
        raise DatabaseYmlError(
            f"{file}: the new `host` of section {section!r} would not read back as written",
            "Simplify how that line is written.",
        )


def _quoted(host: str, original: str) -> str:
    """The value in the quotes that the old one had, or in some where it needs them."""
    if original[:1] in {'"', "'"}:
        return f"{original[0]}{host}{original[0]}"
    plain = PLAIN.fullmatch(host) is not None and host.lower() not in NO_TEXT
    return host if plain else f'"{host}"'
