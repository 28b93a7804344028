"""Embeddings: unit vectors in which texts that share words are near, served in OpenAI's shape by the same scheduler."""

import base64
import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refplatform.engine.embeddings import embed
from refplatform.engine.models import Models
from refplatform.engine.wire.embeddings import read_embedding
from refplatform.engine.wire.errors import BadAskError

PATH = "/v1/embeddings"


def near(one, other):
    """The cosine of two unit vectors."""
    return sum(map(math.prod, zip(one, other, strict=True)))


@given(st.text(), st.integers(1, 300))
def test_every_text_has_a_vector_of_length_one_and_always_the_same(text, dimensions):
    vector = embed(text, dimensions)
    assert len(vector) == dimensions
    assert math.hypot(*vector) == pytest.approx(1)
    assert embed(text, dimensions) == vector


def test_texts_that_share_words_are_near_and_others_are_not():
    asked = embed("How do I reset the password of my account?")
    right = embed("To reset a password, open the account page and choose a new password.")
    wrong = embed("Turbines turn wind into electric power at sea.")
    assert near(asked, right) > 0.4
    assert abs(near(asked, wrong)) < 0.2


def test_text_lists_and_token_ids_are_answered_in_order(engine, web):
    url = engine().url
    reply = web.fetch(url, PATH, {"model": "chat", "input": ["storm tide", "kelp"]}).json
    assert [(one["object"], one["index"]) for one in reply["data"]] == [("embedding", 0), ("embedding", 1)]
    assert [one["embedding"] for one in reply["data"]] == [embed("storm tide"), embed("kelp")]
    # "storm tide" has 10 bytes: 3 tokens at four bytes a token; "kelp" has 1
    assert reply["usage"]["prompt_tokens"] == reply["usage"]["total_tokens"] == 4
    ids = web.fetch(url, PATH, {"input": [int.from_bytes(b"kelp")]}).json  # the id of four bytes is their value
    assert ids["data"][0]["embedding"] == embed("kelp")


def test_base64_holds_the_same_numbers_as_32_bit_floats(engine, web):
    body = {"model": "chat", "input": "kelp", "encoding_format": "base64", "dimensions": 8}
    text = web.fetch(engine().url, PATH, body).json["data"][0]["embedding"]
    assert struct.unpack("<8f", base64.b64decode(text)) == pytest.approx(embed("kelp", 8))


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({}, 400, "body.input"),
        ({"input": []}, 400, None),
        ({"input": ["x", ""]}, 400, None),
        ({"input": [-1]}, 400, "body.input.0"),
        ({"input": "x" * 401}, 400, "input_tokens"),  # 101 tokens; the context holds 100
        ({"input": "x", "dimensions": 0}, 400, "body.dimensions"),
        ({"input": "x", "encoding_format": "hex"}, 400, "body.encoding_format"),
        ({"model": "other", "input": "x"}, 404, "model"),
    ],
)
def test_what_cannot_be_embedded_is_refused_with_the_parameters_name(body, status, param):
    with pytest.raises(BadAskError) as caught:
        read_embedding(json.dumps(body).encode(), Models(base="m", max_model_len=100))
    assert (caught.value.status, caught.value.param) == (status, param)


def test_an_embedding_costs_its_prompt_and_generates_nothing(engine, web):
    url = engine().url
    web.fetch(url, PATH, {"model": "chat", "input": ["storm tide", "kelp"]})
    value = web.metrics(url)
    assert value("vllm:prompt_tokens_total") == 4
    assert value("vllm:generation_tokens_total") == 0
    assert value("vllm:request_success_total", finished_reason="stop") == 2
