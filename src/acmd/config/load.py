"""Loading the configuration: the whole way from a file to plain values, or one clear refusal.

Nothing here touches shared storage, so that loading cannot hang: whether the cluster's directory
is what it should be is asked by `directory.examine`, from a process that can be abandoned.
"""

from __future__ import annotations

import codecs
import errno
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from pydantic import ValidationError

from acmd.config.host import HostFacts
from acmd.config.model import Config, build
from acmd.config.positions import Path, line_of, positions
from acmd.config.presets import Mistake, expand
from acmd.config.problems import ConfigRefused, Problem, dotted, shown, value_at
from acmd.config.resolve import mistakes, resolve
from acmd.config.schema import Document
from acmd.config.translate import problems_of
from acmd.config.values import check_name

LARGEST_FILE = 256 * 1024
_TOML_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")
_TOML_TABLE = re.compile(r"Cannot (?:declare|mutate immutable namespace) \((?P<path>.*)\)")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration with what is known about where its values come from."""

    file: str
    raw: Mapping[str, Any]
    tree: Mapping[str, Any]
    origins: Mapping[Path, str]
    lines: Mapping[Path, int]

    @property
    def config(self) -> Config:
        """The plain values."""
        return build(self.file, self.tree)


def load(path: str | os.PathLike[str], *, host: HostFacts) -> Config:
    """The configuration in a file, complete and checked against the host.

    Raises ConfigRefused with everything that is wrong. Changes nothing, whatever happens.
    """
    return load_with_origins(path, host=host).config


def load_with_origins(path: str | os.PathLike[str], *, host: HostFacts) -> Loaded:
    """As `load`, with the origin of each value."""
    file = os.fspath(path)
    return understand(file, read_text(file), host=host)


def understand(file: str, text: str, *, host: HostFacts) -> Loaded:
    """The configuration that a text stands for; `file` is for messages only. Raises ConfigRefused."""
    raw = _parse(file, text)
    lines = positions(text)
    expanded = expand(raw)
    problems = [_problem(mistake, raw, lines) for mistake in expanded.mistakes]
    try:
        document = Document.model_validate(expanded.raw)
    except ValidationError as error:
        problems += problems_of(error, raw, expanded, lines)
        raise _refusal(file, problems) from None
    if problems:
        raise _refusal(file, problems)
    tree, computed = resolve(document.model_dump(), host.hostname)
    origins = {**expanded.origins, **computed}
    found = [*mistakes(tree, raw), *_host_mistakes(tree, origins, host)]
    if found:
        raise _refusal(file, [_problem(mistake, expanded.raw, lines) for mistake in found])
    return Loaded(file=file, raw=raw, tree=tree, origins=origins, lines=lines)


def _refusal(file: str, problems: list[Problem]) -> ConfigRefused:
    return ConfigRefused(file, sorted(problems, key=lambda problem: problem.line or 0))


def read_text(file: str) -> str:
    """The text of a configuration file. Raises ConfigRefused when it cannot, or should not, be read."""
    try:
        stream = open(file, "rb", opener=_open_at_once)  # noqa: SIM115 - closed below
    except OSError as error:
        _refuse(file, *_unopened(file, error))
    with stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            _refuse(file, "is not an ordinary file", "name the configuration file itself")
        if status.st_mode & stat.S_IWOTH:
            _refuse(
                file, "can be written by everybody, who could make acmd run anything", f"chmod o-w {file}"
            )
        try:
            content = stream.read(LARGEST_FILE + 1)
        except OSError as error:
            _refuse(file, f"cannot be read: {_reason(error)}", "look at the disk that it is on")
    if len(content) > LARGEST_FILE:
        _refuse(file, f"is larger than {LARGEST_FILE // 1024} KiB", "name the configuration file itself")
    if content.startswith(codecs.BOM_UTF8):
        _refuse(file, "begins with a byte order mark, which TOML has not", "save it as UTF-8 without one", 1)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        _refuse(file, f"byte 0x{content[error.start]:02x} is not UTF-8", "save the file as UTF-8", line)


def _unopened(file: str, error: OSError) -> tuple[str, str]:
    """What keeps a file from being opened, and what to do."""
    if error.errno == errno.ENOENT:
        other = "or name another with --config"
        if os.path.islink(file):
            return f"is a link to {os.readlink(file)}, which is not there", f"put it there, {other}"
        return (
            "there is no such file",
            f"write it (`acmd config defaults` prints one with every option), {other}",
        )
    if error.errno == errno.EISDIR:
        return "is a directory", "name the configuration file itself"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"cannot be opened: {_reason(error)}", "run acmd as root, or mend the file's permissions"
    if error.errno in (errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG):
        return f"cannot be opened: {_reason(error)}", "name the configuration file itself"
    return f"cannot be opened: {_reason(error)}", "look at the disk that it is on"


def _open_at_once(file: str, flags: int) -> int:
    """Opening a named pipe that was put there must not wait for a writer."""
    return os.open(file, flags | os.O_NONBLOCK)


def _parse(file: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        _refuse(file, "is nested too deeply", "no option needs that")
    except ValueError as error:  # TOMLDecodeError is one; a number of thousands of digits is another
        message = str(error)
        place = _TOML_PLACE.search(message)
        what, remedy = _in_words(message[: place.start()] if place else message)
        if place and place["line"]:
            _refuse(file, f"column {place['column']}: {what}", remedy, int(place["line"]))
        _refuse(file, what, remedy.replace("there", "at the end of the file"))


def _in_words(message: str) -> tuple[str, str]:
    """What tomllib says, for people; the words for what stands there twice are about its own insides."""
    table = _TOML_TABLE.match(message)
    if table is not None:
        name = ".".join(part.strip(" '\"") for part in table["path"].split(",") if part)
        return f"the table [{name}] stands further up already", "write all of it in one place"
    if message == "Cannot overwrite a value":
        return "what stands here was given further up already", "take one of the two out"
    if message.startswith("Exceeds the limit"):
        return "a number has thousands of digits", "no option needs that"
    return message[:1].lower() + message[1:], "this is not TOML; correct it there"


def _refuse(file: str, what: str, remedy: str, line: int | None = None) -> NoReturn:
    raise ConfigRefused(file, [Problem(what=what, remedy=remedy, line=line)]) from None


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _problem(mistake: Mistake, raw: Mapping[str, Any], lines: Mapping[Path, int]) -> Problem:
    path, what, remedy = mistake
    value = value_at(path, raw)
    scalar = value is not None and not isinstance(value, dict)
    return Problem(
        what=what,
        remedy=remedy,
        key=dotted(path, raw),
        value=shown(value, path) if scalar else "",
        line=line_of(path, lines),
    )


def _host_mistakes(tree: Mapping[str, Any], origins: Mapping[Path, str], host: HostFacts) -> list[Mistake]:
    """What the file says of this host and is not so."""
    found: list[Mistake] = []
    address = tree["node"]["address"]
    if address and address not in host.addresses:
        own = ", ".join(sorted(host.addresses)) or "none"
        found.append((("node", "address"), "is not an address of this host", f"this host has {own}"))
    if ("node", "name") in origins:
        try:
            check_name(tree["node"]["name"])
            unsuitable = "names every host" if tree["node"]["name"] == "localhost" else ""
        except ValueError as error:
            unsuitable = str(error)
        if unsuitable:
            found.append(
                (
                    ("node", "name"),
                    f"the host's name, {shown(host.hostname)}, {unsuitable}",
                    "give the host a name of its own, or set node.name",
                )
            )
    for number, table in enumerate(tree["service"]):
        if table.get("user") and not host.has_user(table["user"]):
            found.append(
                (
                    ("service", number, "user"),
                    "is not a user of this host",
                    "create it with the same uid on all nodes, or correct the name",
                )
            )
    return found
