"""`core.nodefile`: a node's own file, and what is made of anybody else's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acmd.core.nodefile import TEXT_LIMIT, NodeFile, from_content, to_content
from tests.tasks.board_kit import node_file
from tests.unit.test_orders import JSON

SERVICE = {"name": "web", "state": "running", "runs_on": "active"}
OPTIONAL = {"services", "held_down", "users", "config_digest"}
GOOD = node_file("b", 7, services=(SERVICE,))


def test_what_is_written_is_read() -> None:
    """A node file survives the way through JSON."""
    assert from_content(json.loads(json.dumps(to_content(GOOD)))) == GOOD


@pytest.mark.parametrize("key", [key for key in to_content(GOOD) if key not in OPTIONAL])
@pytest.mark.parametrize("value", [None, 1.5, [], {}])
def test_a_field_of_the_wrong_type(key: str, value: object) -> None:
    """The file is ignored, and the reason names the field."""
    assert from_content({**to_content(GOOD), key: value}) == f"{key} is missing or of the wrong type"


def test_numbers_are_not_truth_values() -> None:
    """`fit` is true or false, `beat` a number; JSON's 1 is not true and true is not 1."""
    assert from_content({**to_content(GOOD), "fit": 1}) == "fit is missing or of the wrong type"
    assert from_content({**to_content(GOOD), "beat": True}) == "beat is missing or of the wrong type"


@pytest.mark.parametrize("services", [None, {}, "web", 3])
def test_services_that_are_no_list(services: object) -> None:
    """Ignored with the reason."""
    assert from_content({**to_content(GOOD), "services": services}) == "services is not a list"


def test_what_is_kept_is_bounded() -> None:
    """Texts are cut, services beyond a hundred left out, entries that are no service too."""
    content = to_content(node_file("b", role="r" * 10_000))
    content["services"] = [SERVICE, 3, {"name": "n" * 10_000}, None, *[SERVICE] * 500]
    found = from_content(content)
    assert isinstance(found, NodeFile)
    assert len(found.role) == TEXT_LIMIT
    assert len(found.services) <= 100
    assert found.services[1] == {"name": "n" * TEXT_LIMIT, "state": "", "runs_on": ""}


def test_what_is_particular_of_a_service_is_kept() -> None:
    """Since when, restarts, detail and the last probe; nonsense in their place is left out or put right."""
    probe = {"name": "http", "ok": True, "detail": "", "age_s": 0.5}
    whole = {**SERVICE, "since_s": 3.5, "restarts": 2, "detail": "exit code 1", "probes": [probe]}
    bad = {**SERVICE, "since_s": "3", "restarts": True, "detail": 7, "probes": [3, {"ok": 1, "age_s": -1}]}
    found = from_content({**to_content(GOOD), "services": [whole, bad]})
    assert isinstance(found, NodeFile)
    assert found.services[0] == whole
    assert found.services[1] == {**SERVICE, "probes": [{"name": "", "ok": False, "detail": "", "age_s": 0.0}]}


@given(st.dictionaries(st.sampled_from(sorted(to_content(GOOD))), JSON))
def test_whatever_a_file_holds(changes: dict[str, Any]) -> None:
    """Any JSON is a node file that can be written again, or a reason."""
    found = from_content({**to_content(GOOD), **changes})
    if isinstance(found, str):
        assert found
    else:
        assert from_content(json.loads(json.dumps(to_content(found)))) == found


def test_what_an_earlier_version_does_not_say() -> None:
    """Neither a hold-down nor services held by an operator, no users and no digest: as if there were none."""
    content = {key: value for key, value in to_content(GOOD).items() if key not in OPTIONAL - {"services"}}
    assert from_content(content) == GOOD
    held = from_content({**to_content(GOOD), "held_down": True, "services": [{**SERVICE, "held": "paused"}]})
    assert isinstance(held, NodeFile)
    assert held.held_down
    assert held.services == ({**SERVICE, "held": "paused"},)
