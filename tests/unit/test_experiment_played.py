"""What an experiment that was played may say of itself: PASS only for faults that were there as long as was asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.chaos.ledger import Entry
from holdfast.errors import ExitCode
from holdfast.experiments.play import Played


def played(*steps):
    told = [
        Entry(id="a", run="r", fault="stop", step=step, name="engine-1", role="engine", unit="1@1", monotonic=0, wall=0)
        for step in steps
    ]
    words = {"error": "", "failed_rollbacks": "", "deviated": False, "signal": ""}
    return Played(experiment="hang", run="r", folder=Path(), steps=tuple(told), left=(), **words)


def test_a_fault_that_bit_was_undone_and_is_gone_is_a_pass():
    one = played("asked", "applied", "observed", "undone", "gone")
    assert (one.unseen, one.exit_code) == ((), ExitCode.PASS)


@pytest.mark.parametrize(
    "steps",
    [
        (
            "asked",
            "applied",
            "observed",
            "lapsed",
            "undone",
            "gone",
        ),  # its harness was frozen for longer than its lease
        ("asked", "applied", "observed", "forgotten"),  # somebody said so; nobody saw it gone
        ("asked", "applied", "observed", "astray", "undone", "gone"),
        ("asked", "applied", "unseen", "undone", "gone"),
        ("refused",),
        (),
    ],
)
def test_whatever_else_it_went_through_is_unknown(steps):
    one = played(*steps)
    assert one.unseen
    assert one.exit_code == ExitCode.UNKNOWN
