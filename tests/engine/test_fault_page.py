"""The page about the faults is what they say of themselves, and each of them has a test that saw it."""

from pathlib import Path

import pytest

from refplatform.engine.faults.catalogue import known
from refplatform.engine.faults.fault import AnswerFault, EngineFault
from refplatform.engine.faults.page import page

ROOT = Path(__file__).parents[2]
TESTS = "\n".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
EXITS = {"oom-exit"}
"""These end the process, so that a test of their own sees them gone."""


def test_the_page_is_made_of_the_faults(golden):
    golden(ROOT / "docs" / "reference" / "engine-faults.md", page())


@pytest.mark.parametrize("name", known())
def test_every_fault_says_all_there_is_to_say(name):
    fault = known()[name]
    assert issubclass(fault, (AnswerFault, EngineFault))
    assert all((fault.__doc__, fault.client, fault.metrics, fault.end))
    for parameter, field in fault.model_fields.items():
        assert field.description, parameter
        assert field.json_schema_extra["unit"], parameter


@pytest.mark.parametrize("name", known())
def test_every_fault_has_a_test_by_its_name_that_saw_it_come_and_go(name):
    assert f"def test_{name.replace('-', '_')}_" in TESTS
    assert f'rig.life("{name}"' in TESTS or name in EXITS


def test_what_was_asked_for_is_there():
    assert set(known()) >= {
        *("slow", "stall", "cut", "malformed-event", "no-done", "wrong-usage", "empty-200"),
        *("status", "black-hole"),
        *("core-dead", "hang", "oom-exit", "kv-exhaustion", "cold-prefix-cache", "slow-load", "load-failure"),
        *("throttled-clock", "xid", "ecc-errors", "rank-lost"),
    }
