"""Whatever a file says, it is understood or refused in single lines; nothing else is ever raised."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from acmd.config.load import Loaded, understand
from acmd.config.problems import ConfigRefused
from acmd.config.schema import Document
from acmd.config.schema_probes import PROBE_KINDS
from acmd.config.schema_services import KINDS, CommonTable, RestartTable
from tests.unit.configs import FILE, HOST

VALUES = (
    *(
        '""',
        '"x"',
        '"/"',
        '"/x"',
        '"\\u0000"',
        '"a\\nb"',
        '"ü"',
        "0",
        "1",
        "-1",
        "1.5",
        "1e300",
        "inf",
        "-inf",
        "nan",
    ),
    *("9223372036854775808", "true", "[]", "[[]]", '["/x", 1]', '[""]', "{}", "{ a = 1 }", '{ "" = "" }'),
    *("2024-01-01", "2024-01-01T00:00:00Z", "12:00:00", f'"{"x" * 5000}"', f"1{'0' * 5000}"),
)
BEFORE = '[[service]]\nname = "web"\ncommand = ["/web"]\n'


def outcome(text: str) -> Loaded | list[str]:
    try:
        return understand(FILE, text, host=HOST)
    except ConfigRefused as refused:
        return [problem.text(FILE) for problem in refused.problems]


def options() -> list[tuple[str, str]]:
    """Each option with the text of its section, without that option."""
    found = []
    for section, field in Document.model_fields.items():
        model: Any = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            found += [(f"[{section}]\n", key) for key in model.model_fields]
    for kind, table in KINDS.items():
        found += [(f'[[service]]\nkind = "{kind}"\n', key) for key in table.model_fields if key != "kind"]
    found.append(("[[service]]\n", "kind"))
    for kind, probe in PROBE_KINDS.items():
        before = f'{BEFORE}[[service.probe]]\nkind = "{kind}"\n'
        found += [(before, key) for key in probe.model_fields if key != "kind"]
    found.append((f"{BEFORE}[[service.probe]]\n", "kind"))
    found += [
        ('services = ["MYSQL"]\n[[service]]\nname = "MYSQL"\n', key)
        for key in CommonTable.model_fields
        if key != "name"
    ]
    return found + [(f"{BEFORE}[service.restart]\n", key) for key in RestartTable.model_fields]


@pytest.mark.parametrize(("before", "key"), options())
def test_odd_values(before: str, key: str) -> None:
    """Every option with every odd value gives a configuration, or lines that name the option's line."""
    for value in VALUES:
        result = outcome(f"{before}{key} = {value}\n")
        if isinstance(result, Loaded):
            assert result.config.timing.broken() == []
        else:
            assert result
            assert all("\n" not in line and len(line) < 6000 for line in result), value
            assert all(line.startswith(FILE) for line in result)


@pytest.mark.parametrize("section", [*Document.model_fields, "nonsense"])
def test_odd_sections(section: str) -> None:
    """A section that is a value, a list, or a list of tables is understood or refused."""
    for value in VALUES:
        assert outcome(f"{section} = {value}\n")
    assert outcome(f"[[{section}]]\n")
    assert outcome(f"[{section}]\n[{section}.x]\n[[{section}.y]]\n")


@given(st.text(alphabet="[]{}=.,#\"'\n\\ abcservicetimng_0123456789-", max_size=120))
def test_random_text(text: str) -> None:
    """Random text of TOML's own characters raises nothing but a refusal."""
    outcome(text)
    outcome(BEFORE + text)
    outcome(f'services = ["MYSQL"]\n{text}')
