"""What of a Chaos Toolkit document is ours, with its configuration filled in; everything else is left alone."""

from __future__ import annotations

import pytest

from holdfast.errors import UsageError
from holdfast.spec.experiment import MODULE, calls, filled, lasting


def an_action(func="strike", module=MODULE, **arguments):
    provider = {"type": "python", "module": module, "func": func, "arguments": arguments}
    return {"type": "action", "name": f"{func} it", "provider": provider}


def a_document(*method, rollbacks=(), **more):
    return {"title": "t", "description": "d", "method": list(method), "rollbacks": list(rollbacks), **more}


KILL = an_action(fault="kill", role="engine", count=1)
BACK = an_action("restore", fault="kill", role="engine")


def test_strikes_holds_and_restores_are_found_in_order_with_their_place():
    found = calls(a_document(KILL, an_action("hold", seconds=3), rollbacks=[BACK]))
    assert [(one.func, one.section, one.index) for one in found] == [
        ("strike", "method", 0),
        ("hold", "method", 1),
        ("restore", "rollbacks", 0),
    ]
    assert found[2].path == ("rollbacks", 0, "provider", "arguments")


def test_one_section_can_be_asked_for_alone():
    assert [one.func for one in calls(a_document(KILL, rollbacks=[BACK]), "rollbacks")] == ["restore"]


def test_an_action_of_somebody_else_is_told_without_a_function():
    (found,) = calls(a_document(an_action("delete_pods", "chaosk8s.pod.actions", name="x")))
    assert (found.func, found.name) == ("", "delete_pods it")


@pytest.mark.parametrize("odd", [5, "kill", {}, {"type": "probe", "name": "look"}])
def test_what_is_no_action_is_passed_over(odd):
    assert calls(a_document(odd)) == ()


@pytest.mark.parametrize(
    ("configured", "seconds"),
    [
        ({"long": 7}, 7),
        ({"long": {"type": "env", "key": "LONG", "default": 9}}, 9),
        ({"long": {"type": "env", "key": "LONG"}}, "${long}"),
        ({}, "${long}"),
    ],
)
def test_what_its_configuration_says_is_filled_in_where_that_is_known(configured, seconds):
    document = a_document(an_action("hold", seconds="${long}"), configuration=configured)
    assert calls(document)[0].arguments == {"seconds": seconds}
    assert filled(document)["method"][0]["provider"]["arguments"] == {"seconds": seconds}
    assert document["method"][0]["provider"]["arguments"] == {"seconds": "${long}"}  # and the document stays as it is


def test_a_hold_can_be_made_longer_and_the_document_stays_as_it_was():
    document = a_document(KILL, an_action("hold", seconds=3))
    assert calls(lasting(document, 15.0))[1].arguments == {"seconds": 15.0}
    assert calls(document)[1].arguments == {"seconds": 3}


def test_one_that_holds_nothing_gets_a_hold_at_the_end():
    assert [(one.func, dict(one.arguments)) for one in calls(lasting(a_document(KILL), 15.0))][1:] == [
        ("hold", {"seconds": 15.0})
    ]


def test_of_two_holds_nobody_knows_which_is_meant():
    with pytest.raises(UsageError, match="holds 2 times"):
        lasting(a_document(an_action("hold", seconds=3), an_action("hold", seconds=4)), 15.0)
