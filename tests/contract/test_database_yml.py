"""database.yml: what is read out of it, and that rewriting changes the bytes of one value and no other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from acmd.drivers.database_yml import DatabaseYmlError, publish, read

SECRET = "pa:ss'#word"

FILE = f"""\
# Orchestrator's database.  Do not edit!
<% require 'erb' %>
default: &default
  adapter:  mysql2     # two spaces
  encoding: utf8
  pool: <%= ENV.fetch("POOL") {{ 5 }} %>

production:
  <<: *default
  host:   10.0.0.1   # the active node
  port: 4406
  socket: '/tmp/my.sock'
  username: "orchestrator"
  password: "{SECRET}"
  database: orchestrator
<%# a comment: with colons %>
test:
  host: 10.0.0.1
  username: <%= ENV['DB_USER'] %>
  password: "<%= File.read('/etc/x').strip # : ' %>"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "database.yml"
    path.write_text(FILE)
    path.chmod(0o640)
    return path


def test_a_section_is_read(file: Path) -> None:
    """Host, port, socket, user, password and database are found; the password is in no representation."""
    found = read(str(file), "production")
    assert (found.host, found.port, found.socket) == ("10.0.0.1", 4406, "/tmp/my.sock")
    assert (found.user, found.password, found.database) == ("orchestrator", SECRET, "orchestrator")
    assert found.erb == frozenset()
    assert SECRET not in repr(found)


def test_erb_is_named_and_never_a_value(file: Path) -> None:
    """A value that ERB computes is empty, and its name is told."""
    found = read(str(file), "test")
    assert (found.host, found.user, found.password) == ("10.0.0.1", "", "")
    assert found.erb == {"user", "password"}


def test_merged_values_are_read(tmp_path: Path) -> None:
    """A section has what it merges, its own values first; of several merges the first counts."""
    path = tmp_path / "database.yml"
    path.write_text(
        "a: &a\n  host: one\n  port: 1\nb: &b\n  port: 2\n  socket: /s\n"
        "production:\n  <<: [*a, *b]\n  host: own\n"
    )
    found = read(str(path), "production")
    assert (found.host, found.port, found.socket) == ("own", 1, "/s")


def test_publishing_changes_one_value_only(file: Path) -> None:
    """Comments, quoting, order, ERB and other sections are the same bytes afterwards; mode and owner too."""
    before = file.stat()
    if os.geteuid() == 0:
        os.chown(file, 1234, 2345)
        before = file.stat()
    assert publish(str(file), "production", "10.0.0.2")
    head, tail = FILE.split("host:   10.0.0.1", 1)
    assert file.read_text() == f"{head}host:   10.0.0.2{tail}"
    after = file.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert [path.name for path in file.parent.iterdir()] == ["database.yml"]


def test_publishing_the_same_writes_nothing(file: Path) -> None:
    """When the address is there already, the file is not touched at all."""
    before = file.stat()
    assert not publish(str(file), "production", "10.0.0.1")
    after = file.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize(
    ("line", "host", "wanted"),
    [
        ('host: "old"', "new", 'host: "new"'),
        ("host: 'old'  # why", "new", "host: 'new'  # why"),
        ("host: old.example.org", "new-1.example.org", "host: new-1.example.org"),
        ("host:", "10.0.0.9", "host: 10.0.0.9"),
        ("host: ", "10.0.0.9", "host: 10.0.0.9"),
        ("host:   # none yet", "10.0.0.9", "host: 10.0.0.9   # none yet"),
        ("host: ~", "10.0.0.9", "host: 10.0.0.9"),
        ("host: old", "fd00::1", 'host: "fd00::1"'),
        ('"host": "old"', "new", '"host": "new"'),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_ways_to_write_a_host(tmp_path: Path, line: str, host: str, wanted: str, end: str) -> None:
    """Whatever way the value is written, it is replaced in that way, and reads back."""
    path = tmp_path / "database.yml"
    text = end.join(["production:", "  # comment", f"  {line}", "  port: 3306", ""])
    path.write_bytes(text.encode())
    assert publish(str(path), "production", host)
    changed = path.read_bytes().decode()
    assert changed.replace(" ", "") == text.replace(line, wanted).replace(" ", "")
    assert (read(str(path), "production").host, read(str(path), "production").port) == (host, 3306)
    if "none yet" not in line:
        assert changed.split(end)[2].rstrip() == f"  {wanted}"


def test_a_flow_mapping(tmp_path: Path) -> None:
    """A section written in braces works as well."""
    path = tmp_path / "database.yml"
    path.write_text("production: {adapter: mysql, host: old, port: 1}  # x\n")
    assert publish(str(path), "production", "new")
    assert path.read_text() == "production: {adapter: mysql, host: new, port: 1}  # x\n"


def test_a_symbolic_link_stays_one(file: Path, tmp_path: Path) -> None:
    """ACM's config directory may hold a link: what it leads to is replaced, the link is not."""
    link = tmp_path / "link.yml"
    link.symlink_to(file)
    assert publish(str(link), "production", "10.0.0.2")
    assert link.is_symlink()
    assert read(str(file), "production").host == "10.0.0.2"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        ("", "is empty"),
        ("# only a comment\n", "has no sections"),
        ("<%# nothing %>\n", "is empty"),
        ("a: b: c\n", "is not YAML, line 1"),
        (f'production:\n  password: "{SECRET}\n  host: x\n', "is not YAML"),
        ("- a\n- b\n", "has no sections"),
        ("just text\n", "has no sections"),
        (
            "development:\n  host: x\ntest:\n  host: y\n",
            "has no section 'production', only development, test",
        ),
        ("production: nothing\n", "section 'production' holds no settings"),
        ("production:\n  port: 99999\n", "port of section 'production' is '99999', which is no port number"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b"x" * (2 << 20), "is larger than"),
        ("production: &p\n  <<: *p\n  host: x\n  port: seven", "is 'seven', which is no port number"),
    ],
    ids=range(14),
)
def test_files_that_cannot_be_used(tmp_path: Path, content: str | bytes | None, said: str) -> None:
    """Each has an error that names file and reason, shows no password, and changes nothing."""
    path = tmp_path / "database.yml"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DatabaseYmlError) as raised:
        read(str(path), "production")
    assert said in str(raised.value)
    assert str(path) in str(raised.value)
    assert raised.value.remedy
    assert SECRET[:5] not in str(raised.value)


def test_directories_and_devices_are_refused(tmp_path: Path) -> None:
    """A directory is an error and not a crash."""
    with pytest.raises(DatabaseYmlError, match="cannot be read"):
        read(str(tmp_path), "production")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("production:\n  host: <%= ENV['H'] %>\n", "is computed by ERB"),
        ('production:\n  host: "a<%= 1 %>"\n', "is computed by ERB"),
        ("production:\n  port: 1\n", "`host` of section 'production' is not there"),
        ("d: &d\n  host: x\nproduction:\n  <<: *d\n", "only by a merge"),
        ("production:\n  host: &h x\ntest:\n  host: *h\n", "is no plain value of its own"),
        ("test:\n  host: &h x\nproduction:\n  host: *h\n", "is no plain value of its own"),
        ("production:\n  host: !!str x\n", "is no plain value of its own"),
        ("production:\n  host: |\n    x\n  port: 1\n", "is no plain value of its own"),
    ],
)
def test_hosts_that_are_left_alone(tmp_path: Path, content: str, said: str) -> None:
    """Where one value cannot be replaced without another meaning, nothing is written."""
    path = tmp_path / "database.yml"
    path.write_text(content)
    with pytest.raises(DatabaseYmlError) as raised:
        publish(str(path), "production", "10.0.0.2")
    assert said in str(raised.value)
    assert path.read_text() == content


@pytest.mark.parametrize("host", ["", "a b", "x\ny", "a: b", "#", "<%= 1 %>", '"', "a\u2028b"])
def test_values_that_are_no_address(file: Path, host: str) -> None:
    """Nothing that could change the file's structure is ever written into it."""
    with pytest.raises(DatabaseYmlError, match="is no address"):
        publish(str(file), "production", host)
    assert file.read_text() == FILE


def test_a_full_disk_changes_nothing(file: Path) -> None:
    """When the new file cannot be made, the old one stays."""
    inode = file.stat().st_ino
    blocker = file.parent / ".database.yml.acmd"
    blocker.mkdir()
    with pytest.raises(DatabaseYmlError, match="cannot be rewritten"):
        publish(str(file), "production", "10.0.0.2")
    assert file.stat().st_ino == inode
    assert file.read_text() == FILE


NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789.-", min_size=1, max_size=20).filter(
    lambda name: name[0].isalnum() and name[-1].isalnum()
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(NAMES, NAMES, st.sampled_from(["", '"', "'"]), st.sampled_from(["", " ", "  # x", "\t"]))
def test_any_host_reads_back(tmp_path: Path, old: str, new: str, quote: str, tail: str) -> None:
    """Whatever name replaces whatever name, in any quotes: it reads back as text, the rest is the same."""
    path = tmp_path / "database.yml"
    path.write_text(f"production:\n  host: {quote}{old}{quote}{tail}\n  port: 3306\n")
    changed = publish(str(path), "production", new)
    assert changed or old == new
    assert read(str(path), "production").host == new
    # ruamel.yaml itself does not take a tab at the end of a line.
    assert YAML(typ="safe").load(path.read_text().replace("\t", ""))["production"]["host"] == new
    quotes = {quote, '"'} if not quote else {quote}
    wanted = {f"production:\n  host: {q}{new}{q}{tail}\n  port: 3306\n" for q in quotes}
    assert path.read_text() in wanted
    assert not publish(str(path), "production", new)


@pytest.mark.parametrize(
    "host", ["null", "yes", "No", "123", "1.5", "1e3", "0x1f", "12e03", "on", "y", "1-2"]
)
def test_names_that_yaml_takes_for_something_else(tmp_path: Path, host: str) -> None:
    """A host that is called like a number or a truth value is written in quotes, so that Rails reads text."""
    path = tmp_path / "database.yml"
    path.write_text("production:\n  host: old\n")
    assert publish(str(path), "production", host)
    assert path.read_text() == f'production:\n  host: "{host}"\n'
    path.write_text("production:\n  host: null\n")
    assert publish(str(path), "production", "null")
    assert path.read_text() == 'production:\n  host: "null"\n'
