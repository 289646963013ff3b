"""Credentials by file reference: what is read, what is refused, and that nothing shows a secret."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from acmd.config.credentials import Login, own_login, read_defaults_file, read_secret
from acmd.config.directory import examine
from acmd.errors import ConfigError
from tests.unit.configs import FILE, HOST, loaded


@dataclass(frozen=True)
class Named:
    defaults_file: str = ""
    user: str = ""
    password_file: str = ""


def secret(tmp_path: Path, text: str, mode: int = 0o600) -> str:
    file = tmp_path / "secret"
    file.write_text(text)
    file.chmod(mode)
    return str(file)


def test_who_logs_in(tmp_path: Path) -> None:
    """An option file, else user and password file, else nobody: database.yml is asked then."""
    file = secret(tmp_path, "[client]\nuser=me\npassword=hush\n")
    assert own_login(Named()) is None
    assert own_login(Named(defaults_file=file)) == Login("me", "hush")
    assert own_login(Named(user="you", password_file=secret(tmp_path, "quiet\nrest\n"))) == Login(
        "you", "quiet"
    )
    assert own_login(Named(user="socket")) == Login("socket"), "MySQL may know a local user by its socket"


OPTION_FILES = {
    "plain": ("[client]\nuser = me\npassword = a b # note\n", Login("me", "a b")),
    "quotes": ("[client]\nuser='me'\npassword=\"a # 'b\\\" \\\\c\"  # note\n", Login("me", "a # 'b\" \\c")),
    "a place": (
        "[client]\nuser=me\nhost=h\nport=3307\nsocket=/run/m.sock\n",
        Login("me", "", "h", 3307, "/run/m.sock"),
    ),
    "other sections": (
        "[mysqld]\nuser=mysql\npassword=x\n\n# c\n; c\n!include /x\n"
        "[client]\nuser=me\nssl\n[mysql]\nuser=z\n",
        Login("me"),
    ),
    "the last one counts": ("[client]\nuser=a\nuser=b\npassword=x\npassword=\n", Login("b")),
}


@pytest.mark.parametrize(("text", "login"), OPTION_FILES.values(), ids=OPTION_FILES.keys())
def test_option_files(tmp_path: Path, text: str, login: Login) -> None:
    """The section [client] is read as MySQL's clients read it."""
    assert read_defaults_file(secret(tmp_path, text)) == login


def test_a_secret_is_shown_by_nothing(tmp_path: Path) -> None:
    """Neither the value nor its refusals print what the file holds."""
    login = read_defaults_file(secret(tmp_path, "[client]\nuser=me\npassword=hush\n"))
    assert "hush" not in repr(login)
    for text in ("password=hush\n", "[client]\nuser=me\npassword=hush\nport=hush\n"):
        with pytest.raises(ConfigError) as caught:
            read_defaults_file(secret(tmp_path, text))
        assert "hush" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o602])
def test_a_file_that_others_can_read(tmp_path: Path, mode: int) -> None:
    """A secret that others can read or change is none, and is refused with the mode."""
    file = secret(tmp_path, "hush\n", mode)
    with pytest.raises(ConfigError) as caught:
        read_secret(file)
    assert str(caught.value) == (
        f"{file} has mode {mode:04o}: others than root can read or change it\n"
        f"  -> `chown root {file} && chmod 0600 {file}`"
    )


def test_files_that_are_none(tmp_path: Path) -> None:
    """Missing, empty, a pipe, a directory, binary: each is refused in words, and none is waited for."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "dir").mkdir(mode=0o700)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "binary").chmod(0o600)
    for name, words in (
        ("missing", "cannot be read: no such file or directory"),
        ("pipe", "is not an ordinary file"),
        ("dir", "is not an ordinary file"),
        ("binary", "is not UTF-8 text"),
    ):
        with pytest.raises(ConfigError, match=words):
            read_secret(str(tmp_path / name))
    with pytest.raises(ConfigError, match="is empty"):
        read_secret(secret(tmp_path, "\n"))


def told(text: str) -> list[str]:
    found = examine(loaded(text).config, HOST)
    return [("warning " if problem.warning else "") + problem.text(FILE) for problem in found]


def test_check_looks_at_files(tmp_path: Path) -> None:
    """A loose mode is a mistake; a file or a data directory that is missing is a warning: it may come."""
    loose = secret(tmp_path, "hush", 0o644)
    directory = tmp_path / "shared"
    directory.mkdir(mode=0o755)
    lines = told(
        f'[cluster]\ndirectory = "{directory}"\n[database]\nuser = "me"\npassword_file = "{loose}"\n'
        '[[service]]\nname = "w"\nkind = "systemd"\nunit = "w"\ndata_directories = ["/nowhere"]\n'
        '[[service.probe]]\nkind = "mysql"\ndefaults_file = "/nowhere.cnf"\n'
    )
    about = [line for line in lines if "root disk" not in line]
    assert about == [
        f'acmd.toml: database.password_file = "{loose}": has mode 0644: others than root can read or change '
        f"it; `chown root {loose} && chmod 0600 {loose}`",
        'warning acmd.toml: service["w"].probe[0].defaults_file = "/nowhere.cnf": cannot be looked at: no '
        "such file or directory; write it, for root alone",
        'warning acmd.toml: service["w"].data_directories = "/nowhere": cannot be looked at: no such file or '
        "directory; while it is not there, what the service wrote cannot be synced, and this node is not "
        "fit; mount it, or correct the service's data_directories",
    ]


def test_check_wants_database_yml_off_shared_storage(tmp_path: Path) -> None:
    """A daemon that reads a file on the lease's storage would hang with it; a copy is asked for."""
    directory = tmp_path / "acmd"
    directory.mkdir(mode=0o755)
    (tmp_path / "database.yml").touch()

    def lstat(path: str) -> os.stat_result:
        values = list(os.lstat(path))
        if Path(path).is_relative_to(tmp_path):
            values[2] = 57
        return os.stat_result(values)

    text = (
        'services = ["ORCHESTRATOR", "MYSQL"]\n[node]\naddress = "192.0.2.11"\n'
        f'[cluster]\ndirectory = "{directory}"\n[database]\nfile = "{tmp_path}/database.yml"\n'
        '[publish]\nenabled = true\nfile = "/nowhere.yml"\n'
        '[[service]]\nname = "ip"\nkind = "ocf"\nagent = "ocf:heartbeat:IPaddr2"\n'
        'parameter_files = { password = "/nowhere.pw" }\n'
    )
    found = examine(loaded(text).config, replace(HOST, lstat=lstat))
    lines = [problem.text(FILE) for problem in found if "data_directories" not in problem.key]
    assert all(problem.warning for problem in found)
    assert lines == [
        'acmd.toml: service["ip"].parameter_files.password = "/nowhere.pw": cannot be looked at: no such '
        "file or directory; write it, for root alone",
        f'acmd.toml: database.file = "{tmp_path}/database.yml": lies on the storage of the cluster\'s '
        "directory, where whoever reads it hangs when that storage does; copy it to a local file, for root "
        "alone, and set database.file to that",
        'acmd.toml: publish.file = "/nowhere.yml": cannot be looked at: no such file or directory; '
        "copy it there, or set publish.file",
    ]
