"""`slow`: late at the beginning, or between the tokens; the text is right."""

from __future__ import annotations

from answered import text


def test_the_first_token_comes_so_late_and_the_others_at_once(talk):
    talk.toxic("slow", first=0.4)
    _, _, body, end, times = talk.client().ask()
    assert (len(text(body)), end) == (6, "whole")
    assert times[0] < 0.3  # the role
    assert 0.4 <= times[-1] < 0.4 + 0.4


def test_each_later_token_waits(talk):
    talk.toxic("slow", each=0.1)
    _, _, body, _, times = talk.client().ask(5)
    # Five tokens have four gaps.
    assert (len(text(body)), times[-1] >= 0.4, times[0] < 0.1) == (5, True, True)


def test_an_answer_that_is_no_stream_is_as_late_as_a_first_token(talk):
    talk.toxic("slow", first=0.3)
    _, _, body, end, times = talk.client().ask(stream=False)
    assert (times[0] >= 0.3, len(body) > 0, end) == (True, True, "whole")


def test_when_it_goes_an_answer_under_way_goes_on_at_once(talk):
    talk.toxic("slow", each=60)
    client = talk.client()
    client.connection.request("POST", "/v1/chat/completions", '{"stream": true, "max_tokens": 5}')
    answer = client.connection.getresponse()
    got = b""
    while b"w0" not in got:
        got += answer.read1(65536)
    talk.ask("DELETE", "/toxics/slow")
    assert len(text(got + answer.read())) == 5
