"""Prompts are as long as asked, and begin alike exactly as far as their parts say."""

from __future__ import annotations

import json
from itertools import combinations, takewhile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.errors import SpecError, UsageError
from holdfast.load.lengths import read_lengths
from holdfast.load.planned import planned
from holdfast.load.prompt import Prompts, chat_body, tokens_in
from holdfast.load.questions import Expect, check, read_questions
from holdfast.model.load import Arrival, LengthPoint, Part, TraceRow, schedule
from holdfast.spec.profile import make_profile

PROMPTS = Prompts(seed=7, questions=["What is 2 + 2?", "Who are you?"])


def arrival(*parts: tuple[str, str, int], number: int = 3) -> Arrival:
    made = tuple(Part(role=role, key=key, tokens=tokens) for role, key, tokens in parts)
    return Arrival(
        due=0.0, prompt_tokens=sum(one.tokens for one in made), answer_tokens=9, number=number, parts=made, model="sim"
    )


@settings(max_examples=50, deadline=None)
@given(key=st.text("abc19", min_size=1), short=st.integers(1, 9000), more=st.integers(0, 9000))
def test_the_shorter_of_two_texts_of_one_key_is_how_the_longer_begins(key, short, more):
    shorter, longer = PROMPTS.text(key, short), PROMPTS.text(key, short + more)
    assert longer.startswith(shorter)
    assert len(shorter.split()) == max(1, round(short * 0.75))


def test_texts_of_different_keys_differ_in_their_first_word():
    texts = [PROMPTS.text(key, 50) for key in ("1", "2", "g0", "b1", "s1", "1a")]
    assert len({text.split()[0] for text in texts}) == 6
    assert Prompts(seed=8).text("1", 50) != texts[0]


def test_parts_of_one_role_that_stand_together_are_one_message():
    messages = PROMPTS.messages(
        arrival(("system", "g0", 40), ("user", "0", 8), ("assistant", "0a", 4), ("user", "b1", 8), ("user", "b2", 8))
    )
    assert [(one["role"], len(one["content"].split())) for one in messages] == [
        ("system", 30),
        ("user", 6),
        ("assistant", 3),
        ("user", 12),
    ]
    assert messages[3]["content"] == PROMPTS.text("b1", 8) + PROMPTS.text("b2", 8)


def test_without_parts_a_prompt_is_its_own():
    plain = Arrival(due=0.0, prompt_tokens=40, answer_tokens=9, number=5)
    assert PROMPTS.messages(plain) == [{"role": "user", "content": PROMPTS.text(5, 40)}]
    assert PROMPTS.flat(plain) == PROMPTS.text(5, 40)


def test_the_body_holds_the_messages():
    asked = arrival(("system", "g0", 40), ("user", "3", 8))
    body = json.loads(chat_body(PROMPTS.messages(asked), asked, "sim"))
    assert [one["role"] for one in body["messages"]] == ["system", "user"]
    assert body["max_tokens"] == 9


def test_a_question_is_asked_in_its_own_words():
    asked = arrival(("user", "q1", 4))
    assert PROMPTS.messages(asked) == [{"role": "user", "content": "Who are you?"}]
    bust = arrival(("user", "3", 1), ("user", "q1", 4))
    assert PROMPTS.messages(bust) == [{"role": "user", "content": "7-3 Who are you?"}]


def test_prompts_of_blocks_share_whole_blocks_and_part_where_their_blocks_do():
    rows = [
        TraceRow(offset=float(second), prompt_tokens=tokens, answer_tokens=1, blocks=blocks)
        for second, (tokens, blocks) in enumerate([(1500, (0, 1, 2)), (1500, (0, 1, 3)), (1200, (0, 4, 5)), (9, (6,))])
    ]
    replay = make_profile("m", {"arrivals": "trace", "trace": "m.jsonl"})
    texts = [PROMPTS.flat(each) for each in schedule(replay, seed=1, length=9, trace=rows)]
    # A block of 512 tokens is 384 words; two prompts agree in 2, 1, 1 and 0 of them, and not in a word more.
    words = [text.split() for text in texts]
    same = {
        (one, other): sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(words[one], words[other])))  # noqa: B905 - of different lengths
        for one, other in combinations(range(4), 2)
    }
    assert same == {(0, 1): 768, (0, 2): 384, (1, 2): 384, (0, 3): 0, (1, 3): 0, (2, 3): 0}


def test_the_next_turn_of_a_session_begins_with_the_whole_turn_before():
    chat = make_profile("c", {"turns": 3, "think": 0.5, "rate": 5.0, "prefix-tokens": 60})
    arrivals = list(schedule(chat, seed=1, length=20))
    last = next(each for each in arrivals if each.turn == 2)
    for turn in (0, 1):
        before = next(each for each in arrivals if (each.session, each.turn) == (last.session, turn))
        messages = PROMPTS.messages(before)
        assert PROMPTS.messages(last)[: len(messages)] == messages


# Questions, and whether the answer is right.


@pytest.mark.parametrize(
    ("kind", "text", "answer", "right"),
    [
        ("contains", "4", "It is 4.", True),
        ("contains", "4", "It is five.", False),
        ("equals", "four", " four\n", True),
        ("equals", "four", "Four", False),
        ("matches", r"^\d+$", "42", True),
        ("matches", r"^\d+$", "42!", False),
        ("contains", "4", "", False),
    ],
)
def test_an_answer_is_right_or_it_is_said_what_is_wrong(kind, text, answer, right):
    wrong = check(Expect(kind=kind, text=text), answer)
    assert (wrong == "") is right
    if not right:
        assert wrong == f"expected an answer that {kind} {text!r}, got {answer!r}"


def test_without_expectation_any_answer_will_do():
    assert check(None, "") == ""


def test_questions_are_read_one_a_line():
    first, second = read_questions('{"prompt": "2+2?", "expect": {"contains": "4"}}\n{"prompt": "Hi"}\n', "q.jsonl")
    assert (first.prompt, first.expect, second.expect) == ("2+2?", Expect(kind="contains", text="4"), None)


def test_every_bad_question_is_told_with_its_line():
    lines = [
        "{",
        "[]",
        '{"prompt": " "}',
        '{"prompt": "x", "answer": "y"}',
        '{"prompt": "x", "expect": "y"}',
        '{"prompt": "x", "expect": {"has": "y"}}',
        '{"prompt": "x", "expect": {"matches": "("}}',
        '{"prompt": "fine"}',
        '{"prompt": "x", "expect": {"equals": ""}}',
    ]
    with pytest.raises(SpecError) as caught:
        read_questions("\n".join(lines), "q.jsonl")
    assert [(problem.where.line, problem.what.split(":")[0]) for problem in caught.value.problems] == [
        (1, "not JSON"),
        (2, "expected an object with a prompt"),
        (3, "expected an object with a prompt"),
        (4, "unknown key answer"),
        (5, "expect must name one of contains, equals, matches"),
        (6, "expect must name one of contains, equals, matches, with a text"),
        (7, "not a regular expression"),
        (9, "expect must name one of contains, equals, matches, with a text"),
    ]
    with pytest.raises(SpecError, match="there are no questions"):
        read_questions("", "q.jsonl")


# Measured lengths.

LENGTHS = "share,prompt_tokens,answer_tokens\n0,20,12\n0.5,1020,129\n1,6200,950\n"


def test_lengths_are_read():
    assert read_lengths(LENGTHS, "l.csv")[1] == LengthPoint(share=0.5, prompt_tokens=1020, answer_tokens=129)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (LENGTHS.replace("share", "quantile"), "l.csv:1:1: not a file of lengths"),
        (LENGTHS.replace("0.5,1020,129", "half,1020,129"), "l.csv:3:1: expected three numbers"),
        (LENGTHS.replace("0.5,1020,129", "0.5,0,129"), "l.csv:3:1: a share lies between 0 and 1"),
        (LENGTHS.replace("0.5,1020,129", "0.5,9000,129"), "l.csv:4:1: shares must grow"),
        (LENGTHS.replace("1,6200,950", "nan,6200,950"), "l.csv:4:1: a share lies between 0 and 1"),
        (LENGTHS.replace("1,6200,950\n", ""), "l.csv: the lengths have no two ends"),
        ("", "l.csv:1:1: not a file of lengths"),
    ],
)
def test_what_is_wrong_with_lengths_is_told_at_its_line(text, problem):
    with pytest.raises(SpecError) as caught:
        read_lengths(text, "l.csv")
    assert str(caught.value).startswith(problem)


# From the profile's files to the plan.


def test_the_files_of_a_profile_are_read_below_the_root(tmp_path):
    (tmp_path / "q.jsonl").write_text('{"prompt": "one two three"}\n')
    (tmp_path / "l.csv").write_text(LENGTHS)
    profile = make_profile("p", {"prompts": "q.jsonl", "lengths": "l.csv", "arrivals": "constant"})
    plan = planned(profile, seed=1, length=5.0, root=tmp_path)
    # Three words are four tokens; the answers' lengths are the measured ones.
    assert [each.prompt_tokens for each in plan.arrivals] == [tokens_in("one two three")] * 5 == [4] * 5
    assert all(12 <= each.answer_tokens <= 950 for each in plan.arrivals)
    assert [question.prompt for question in plan.questions] == ["one two three"]


@pytest.mark.parametrize(
    "values", [{"prompts": "none.jsonl"}, {"lengths": "none.csv"}, {"arrivals": "trace", "trace": "none.csv"}]
)
def test_a_file_that_is_not_there_is_said_with_the_setting_that_names_it(tmp_path, values):
    with pytest.raises(UsageError, match="no such file") as caught:
        planned(make_profile("p", values), seed=1, length=5.0, root=tmp_path)
    assert f"see {list(values)[-1]} = in loadtests/p.conf" in caught.value.hint


@pytest.mark.parametrize("values", [{"prompts": "x"}, {"lengths": "x"}, {"arrivals": "trace", "trace": "x"}])
def test_a_file_that_is_no_text_is_a_problem_and_no_traceback(tmp_path, values):
    (tmp_path / "x").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="x: not a text in UTF-8"):
        planned(make_profile("p", values), seed=1, length=5.0, root=tmp_path)
