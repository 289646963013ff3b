"""Logging in to MySQL by files that the configuration names: option files and password files.

Only the standard library, so that the daemon can ask anew before each use: a password changed in
its file is taken at once. All functions block (small local files); none shows what a file holds.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import Protocol

from acmd.errors import ConfigError

LARGEST_FILE = 64 * 1024
_QUOTES = "'\""
_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "r": "\r", "\\": "\\", "s": " "}


class Named(Protocol):
    """What names credentials: a probe, or the section of the database."""

    @property
    def defaults_file(self) -> str: ...
    @property
    def user(self) -> str: ...
    @property
    def password_file(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Login:
    """As whom to log in. `host`, `port` and `socket` are empty or 0 where the file does not say."""

    user: str
    password: str = field(default="", repr=False)
    host: str = ""
    port: int = 0
    socket: str = ""


def own_login(named: Named) -> Login | None:
    """The login that is named, read anew; None: database.yml has it. Raises ConfigError."""
    if named.defaults_file:
        return read_defaults_file(named.defaults_file)
    if named.user:
        return Login(named.user, read_secret(named.password_file) if named.password_file else "")
    return None


def read_secret(file: str) -> str:
    """The first line of a file that only its owner and group may read. Raises ConfigError."""
    lines = _read(file).splitlines()
    if not lines or not lines[0]:
        raise ConfigError(f"{file} is empty", "write the secret into its first line")
    return lines[0]


def read_defaults_file(file: str) -> Login:
    """The section [client] of an option file of MySQL. Raises ConfigError."""
    values: dict[str, str] = {}
    section = ""
    for line in _read(file).splitlines():
        text = line.strip()
        if text.startswith("["):
            section = text.partition("]")[0][1:].strip()
        elif section == "client" and text and text[0] not in "#;!":
            key, _, value = text.partition("=")
            values[key.strip().replace("_", "-")] = _value(value)
    if not values.get("user"):
        raise ConfigError(
            f"{file} names no user in a section [client]", "write user and password there, under [client]"
        )
    port = values.get("port", "")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        raise ConfigError(f"{file}: port is no port number", "correct it")
    return Login(
        user=values["user"],
        password=values.get("password", ""),
        host=values.get("host", ""),
        port=int(port) if port else 0,
        socket=values.get("socket", ""),
    )


def too_open(status: os.stat_result) -> str:
    """Why a file with a secret is not one that is kept, in words; empty when it is."""
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISREG(status.st_mode):
        return "is not an ordinary file"
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        return f"has mode {mode:04o}: others than root can read or change it"
    return ""


def _value(text: str) -> str:
    """As MySQL reads one: quotes taken off, escapes resolved, a comment only after a value without quotes."""
    text = text.strip()
    if text[:1] and text[0] in _QUOTES:
        end = text.find(text[0], 1)
        while end > 0 and (end - len(text[:end].rstrip("\\"))) % 2:  # an odd number: the quote is escaped
            end = text.find(text[0], end + 1)
        text = text[1:end] if end > 0 else text[1:]
    else:
        text = text.partition(" #")[0].rstrip()
    result, at = "", 0
    while at < len(text):
        known = text[at] == "\\" and text[at + 1 : at + 2] in {*_ESCAPES, "'", '"'}
        following = text[at + 1 : at + 2]
        result += _ESCAPES.get(following, following) if known else text[at]
        at += 2 if known else 1
    return result


def _read(file: str) -> str:
    try:
        # A named pipe that was put there must not make this wait for a writer.
        handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if defect := too_open(os.fstat(handle)):
                raise ConfigError(f"{file} {defect}", f"`chown root {file} && chmod 0600 {file}`")
            content = os.read(handle, LARGEST_FILE)
        finally:
            os.close(handle)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"{file} cannot be read: {reason}", "write it, for root alone") from None
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is not UTF-8 text", "save it as UTF-8") from None
