"""Every scenario's output blocks hold what its input gives; UPDATE_GOLDEN=1 writes them anew instead."""

import os
import re
from pathlib import Path

import pytest

import xds_server.filters
from tests.scenarios.scenario import Scenario, load_all

SCENARIOS = load_all()
MOST_LINES = 150
LEAST = 70


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenario(scenario: Scenario) -> None:
    wanted = scenario.told()
    if os.environ.get("UPDATE_GOLDEN"):
        scenario.path.write_text(wanted)
    else:
        assert scenario.path.read_text() == wanted


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_shape(scenario: Scenario) -> None:
    lines = scenario.path.read_text().splitlines()
    assert len(lines) <= MOST_LINES
    assert re.match(r"# \S", lines[0]), "a title first"
    prose = "".join(block.text for block in scenario.blocks if not block.label)
    assert len(prose.replace(lines[0], "").strip()) > 40, "prose that says what is right, and why"


def test_there_are_enough() -> None:
    assert len(SCENARIOS) >= LEAST


def test_every_filter_has_a_scenario() -> None:
    folder = Path(xds_server.filters.__file__).parent
    stems = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert not {stem for stem in stems if not any(stem in scenario.name for scenario in SCENARIOS)}
