"""Whatever happens to a sealed run folder, nobody gets a PASS from it, and nobody gets a traceback."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from examples import quickstart, write_run
from holdfast.errors import HoldfastError
from holdfast.judge import judge
from holdfast.model.verdict import State
from holdfast.store.folder import SEAL, recorded
from holdfast.store.reading import read_timeline
from holdfast.testing import a_timeline


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    story = a_timeline(scenario=quickstart())
    folder = write_run(tmp_path_factory.mktemp("runs") / "whole", story)
    assert judge(read_timeline(folder)).state is State.PASS
    return folder


def state_of(run):
    try:
        return judge(read_timeline(run)).state
    except HoldfastError:
        return None  # refused, with a reason and a hint


def cut(data, at):
    return data[:at]


def flip(data, at):
    return data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :]


def repeat(data, at):
    return data[:at] + data[at:] * 2


def blank(data, at):
    return data[:at] + b"\0" * len(data[at:])


DAMAGES = {"cut": cut, "flip": flip, "repeat": repeat, "blank": blank}


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_touched_run_is_never_a_pass_and_never_a_traceback(run, data):
    name = data.draw(st.sampled_from([*recorded(run), SEAL]), label="file")
    damage = data.draw(st.sampled_from(sorted(DAMAGES)), label="damage")
    path = run / name
    whole = path.read_bytes()
    if not whole:
        return
    at = data.draw(st.integers(0, len(whole) - 1), label="at")
    try:
        path.write_bytes(DAMAGES[damage](whole, at))
        assert state_of(run) is not State.PASS
    finally:
        path.write_bytes(whole)


def test_and_the_untouched_one_still_is(run):
    assert state_of(run) is State.PASS


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_damage_that_came_before_the_seal_is_no_traceback_either(tmp_path_factory, data):
    # Sealed after the damage: the digests match, so every reader meets the damaged file itself.
    from holdfast.store.folder import seal

    story = a_timeline(scenario=quickstart(), complete=False)
    folder = write_run(tmp_path_factory.mktemp("runs") / "whole", story)
    name = data.draw(st.sampled_from(recorded(folder)), label="file")
    whole = (folder / name).read_bytes()
    at = data.draw(st.integers(0, max(0, len(whole) - 1)), label="at")
    (folder / name).write_bytes(DAMAGES[data.draw(st.sampled_from(sorted(DAMAGES)))](whole, at) if whole else b"\0")
    seal(folder)
    assert state_of(folder) is not State.PASS
