"""What goes wrong is told as a compiler does: where, what, the line with a caret, what to do."""

from __future__ import annotations

import pytest

from holdfast import errors
from holdfast.errors import ExitCode, Location, Problem, SpecError


def test_a_place_is_printed_so_that_editors_jump_there():
    assert str(Location(file="a.yaml", line=3, column=7)) == "a.yaml:3:7"
    assert str(Location(file="a.yaml")) == "a.yaml"


def test_problems_come_in_order_of_their_places_with_their_count():
    later = Problem(where=Location(file="a", line=9, column=1), what="second")
    first = Problem(where=Location(file="a", line=2, column=1), what="first", source="x: y", width=1)
    assert str(SpecError((later, first))) == "a:2:1: first\n    2 | x: y\n        ^\n\na:9:1: second\n\n2 problems"
    assert str(SpecError((later,))).endswith("1 problem")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError, ExitCode.USAGE),
        (errors.TargetError, ExitCode.USAGE),
        (errors.InfrastructureError, ExitCode.INFRASTRUCTURE),
        (errors.PlatformError, ExitCode.INFRASTRUCTURE),
        (errors.HoldfastError, ExitCode.BUG),
    ],
)
def test_every_error_knows_how_it_ends_the_process(error, code):
    assert error("x").exit_code is code
    assert error("x", hint="y").hint == "y"
    assert SpecError(()).exit_code is ExitCode.USAGE


def test_pytests_own_codes_keep_their_meaning():
    # 0 all passed, 1 some failed, 2 interrupted or usage, 3 internal, 4 usage, 5 nothing collected
    assert {int(code) for code in ExitCode} & {3, 4, 5} == set()
