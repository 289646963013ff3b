"""Manuals, positions and displays are in step with the schema and with the file."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

from acmd.config.generate import generated
from acmd.config.manual import commented_file, json_schema
from acmd.config.positions import Path, positions
from acmd.config.schema import Document
from acmd.config.schema_probes import PROBE_KINDS, CommonProbe
from acmd.config.schema_services import KINDS
from acmd.config.show import FREE, as_plain, as_text
from tests.tree import ROOT
from tests.unit.configs import loaded

TRICKY = """\
# [comment]
title = ""\"
[not.a.table]
x = 1 \\""\""
"quoted key" = 'it # no'
a.b.c = { d = 1, e = [1, 2] }
list = [ # one
  "x = 1", [3,
  4],
  # none
  { k = "]" },
]
[t . "u v"]
date = 2024-01-01T00:00:00Z
[[s]]
n = 1
[[s.inner]]
m = 1
[[s]]
n = ""\"a""\"
[s.table]
k = \'\'\'x
[[s]]\'\'\'
last = -0.5e3"""


def test_generated_files_are_up_to_date() -> None:
    """The commented file and the reference page are what acmd.config.generate gives."""
    for name, text in generated().items():
        assert (ROOT / name).read_text() == text, name


def test_the_commented_file_means_the_defaults() -> None:
    """The shipped file changes nothing."""
    assert loaded(commented_file()).config == loaded("").config


def uncommented() -> str:
    return re.sub(r"(?m)^#(?=[a-z\[])", "", commented_file()).replace('user = ""', 'user = "root"')


def test_every_line_of_the_commented_file_is_valid() -> None:
    """With all options uncommented the file is a complete, accepted configuration of every kind."""
    text = uncommented()
    result = loaded(text)
    assert set(result.raw) == set(Document.model_fields)
    assert [table["kind"] for table in result.raw["service"]] == list(KINDS)
    assert [probe["kind"] for probe in result.raw["service"][0]["probe"]] == list(PROBE_KINDS)
    options = as_plain(result)["options"].items()
    others = {key for key, option in options if option["from"] != "file" and not key.startswith("service[")}
    assert others == set()
    given = [key for table in result.raw["service"] for key in table]
    assert set(given) == {key for kind in KINDS.values() for key in kind.model_fields}
    for probe in result.raw["service"][0]["probe"]:
        own = set(PROBE_KINDS[probe["kind"]].model_fields) - set(CommonProbe.model_fields)
        assert own <= set(probe), probe["kind"]


def test_every_option_is_described() -> None:
    """The JSON Schema has a description for each property, and accepts nothing else."""
    schema = json.loads(json_schema())
    tables = [schema, *schema["$defs"].values()]
    for table in tables:
        assert table["additionalProperties"] is False
        for name, described in table["properties"].items():
            assert described.get("description") or "$ref" in described, f"{table['title']}.{name}"


def test_units_are_in_the_names() -> None:
    """Every option that is a number has its unit in its name, but for counts and fractions."""
    counts = {"device_id", "clock_rate_error", "limit", "max_restarts", "fail_after", "recover_after"}
    counts |= {"port", "status"}
    for table in json.loads(json_schema())["$defs"].values():
        for name, described in table["properties"].items():
            if '"number"' in json.dumps(described) or '"integer"' in json.dumps(described):
                assert name.endswith("_s") or name in counts, name


def test_show_means_the_same_as_the_file() -> None:
    """What `show` prints is TOML that loads to the same values."""
    text = (
        """
[cluster]
device_id = 7
[timing]
profile = "fast"
[guard]
last_resort = "none"
[[service]]
name = "a b".
""".replace('"a b".', '"web"')
        + (
            'command = ["/usr/bin/web", "tab\\t\\u007f"]\nenvironment = { A = "x", B = "ü" }\n'
            '[service.restart]\nwindow_s = 0.25\n[[service]]\nname = "two"\ncommand = ["/x"]\n'
        )
    )
    first = loaded(text)
    assert loaded(as_text(first)).config == first.config


def test_show_says_where_values_come_from() -> None:
    """Each value has its origin: the file with its line, a profile, another option, or the default."""
    options = as_plain(loaded('[timing]\nheartbeat_s = 0.5\n[[service]]\nname = "w"\ncommand = ["/w"]\n'))[
        "options"
    ]
    assert options["timing.heartbeat_s"] == {"value": 0.5, "from": "file", "line": 2}
    assert options["timing.takeover_wait_s"] == {"value": 14.7, "from": "profile standard", "line": None}
    assert options["node.name"] == {"value": "node-a", "from": "the host's name", "line": None}
    assert options["log.level"] == {"value": "info", "from": "default", "line": None}
    assert options['service["w"].critical'] == {"value": True, "from": "runs_on", "line": None}
    assert options['service["w"].command'] == {"value": ["/w"], "from": "file", "line": 5}


def test_show_masks_secrets() -> None:
    """Neither form of `show` prints what looks like a secret, wherever it stands."""
    result = loaded(
        '[fencing]\nagent = ["/x", "--token", "hush1", "-p", "22"]\n[[service]]\nname = "w"\n'
        'command = ["/w", "--db-password=hush2", "MYSQL_PWD=hush3", "--user=me"]\n'
        'environment = { API_KEY = "hush4", LANG = "C" }\n'
    )
    for text in (as_text(result), json.dumps(as_plain(result))):
        assert "hush" not in text
        assert "********" in text
        assert "--user=me" in text
        assert "22" in text


def keys(value: Any, path: Path = ()) -> set[Path]:
    """All paths to keys outside of inline tables and of plain lists."""
    found: set[Path] = set()
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found |= {(*path, key)} | keys(item, (*path, key))
    return found


def test_positions_of_a_tricky_file() -> None:
    """Strings, comments and brackets do not mislead: each key that tomllib sees has the line it stands on."""
    tomllib.loads(TRICKY)
    lines = TRICKY.splitlines()
    found = positions(TRICKY)
    for path, line in found.items():
        key = next(part for part in reversed(path) if isinstance(part, str))
        assert key in lines[line - 1] or isinstance(path[-1], int), (path, line)
    assert found["list", 0] == 8
    assert found["list", 2] == 11
    assert found["s", 1, "n"] == lines.index('n = """a"""') + 1
    assert found["s", 0, "inner", 0, "m"] == lines.index("m = 1") + 1
    assert found["s", 1, "table", "last"] == len(lines)


def test_positions_of_the_whole_example() -> None:
    """Every option of the uncommented example has a position, and no other thing has."""
    text = uncommented()
    found = positions(text)
    raw = tomllib.loads(text)
    wanted = {path for path in keys(raw) if not set(path[:-1]) & FREE}
    tables = {("service",), ("service", 0, "probe"), ("hook",)}
    assert {path for path in wanted if path not in found} <= tables
    assert set(found) <= wanted
