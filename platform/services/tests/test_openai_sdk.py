"""OpenAI's own Python client against the engine, unchanged: whole answers, streams, tools, JSON, embeddings, errors."""

import json

import pytest

from refplatform.engine.embeddings import embed

openai = pytest.importorskip("openai", reason="the package openai is not installed; it is no dependency")

TOOL = {
    "type": "function",
    "function": {
        "name": "get_tide",
        "description": "The tide of a bay.",
        "parameters": {"type": "object", "properties": {"bay": {"type": "string"}}, "required": ["bay"]},
    },
}
ASK = {"model": "chat", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def client(engine):
    with openai.OpenAI(base_url=f"{engine().url}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_chats_whole_and_streamed_say_the_same(client):
    whole = client.chat.completions.create(**ASK, max_tokens=12)
    stream = client.chat.completions.create(**ASK, max_tokens=12, stream=True, stream_options={"include_usage": True})
    *chunks, last = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole.choices[0].message.content
    assert chunks[-1].choices[0].finish_reason == whole.choices[0].finish_reason == "length"
    assert last.usage.completion_tokens == whole.usage.completion_tokens == 12


def test_text_completions_with_probabilities(client):
    choice = client.completions.create(model="chat", prompt="kelp", max_tokens=3, logprobs=2, echo=True).choices[0]
    assert choice.text.startswith("kelp")
    assert choice.logprobs.tokens == ["kelp", *(choice.text[start : start + 4] for start in (4, 8, 12))]
    assert choice.logprobs.text_offset == [0, 4, 8, 12]
    assert [len(top) if top else top for top in choice.logprobs.top_logprobs] == [None, 3, 3, 3]


def test_several_answers_with_probabilities_in_one_stream(client):
    stream = client.chat.completions.create(**ASK, max_tokens=4, n=2, stream=True, logprobs=True, top_logprobs=2)
    choices = [chunk.choices[0] for chunk in stream]
    texts = {index: "".join(c.delta.content for c in choices if c.index == index) for index in (0, 1)}
    assert texts[0] != texts[1]
    told = [choice.logprobs.content[0] for choice in choices if choice.logprobs]
    assert len(told) == 8  # 2 * 4
    assert all(len(one.top_logprobs) == 2 for one in told)


def test_the_helper_for_streams_puts_tool_calls_together(client):
    with client.chat.completions.stream(**ASK, tools=[TOOL], tool_choice="required") as stream:
        choice = stream.get_final_completion().choices[0]
    (call,) = choice.message.tool_calls
    assert call.function.name == "get_tide"
    assert isinstance(json.loads(call.function.arguments)["bay"], str)
    assert choice.finish_reason == "tool_calls"


def test_json_objects_are_json(client):
    text = client.chat.completions.create(**ASK, response_format={"type": "json_object"}).choices[0].message.content
    assert isinstance(json.loads(text), dict)


def test_embeddings_arrive_as_numbers_although_the_client_asks_for_base64(client):
    found = client.embeddings.create(model="chat", input=["storm tide", "kelp"])
    assert found.data[1].embedding == pytest.approx(embed("kelp"), abs=1e-6)
    assert found.usage.prompt_tokens == 4


def test_models_are_listed(client):
    assert [model.id for model in client.models.list()] == ["chat"]


def test_errors_become_the_clients_exceptions(client):
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(**(ASK | {"model": "other"}))
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**ASK, max_tokens=0)
    assert caught.value.param == "max_tokens"
