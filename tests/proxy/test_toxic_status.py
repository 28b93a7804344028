"""`status`: refused as a provider refuses, and the engine is not asked."""

from __future__ import annotations

import json

import pytest


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"status": 429, "retry_after": 2}, "rate_limit_exceeded"),
        ({"status": 503}, None),
        ({"status": 500}, None),
        ({"status": 400, "reason": "content_filter"}, "content_filter"),
    ],
)
def test_a_request_is_refused_with_the_error_of_its_status_and_never_arrives(talk, options, code):
    client = talk.client()
    before = client.asked()
    talk.toxic("status", **options)
    for _ in range(2):  # on one connection, which stays
        status, headers, body, end, _ = client.ask()
        assert (status, end) == (options["status"], "whole")
        assert json.loads(body)["error"]["code"] == code
        assert headers.get("retry-after") == (str(options["retry_after"]) if "retry_after" in options else None)
    assert client.asked() == before
    assert talk.counts("status") == (2, 2, 2)


def test_a_status_that_no_provider_has_is_refused(talk):
    status, said = talk.ask("POST", "/toxics", {"type": "status", "attributes": {"status": 418}})
    assert (status, "status: Input should be 400, 429, 500 or 503" in said["error"]) == (400, True)
