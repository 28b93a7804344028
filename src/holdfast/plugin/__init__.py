"""The pytest face: `pytest scenarios/ --holdfast` makes every expectation a test; without that option nothing happens.

A test that leaves by `os._exit(0)` is seen; one that replaces the process, or ends it from C, ends pytest with the code
it likes: no plugin can see that.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.app import Outcome


def pytest_addoption(parser: pytest.Parser) -> None:
    """Mirror the options of `holdfast gate`."""
    group = parser.getgroup("holdfast", "SLOs under load and faults")
    group.addoption("--holdfast", action="store_true", help="run scenarios/*.yaml; each expectation is a test")
    group.addoption(
        "--holdfast-state",
        metavar="DIR",
        action="append",
        help="folder of the platform's state; once for each platform, and worker gw1 of `-n 2` takes the second",
    )
    group.addoption(
        "--holdfast-runs", metavar="DIR", default=os.environ.get("HOLDFAST_RUNS"), help="folder of all runs"
    )
    group.addoption(
        "--holdfast-subject", metavar="TEXT", default="", help="digest of what is judged; the Git commit by default"
    )
    group.addoption(
        "--holdfast-partial",
        action="store_true",
        help="exit 0 although expectations were deselected, skipped or not run, if all that were judged passed",
    )
    group.addoption(
        "--holdfast-despite-freeze",
        metavar="REASON",
        default=None,
        help="pass over a freeze of error budgets, as for a fix; stands in the summary",
    )
    group.addoption(
        "--holdfast-judge",
        metavar="RUN",
        action="append",
        default=[],
        help="judge this stored run of a scenario instead of running it; once for each scenario",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Name the mark; with --holdfast, bring in everything else."""
    config.addinivalue_line(
        "markers",
        "holdfast(scenario, **labels): every expectation has it; -m \"holdfast(gate='quickstart')\" selects by label",
    )
    if config.getoption("holdfast"):
        from holdfast.plugin.gate import Gate

        # Without a name of its own it cannot be blocked with `-p no:NAME`, which would let --holdfast prove nothing.
        config.pluginmanager.register(Gate(config))


@pytest.fixture(scope="session")
def holdfast_outcome(pytestconfig: pytest.Config) -> Callable[[str], Outcome]:
    """`holdfast_outcome(name)`: report, timeline and folder of that scenario's run, which it starts if need be."""
    if not pytestconfig.getoption("holdfast"):
        pytest.skip("there are outcomes only with --holdfast")
    from holdfast.plugin.runs import RUNS, outcome_of

    return outcome_of(pytestconfig.stash[RUNS], pytestconfig.rootpath)
