"""Toxics of single answers: whom they pick, what they leave alone, and how they come to a live connection and go."""

from __future__ import annotations

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from answered import text, told
from holdfast.proxy.answers.answer import Answer
from holdfast.proxy.answers.toxic import Shape
from proxied import connect, rest, sends
from targets import eventually

KINDS = ["status", "empty_200", "black_hole", "cut", "stall", "malformed_event", "no_done", "slow", "wrong_usage"]
every = pytest.mark.parametrize("kind", KINDS)


def plain(client):
    return client.ask()[2], client.ask(stream=False)[2], client.ask(path="/v1/completions")[2]


@every
def test_a_request_that_is_not_picked_is_answered_byte_for_byte(talk, kind):
    client = talk.client()
    whole = plain(client)
    talk.toxic(kind, pick={"percent": 0})
    assert plain(client) == plain(talk.client()) == whole
    assert talk.counts(kind) == (6, 0, 0)


@every
def test_other_paths_are_never_picked(talk, kind):
    talk.toxic(kind)
    client = talk.client()
    assert client.asked() >= 0
    assert client.ask(path="/v1/embeddings")[3] == "whole"
    assert talk.counts(kind) == (0, 0, 0)


@every
def test_a_way_beside_it_has_none_of_it(talk, spoken, kind):
    talk.toxic(kind)
    assert text(spoken().client().ask()[2]) == [f"w{number} é" for number in range(6)]


@every
def test_it_goes_with_its_lease_and_a_connection_under_it_is_as_it_was(talk, kind):
    client = talk.client()
    whole = plain(client)
    talk.toxic(kind, lease=0.2, pick={"first": 0})
    client.ask()
    eventually(lambda: talk.ask("GET")[1]["toxics"] == [])
    assert plain(client) == whole


def statuses(client, times, **more):
    return [client.ask(**more)[0] for _ in range(times)]


def test_the_first_so_many_after_so_many_are_picked(talk):
    talk.toxic("status", pick={"after": 1, "first": 2})
    assert statuses(talk.client(), 5) == [200, 503, 503, 200, 200]
    assert talk.counts("status") == (5, 2, 2)


def test_they_are_counted_over_all_connections(talk):
    talk.toxic("status", pick={"first": 1})
    assert [statuses(talk.client(), 1) for _ in range(3)] == [[503], [200], [200]]


def test_a_model_and_a_tenant_are_picked(talk):
    talk.toxic("status", pick={"model": "tiny", "tenant": "acme"})
    client = talk.client()
    asked = [("tiny", "acme"), ("tiny", "other"), ("large", "acme"), ("tiny", "")]
    assert [client.ask(model=model, headers={"X-Tenant": tenant})[0] for model, tenant in asked] == [503, 200, 200, 200]
    assert talk.counts("status") == (1, 1, 1)


def test_the_same_seed_picks_the_same_ones(spoken):
    found = []
    for seed in (7, 7, 8):
        way = spoken()
        way.toxic("status", pick={"percent": 50, "seed": seed})
        found.append(statuses(way.client(), 20))
    assert found[0] == found[1] != found[2]
    assert 0 < found[0].count(503) < 20


def test_settings_change_for_the_next_request_and_the_count_goes_on(talk):
    talk.toxic("status")
    client = talk.client()
    assert statuses(client, 1) == [503]
    talk.ask("PATCH", "/toxics/status", {"attributes": {"status": 429}})
    assert statuses(client, 1) == [429]
    assert talk.counts("status") == (2, 2, 2)
    talk.ask("PATCH", "/toxics/status", {"lease": 20})
    assert talk.ask("GET", "/toxics/status")[1]["lease"] > 19


def test_the_toxic_tells_what_it_met(talk):
    talk.toxic("cut", tokens=1)
    talk.client().ask()
    shown = talk.ask("GET", "/toxics/cut")[1]
    assert (shown["matched"], shown["picked"], shown["struck"]) == (1, 1, 1)
    assert talk.ask("GET", "/observed")[1]["toxics"]["cut"]["cuts"] == 1


def test_prometheus_reads_how_many_were_struck_also_by_those_that_are_gone(talk):
    for _ in range(2):
        talk.toxic("status")
        assert statuses(talk.client(), 2) == [503, 503]
        talk.ask("DELETE", "/toxics/status")
    line = f'holdfast_proxy_answers_struck_total{{proxy="{talk.name}",toxic="status"}} 4.0'
    assert line in talk.proxied.ask("GET", "/metrics")[1].splitlines()


def test_two_enclose_each_other_and_each_sees_what_the_other_leaves(talk):
    talk.proxied.toxic(talk.name, "status", name="first", pick={"first": 1})
    talk.proxied.toxic(talk.name, "no_done", name="second")
    talk.proxied.toxic(talk.name, "wrong_usage", name="third", off=1)
    client = talk.client()
    assert client.ask()[0] == 503
    body = client.ask()[2]
    assert b"[DONE]" not in body
    assert [one["usage"]["completion_tokens"] for one in told(body) if "usage" in one] == [7]
    assert [talk.counts(one)[0] for one in ("first", "second", "third")] == [2, 1, 1]


def test_one_of_bytes_beside_it_works_as_ever(talk):
    talk.toxic("wrong_usage", off=1)
    talk.proxied.toxic(talk.name, "slicer", average_size=10, delay=100)
    body = talk.client().ask()[2]
    assert len(text(body)) == 6
    assert b'"completion_tokens":7' in body


def test_an_answer_under_way_when_it_comes_is_left_alone(talk):
    client = talk.client()
    client.connection.request("POST", "/v1/chat/completions", '{"stream": true, "max_tokens": 20, "pace": 0.02}')
    answer = client.connection.getresponse()
    got = answer.read1(65536)
    talk.toxic("cut", tokens=0)
    assert len(text(got + answer.read())) == 20
    assert client.ask()[3] == "cut"


def test_an_answer_under_way_when_it_goes_is_whole(talk):
    talk.toxic("malformed_event", tokens=10)
    client = talk.client()
    client.connection.request("POST", "/v1/chat/completions", '{"stream": true, "max_tokens": 20, "pace": 0.02}')
    answer = client.connection.getresponse()
    got = answer.read1(65536)
    talk.ask("DELETE", "/toxics/malformed_event")
    got += answer.read()
    assert (len(text(got)), told(got)[-1]) == (20, "[DONE]")
    assert client.ask()[3] == "whole"


def test_a_request_in_many_pieces_is_one(talk):
    talk.toxic("status")
    body = b'{"model": "tiny"}'
    request = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    one = connect(talk.port)
    for place in range(len(request)):
        one.sendall(request[place : place + 1])
    assert one.recv(65536).startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    one.close()


@pytest.mark.parametrize("data", [b"\x00\x01\x02 no HTTP\r\n\r\n", b"GET /health HTTP/1.0\r\n\r\n", b"POST x\r\n"])
def test_what_is_no_request_for_an_answer_passes_as_it_came(ways, data):
    way = ways(sends(b"as it came"))
    way.proxied.toxic(way.name, "cut", tokens=0)
    client = way.client()
    client.sendall(data)
    client.shutdown(1)
    assert rest(client)[0] == b"as it came"


def test_an_upstream_that_speaks_no_http_is_not_taken_for_whole(ways):
    way = ways(sends(b"nonsense"))
    way.proxied.toxic(way.name, "cut", tokens=3)
    client = way.client()
    client.sendall(b"POST /v1/completions HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
    assert rest(client)[:2] == (b"", "closed")


# However the bytes of an answer are cut on their way, a client reads the same body.

EVENTS = st.lists(
    st.sampled_from(
        [b"data: {}\n\n", b"data: [DONE]\n\n", b": beat\n\n", b'data: {"a":\ndata: 1}\r\n\r\n', "data: é\n\n".encode()]
    ),
    max_size=6,
)


class Body:
    """What an HTTP client reads."""

    def __init__(self, data):
        self.body, self.over = b"", False
        httptools.HttpResponseParser(self).feed_data(data)

    def on_body(self, data):
        self.body += data

    def on_message_complete(self):
        self.over = True


@given(events=EVENTS, rest=st.sampled_from([b"", b"data: half"]), data=st.data(), streams=st.booleans())
def test_an_answer_to_which_nothing_is_done_has_the_same_body_however_it_is_cut(events, rest, data, streams):
    body = b"".join(events) + rest
    kind = b"text/event-stream" if streams else b"application/json"
    places = sorted(data.draw(st.sets(st.integers(0, len(body)), max_size=5)))
    chunks = [body[a:b] for a, b in zip([0, *places], [*places, len(body)], strict=True) if a < b]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n" % kind
    sent = head + b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in [*chunks, b""])
    cuts = sorted(data.draw(st.sets(st.integers(1, len(sent) - 1), max_size=8)))
    answer = Answer(Shape(lambda: None))
    came = [piece for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True) for piece in answer.feed(sent[a:b], 1.0)]
    heard = Body(b"".join(piece.what for piece in came))
    assert (heard.body, heard.over, answer.over) == (body, True, True)


def test_a_status_that_has_no_name_is_passed_on_without_one():
    # RFC 9112, section 4: the reason may be empty, and 499 has none in any list.
    answer = Answer(Shape(lambda: None))
    sent = b"HTTP/1.1 499 \r\ncontent-length: 2\r\n\r\nhi"
    assert b"".join(piece.what for piece in answer.feed(sent, 1.0)) == sent
