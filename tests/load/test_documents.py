"""Load of documents: each new to the service, sent to where the platform takes them."""

from __future__ import annotations

import json

import pytest

from holdfast.errors import PlatformError
from holdfast.load.endpoint import Endpoint
from holdfast.load.outcome import outcome_of
from holdfast.load.prompt import Prompts, tokens_in
from holdfast.load.transport import Exchange
from holdfast.load.whole import read_whole
from holdfast.model.load import Arrival
from holdfast.model.platform import Endpoints
from holdfast.spec.profile import read_profile

PLATFORM = Endpoints(gateway="http://g", prometheus="", alerts="", api_key="k", documents="http://d")


def document(number: int, stamp: str = "monday", seed: int = 1) -> dict[str, str]:
    endpoint = Endpoint(name="documents", stamp=stamp)
    arrival = Arrival(number=number, due=0.0, prompt_tokens=600, answer_tokens=5)
    return json.loads(endpoint.body(Prompts(seed), arrival, "sim"))


def outcome(status: int, body: bytes = b"{}") -> str:
    exchange = Exchange(
        status=status, content_type="application/json", chunks=((1.0, body),), sent=0.0, ended=1.0, headers=1.0
    )
    wanted = Endpoint(name="documents").wanted
    return outcome_of(exchange, read_whole(exchange.chunks, wanted), wanted)[0]


def test_a_document_has_the_length_that_was_drawn_for_it():
    found = document(3)
    assert found.keys() == {"title", "text"}
    assert tokens_in(found["text"]) == pytest.approx(600, rel=0.01)


def test_no_two_documents_of_a_load_are_the_same_and_a_second_load_brings_others():
    # The service keeps what it has seen: a load that sent the same again would measure a look-up.
    assert document(1)["text"] != document(2)["text"]
    assert document(1)["text"] == document(1, stamp="tuesday")["text"]
    assert document(1)["title"] != document(1, stamp="tuesday")["title"]
    assert document(1)["title"] != document(2)["title"]


@pytest.mark.parametrize(
    ("status", "expected"), [(201, "ok"), (200, "ok"), (503, "http_error"), (429, "rejected"), (413, "http_error")]
)
def test_a_document_is_in_when_the_service_says_so(status, expected):
    assert outcome(status) == expected


def test_documents_are_sent_to_the_document_service_and_all_else_to_the_gateway():
    profile = read_profile("endpoint = documents\nrate = 4\n", "loadtests/documents.conf")
    assert PLATFORM.of(profile.endpoint) == "http://d"
    assert {PLATFORM.of(name) for name in ("chat", "completions", "embeddings", "/health")} == {"http://g"}


def test_a_platform_without_a_document_service_is_refused_before_anything_is_sent():
    with pytest.raises(PlatformError, match="takes no documents"):
        Endpoints(gateway="http://g", prometheus="", alerts="", api_key="k").of("documents")
