"""What an answer says: always the same, as long as was asked, cut at stop strings, and in tokens that add up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refplatform.engine.answers import answer_tokens
from refplatform.engine.speech import Wish, say, split
from refplatform.engine.tokens import VOCABULARY, count, decode, encode, hashes_of


@given(st.integers(), st.text(), st.integers(1, 50), st.integers(1, 50))
def test_the_same_seed_and_prompt_give_the_same_answer_and_a_longer_one_begins_with_it(seed, prompt, short, more):
    assert answer_tokens(seed, prompt, short + more)[:short] == answer_tokens(seed, prompt, short)


@given(st.text(), st.integers(1, 100))
def test_an_answer_tokenised_again_has_the_tokens_that_it_was_made_of(prompt, length):
    tokens = answer_tokens(1, prompt, length)
    assert [decode([one]) for one in encode("".join(tokens))] == tokens


@given(st.text())
def test_decoding_what_was_encoded_gives_the_text_and_the_count_is_that_of_the_ids(text):
    ids = encode(text)
    assert decode(ids) == text
    assert len(ids) == count(text)
    assert all(0 <= one < VOCABULARY for one in ids)


@given(st.integers(0, VOCABULARY - 1))
def test_every_id_is_one_piece(identity):
    assert decode([identity]) != ""


@given(st.text())
def test_split_text_shows_every_character_once(text):
    assert "".join(split(text)) == text
    assert len(split(text)) == count(text)


@given(st.lists(st.integers(0, 2**32), max_size=80), st.integers(0, 80))
def test_blocks_have_the_same_name_exactly_as_far_as_the_tokens_are_the_same(ids, changed):
    other = [*ids[:changed], *(one + 1 for one in ids[changed:])]
    same = min(changed, len(ids)) // 16 if other != ids else len(ids) // 16
    one, two = hashes_of(ids, b"s"), hashes_of(other, b"s")
    assert len(one) == len(ids) // 16
    assert [left == right for left, right in zip(one, two, strict=True)] == [index < same for index in range(len(one))]


def said(**extra):
    return say(Wish(**{"source": "x", "room": 1000} | extra), seed=1)


@pytest.mark.parametrize("keep", [False, True])
def test_a_stop_string_ends_the_answer_where_it_is_complete(keep):
    words = said(most=60)
    stop = words.text[101:107]
    first = words.text.find(stop)
    cut = said(most=60, stops=("never there", stop), keep_stop=keep)
    assert cut.text == words.text[: first + (6 if keep else 0)]
    assert (cut.finish_reason, cut.stop_reason) == ("stop", stop)
    # The token in which the stop string is complete was still generated.
    assert len(cut.tokens) == -(-(first + 6) // 4)


def test_what_may_begin_a_stop_string_is_held_back_until_it_is_known():
    words = said(most=60)
    stop = words.text[100:110]
    pieces = said(most=60, stops=(stop,)).pieces
    for index in range(len(pieces) - 1):
        assert len("".join(pieces[: index + 1])) == max(0, 4 * (index + 1) - 9)  # 10 - 1 characters are held


def test_before_min_tokens_nothing_stops():
    words = said(most=60)
    assert len(said(most=60, stops=(" ",), least=30).tokens) == 31
    assert words.text.startswith(said(most=60, stops=(" ",), least=30).text)


def test_a_given_text_ends_when_it_is_said_or_at_the_limit():
    assert said(given="abcdefgh", most=10).finish_reason == "stop"
    cut = said(given="abcdefgh", most=1)
    assert (cut.text, cut.finish_reason) == ("abcd", "length")
