"""Loading: what a file means, what it may be, and that all ways of reading one agree."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from acmd.config.apart import load_apart
from acmd.config.glance import glance
from acmd.config.host import this_host
from acmd.config.load import LARGEST_FILE, load
from acmd.config.model import CommandService, RestartBudget
from acmd.config.problems import ConfigRefused
from acmd.core.timing import PROFILES, Timing
from acmd.errors import ConfigError
from tests.unit.configs import HOST, loaded

WHOLE = """
[cluster]
name = "orchestrator"
directory = "/opt/aspera/acm/acmd/"
[node]
name = "a"
address = "2001:0db8::0011"
[timing]
profile = "fast"
takeover_wait_s = 6
[guard]
mode = "spawn"
last_resort = "none"
[[service]]
name = "web"
command = ["/usr/bin/web", "--port", "80"]
environment = { LANG = "C" }
[service.restart]
max_restarts = 0
[[service]]
name = "helper"
command = ["/usr/bin/helper"]
runs_on = "all"
after = ["web"]
"""


ASPERA = 'services = ["APACHE", "ORCHESTRATOR", "MYSQL"]\n[node]\naddress = "127.0.0.1"\n'


def write(tmp_path: Path, text: str | bytes) -> Path:
    file = tmp_path / "acmd.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    file.chmod(0o644)
    return file


def refused(file: Path) -> str:
    with pytest.raises(ConfigRefused) as caught:
        load(file, host=HOST)
    return str(caught.value)


def test_an_empty_file_means_the_defaults() -> None:
    """Everything has a default: the cluster acmd, standard timing, a guard that resets, no services."""
    config = loaded("").config
    assert (config.cluster.name, config.cluster.directory) == ("acmd", "/opt/aspera/acm/acmd")
    assert (config.node.name, config.node.address) == ("node-a", "")
    assert config.timing == PROFILES["standard"]
    assert (config.run_dir, config.state_dir) == ("/run/acmd/acmd", "/var/lib/acmd/acmd")
    assert (config.guard.last_resort, config.guard.watchdog) == ("reset", "automatic")
    assert (config.guard.socket, config.guard.watchdog_timeout_s) == ("/run/acmd/acmd/guard.sock", 6)
    assert (config.adoption_limit, config.services) == (5, ())


def test_a_whole_file() -> None:
    """Values of the file, of the profile and computed ones come together as plain values."""
    config = loaded(WHOLE).config
    assert config.cluster.directory == "/opt/aspera/acm/acmd"
    assert config.node.address == "2001:db8::11"
    assert config.timing == Timing.of_seconds(0.4, 2, 1, 3, 0.5, 1, 4.5, 6)
    assert config.run_dir == "/run/acmd/orchestrator"
    assert config.guard.watchdog == "off", "nothing may reset a host whose last resort is none"
    web, helper = config.services
    assert web == CommandService(
        name="web",
        kind="command",
        preset="",
        runs_on="active",
        critical=True,
        after=(),
        requires=(),
        start_timeout_s=30,
        stop_timeout_s=30,
        restart=RestartBudget(0, 300, 1, 30),
        command=("/usr/bin/web", "--port", "80"),
        environment={"LANG": "C"},
        working_directory="/",
        data_directories=(),
        writes_anywhere=True,
        probes=(),
        user="",
        log_file="",
    )
    assert (helper.critical, helper.after) == (False, ("web",))


@pytest.mark.parametrize("profile", PROFILES)
def test_profiles_are_the_protocols(profile: str) -> None:
    """A profile gives exactly the numbers of the protocol, which hold every inequality."""
    timing = loaded(f'[timing]\nprofile = "{profile}"\n').config.timing
    assert timing == PROFILES[profile]
    assert timing.broken() == []


def test_loading_asks_nothing_of_shared_storage(tmp_path: Path) -> None:
    """`load` looks at no path but the file itself: storage that hangs at boot cannot hang it."""
    file = write(tmp_path, WHOLE)

    def forbidden(path: str) -> os.stat_result:
        raise AssertionError(f"lstat of {path}")

    def forbidden_too(path: str) -> str:
        raise AssertionError(f"realpath of {path}")

    from dataclasses import replace

    load(file, host=replace(HOST, lstat=forbidden, realpath=forbidden_too))


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there is named, with the way to get one."""
    assert refused(tmp_path / "x.toml") == (
        f"{tmp_path}/x.toml: there is no such file; write it (`acmd config defaults` prints one with "
        "every option), "
        "or name another with --config"
    )


def test_directory_for_a_file(tmp_path: Path) -> None:
    """A directory is not a configuration."""
    assert refused(tmp_path) == f"{tmp_path}: is a directory; name the configuration file itself"


def test_pipe_for_a_file(tmp_path: Path) -> None:
    """A named pipe is refused at once, rather than waited for."""
    os.mkfifo(tmp_path / "pipe")
    assert refused(tmp_path / "pipe") == (
        f"{tmp_path}/pipe: is not an ordinary file; name the configuration file itself"
    )


def test_file_that_everybody_may_write(tmp_path: Path) -> None:
    """Commands in a file that everybody may write would be everybody's commands as root."""
    file = write(tmp_path, "")
    file.chmod(0o666)
    assert refused(file) == (
        f"{file}: can be written by everybody, who could make acmd run anything; chmod o-w {file}"
    )


@contextlib.contextmanager
def without_privileges() -> Iterator[None]:
    """Root may read everything: for this long the process acts as nobody."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_unreadable_file(tmp_path: Path) -> None:
    """A file without permission to read it is named with the reason."""
    file = write(tmp_path, "")
    file.chmod(0)
    with without_privileges():
        said = refused(file)
    assert said == (
        f"{file}: cannot be opened: permission denied; run acmd as root, or mend the file's permissions"
    )


def test_file_below_a_file(tmp_path: Path) -> None:
    """What the system refuses to open is told in its words."""
    assert refused(write(tmp_path, "") / "x") == (
        f"{tmp_path}/acmd.toml/x: cannot be opened: not a directory; name the configuration file itself"
    )


def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    """A link to nothing is told from a file that was never written; one to itself cannot be followed."""
    (tmp_path / "gone").symlink_to("/nowhere/acmd.toml")
    (tmp_path / "ring").symlink_to("ring")
    assert refused(tmp_path / "gone") == (
        f"{tmp_path}/gone: is a link to /nowhere/acmd.toml, which is not there; "
        "put it there, or name another with --config"
    )
    assert refused(tmp_path / "ring") == (
        f"{tmp_path}/ring: cannot be opened: too many levels of symbolic links; "
        "name the configuration file itself"
    )


def test_a_byte_order_mark(tmp_path: Path) -> None:
    """As some editors write one."""
    file = tmp_path / "acmd.toml"
    file.write_bytes(b"\xef\xbb\xbf[node]\n")
    file.chmod(0o600)
    assert refused(file) == (
        f"{file}:1: begins with a byte order mark, which TOML has not; save it as UTF-8 without one"
    )


def test_large_file(tmp_path: Path) -> None:
    """There is a limit on the size."""
    file = write(tmp_path, "#" * (LARGEST_FILE + 1))
    assert refused(file) == f"{file}: is larger than 256 KiB; name the configuration file itself"


def test_file_in_another_encoding(tmp_path: Path) -> None:
    """A byte that is not UTF-8 is told with its line."""
    file = write(tmp_path, b'[node]\nname = "n\xf6de"\n')
    assert refused(file) == f"{file}:2: byte 0xf6 is not UTF-8; save the file as UTF-8"


def test_loading_apart_is_loading(tmp_path: Path) -> None:
    """A process of its own gives equal values, and the same refusal."""
    file = write(tmp_path, WHOLE.replace("2001:0db8::0011", "127.0.0.1"))
    assert load_apart(str(file)) == load(file, host=this_host())
    bad = write(tmp_path, "[log]\nlevle = 1\n")
    with pytest.raises(ConfigRefused) as caught:
        load_apart(str(bad))
    assert str(caught.value) == f"{bad}:2: log.levle = 1: there is no such option; did you mean level?"


def test_presets_come_through_a_process_of_their_own(tmp_path: Path) -> None:
    """Services, probes, database and the rest survive the way over the pipe."""
    file = write(tmp_path, ASPERA)
    assert load_apart(str(file)) == load(file, host=this_host())


def test_loading_apart_has_a_limit(tmp_path: Path) -> None:
    """What does not answer in time is given up, and said."""
    lines = (f"key{number} = [{number}]" for number in range(LARGEST_FILE // 30))  # long to understand
    file = write(tmp_path, "\n".join(lines))
    with pytest.raises(ConfigError, match="was not read within 0 s"):
        load_apart(str(file), limit_s=0)


@pytest.mark.parametrize(
    "text", ["", WHOLE, ASPERA, '[run]\nrun_dir = "/run/x/"\n', '[guard]\nsocket = "/run/y"\n']
)
def test_a_glance_agrees_with_loading(tmp_path: Path, text: str) -> None:
    """What is read without the schema is what the schema gives."""
    file = write(tmp_path, text)
    config, seen = load(file, host=HOST), glance(str(file), hostname=HOST.hostname)
    assert (seen.cluster, seen.directory, seen.node) == (
        config.cluster.name,
        config.cluster.directory,
        config.node.name,
    )
    assert (seen.run_dir, seen.state_dir, seen.guard_socket) == (
        config.run_dir,
        config.state_dir,
        config.guard.socket,
    )


@pytest.mark.parametrize("text", ["a", "cluster = 3\n", "[cluster]\nname = 3\n", "[node]\nname = []\n"])
def test_a_glance_refuses_what_it_cannot_read(tmp_path: Path, text: str) -> None:
    """A file that does not say where things are is refused in the words of a full load."""
    file = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        glance(str(file))
    assert str(caught.value) == refused(file)


def test_a_glance_at_nothing(tmp_path: Path) -> None:
    """A missing file is an expected error; a pipe is not waited for."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("x", "pipe"):
        with pytest.raises(ConfigError) as caught:
            glance(str(tmp_path / name))
        assert str(caught.value) == refused(tmp_path / name)
