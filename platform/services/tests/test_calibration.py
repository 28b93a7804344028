"""How long a step takes and how much memory there is: published figures, and arithmetic by hand."""

import json
import random
from itertools import pairwise
from pathlib import Path
from statistics import mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refplatform.engine.calibration import pace, read_calibration
from refplatform.engine.places import members
from refplatform.engine.scheduler import BlockPool, Scheduler, Sequence, Step

CALIBRATIONS = Path(__file__).parents[2] / "local" / "calibrations"
NAMES = sorted(path.stem for path in CALIBRATIONS.glob("*.json"))

# Milliseconds of the linear layers for so many tokens in a step, from the operator profiles of microsoft/vidur (MIT).
TOKENS = (1, 64, 128, 256, 512, 1024, 2048, 4096)
VIDUR = {
    "h100": (5.6, 5.9, 6.4, 9.2, 12.0, 21.1, 40.4, 83.6),
    "a100": (9.7, 11.2, 13.2, 19.5, 34.7, 75.2, 145.7, 273.8),
}
# Milliseconds between tokens for so many sequences of 1,024 tokens, from the coefficients of BLIS (inference-sim).
SEQUENCES = (1, 32, 128, 256)
BLIS = {"h100": (6.9, 9.5, 17.4, 28.0), "a100": (10.6, 14.7, 27.5, 44.5), "l40s": (23.5, 33.0, 62.5, 101.8)}


def calibration(name):
    return read_calibration(CALIBRATIONS / f"{name}.json")


@pytest.mark.parametrize(
    ("name", "tokens", "milliseconds"),
    [(name, *point) for name in VIDUR for point in zip(TOKENS, VIDUR[name], strict=True)],
)
def test_the_linear_layers_take_what_was_profiled(name, tokens, milliseconds):
    assert 1e3 * calibration(name).linear_seconds(tokens) == pytest.approx(milliseconds, rel=0.1)


@pytest.mark.parametrize(
    ("name", "sequences", "milliseconds"),
    [(name, *point) for name in BLIS for point in zip(SEQUENCES, BLIS[name], strict=True)],
)
def test_the_time_between_tokens_is_that_of_the_fitted_roofline(name, sequences, milliseconds):
    step = Step(decodes=sequences, context=1024 * sequences)
    assert 1e3 * calibration(name).step_seconds(step) == pytest.approx(milliseconds, rel=0.1)


def test_the_terms_of_a_step_by_hand():
    # h100: 1.15 + 5.75 ms; 32 + 500 tokens of which 115 are free: 417 * 18.6 us = 7.756 ms; attention of 500 tokens
    # after 1,000: 500 * 1,000 + 500 * 500 / 2 = 625,000 * 1.3 ns = 0.813 ms; 40,000 tokens of context * 76 ns =
    # 3.04 ms; 33 sequences * 4.4 us = 0.145 ms
    sequence = Sequence(1500, 1)
    step = Step(decodes=32, context=40_000, prefills=((sequence, 500),), attention=625_000)
    assert calibration("h100").step_seconds(step) == pytest.approx(18.654e-3, abs=1e-6)


def test_a_long_chunk_is_a_long_gap_for_everyone_who_answers():
    h100 = calibration("h100")
    scheduler = Scheduler(h100.limits, BlockPool(h100.kv_blocks))
    scheduler.add(Sequence(100, 50))
    scheduler.commit(scheduler.plan())
    alone = h100.step_seconds(scheduler.plan())
    scheduler.add(Sequence(8000, 1))
    step = scheduler.plan()
    # 8,001 tokens, 7,886 of them not free: 147 ms; 8,000 * 8,000 / 2 * 1.3 ns = 42 ms more than the 7 ms alone
    assert step.tokens == 8001
    assert alone == pytest.approx(0.0069, abs=2e-4)
    assert h100.step_seconds(step) == pytest.approx(0.195, abs=2e-3)
    assert len(scheduler.commit(step).gained) == 2


def test_blocks_follow_from_the_memory(tmp_path):
    # 80 GiB * 0.9 - 16 GB - 2 GiB = 59,161,931,776 bytes; / 131,072 a token = 451,369.7 tokens; / 16 = 28,210 blocks
    raw = json.loads((CALIBRATIONS / "h100.json").read_text())
    raw |= {"gpu_memory_utilization": 0.9, "weight_bytes": 16_000_000_000, "other_bytes": 2 * 2**30}
    path = tmp_path / "c.json"
    path.write_text(json.dumps(raw))
    assert read_calibration(path).kv_blocks == 28_210
    # Keys and values, 32 layers, 8 heads of 128, 2 bytes: 2 * 32 * 8 * 128 * 2
    assert raw["kv_bytes_per_token"] == 131_072
    path.write_text(json.dumps(raw | {"kv_cache_tokens": 16_400}))  # given: 1,025 blocks
    assert read_calibration(path).kv_blocks == 1_025


@pytest.mark.parametrize(
    ("name", "tokens", "sequences"), [("h100", 8192, 1024), ("a100", 2048, 256), ("l40s", 2048, 256)]
)
def test_the_limits_are_vllms_defaults_for_the_hardware(name, tokens, sequences):
    limits = calibration(name).limits
    assert (limits.max_num_batched_tokens, limits.max_num_seqs) == (tokens, sequences)


@pytest.mark.parametrize("name", NAMES)
def test_every_calibration_says_where_its_numbers_are_from(name):
    assert calibration(name).name == name
    assert "measured" in calibration(name).note


def test_noise_is_a_share_of_the_step_and_the_seed_decides_it():
    h100, step = calibration("h100"), Step(decodes=1, context=100)
    exact = h100.step_seconds(step)
    one, again = (list(map(pace(h100, random.Random(7)), [step] * 2000)) for _ in range(2))
    assert one == again
    assert mean(one) == pytest.approx(exact, rel=0.002)  # 0.02 / sqrt(2000) = 0.0004
    assert stdev(one) == pytest.approx(0.02 * exact, rel=0.05)
    assert max(abs(seconds / exact - 1) for seconds in one) <= 0.06 + 1e-9  # cut at three deviations
    assert pace(calibration("laptop"), random.Random(7))(step) == calibration("laptop").step_seconds(step)


def test_more_of_anything_never_makes_a_step_shorter():
    for name in NAMES:
        seconds = [
            calibration(name).step_seconds(Step(decodes=2 * n, context=900 * n, prefills=((Sequence(9, 9), n),)))
            for n in range(1, 300)
        ]
        assert all(shorter <= longer for shorter, longer in pairwise(seconds))


def test_the_laptop_holds_a_peak_of_four_requests_a_second_on_each_engine():
    laptop = calibration("laptop")
    step = Step(decodes=16, context=16 * 330)
    # A full step of decodes takes 10 + 16 * (0.2 + 0.15) + 5280 * 0.0001 = 16.128 ms.
    decode = laptop.step_seconds(step)
    assert decode == pytest.approx(0.016128)
    # One request costs 300 * 0.2 ms = 60 ms of prefill and 60 tokens of a sixteenth of a step: 60.5 ms; so 8.3/s.
    most = 1 / (300 * laptop.c_prefill + 60 * decode / 16)
    assert most == pytest.approx(8.3, abs=0.1)
    assert 4 < most < 3 * 4  # holds the peak, and even twice that without one engine; not three times


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"max_num_batched_tokens": 16}, "must exceed max_num_seqs"),
        ({"c0": 0}, "c0 must be positive"),
        ({"c0": "fast"}, "c0 must be float"),
        ({"max_num_seqs": True}, "max_num_seqs must be int"),
        ({"colour": "red"}, "unknown key colour"),
        ({"c_perfill": 1}, "unknown key c_perfill, did you mean c_prefill?"),
        ({"kv_cache_tokens": None}, "kv_cache_tokens is not given: give it, or memory_bytes"),
        ({"kv_cache_tokens": 8000}, "leaves a KV cache of 8000 tokens, and at least one request of max_model_len"),
        ({"noise": 0.5}, "noise is a share"),
        ({"max_num_queued_reqs": -1}, "max_num_queued_reqs must not be negative"),
    ],
)
def test_an_absurd_calibration_is_refused(tmp_path, change, match):
    path = tmp_path / "c.json"
    path.write_text(json.dumps(json.loads((CALIBRATIONS / "laptop.json").read_text()) | change))
    with pytest.raises(ValueError, match=match):
        read_calibration(path)


def told(tmp_path, text):
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"c\.json:\d+:\d+: ") as error:
        read_calibration(path)
    return str(error.value).replace(str(path), "c.json")


def test_all_that_is_wrong_with_a_file_is_told_at_once_each_with_its_place(tmp_path):
    lines = (CALIBRATIONS / "laptop.json").read_text().splitlines()
    lines[1:1] = ['  "c_perfill": 0.1,', '  "max_num_seqs": "many",', '  "note": "twice",']
    said = told(tmp_path, "\n".join(line for line in lines if '"max_model_len"' not in line))
    assert said.splitlines()[1:3] == ["  {", "  ^"]  # what is missing is missing at the beginning
    assert [line for line in said.splitlines() if line.startswith("c.json")] == [
        "c.json:1:1: max_model_len is missing",
        "c.json:2:16: unknown key c_perfill, did you mean c_prefill?",
        "c.json:3:19: max_num_seqs must be int, got 'many'",
        f"c.json:{6}:11: note is there 2 times",
        f"c.json:{7}:19: max_num_seqs is there 2 times",
    ]


def test_absurd_numbers_are_shown_where_they_stand(tmp_path):
    lines = (CALIBRATIONS / "laptop.json").read_text().splitlines()
    number = next(number for number, line in enumerate(lines) if '"c0"' in line)
    lines[number] = '  "c0": 1e999,'
    assert told(tmp_path, "\n".join(lines)).splitlines() == [
        f"c.json:{number + 1}:9: c0 must be positive and finite",
        '    "c0": 1e999,',
        "          ^",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "c.json:1:1: Expecting value"),
        ("[1]", "c.json:1:1: expected a JSON object"),
        ('{"c0": 1,\n "c_kv" 2}', "c.json:2:9: Expecting ':' delimiter"),
        ('{"c0": NaN}', "c.json:1:1: NaN is no number of JSON"),
        ("[" * 100_000, "c.json:1:1: "),
        ("\ufffe{}", "c.json:1:1: Expecting value"),
    ],
)
def test_what_is_no_calibration_at_all_is_told_with_its_place(tmp_path, text, said):
    assert told(tmp_path, text).startswith(said)


@given(
    st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.integers()), max_size=8),
    st.sampled_from([None, 0, 2]),
)
def test_every_value_is_found_at_its_place(told, indent):
    text = json.dumps(told, indent=indent)
    found = members(text)
    assert {one.key: one.value for one in found} == told
    for one in found:
        rest = "\n".join(text.split("\n")[one.place.line - 1 :])[one.place.column - 1 :]
        assert json.JSONDecoder().raw_decode(rest)[0] == one.value
