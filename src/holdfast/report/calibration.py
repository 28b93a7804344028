"""A calibration in words and tables: the coefficients, and cell by cell how far the simulator is from the engine."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from holdfast.calibration.errors import NUMBERS, summary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.calibration.cells import Seen
    from holdfast.calibration.errors import Knee, Pair
    from holdfast.calibration.fit import Fitted

HEAD: Final = ("prompt", "answer", "at a time", "ITL p50 ms", "", "TTFT p50 ms", "", "tokens/s", "", "")
KNEE_HEAD: Final = ("prompt", "answer", "knee at", "simulated", "highest tokens/s", "simulated", "")
TITLES: Final = {"itl_p50": "ITL p50", "ttft_p50": "TTFT p50", "throughput": "tokens/s"}
MICRO: Final = 1e6
_UNITS: Final = {
    "c_request": "us a request, before its steps",
    "c_beside": "us more of that for each request that is running",
    "c0": "us a step",
    "c_prefill": "us a token beyond the flat ones",
    "c_attention": "us a thousand tokens of a prompt and one they look back on",
    "c_kv": "us a thousand tokens of context of those who answer",
    "c_seq": "us a sequence",
    "c_prompt": "us a chunk of a prompt",
}
_THOUSANDS: Final = frozenset({"c_attention", "c_kv"})


def cell_words(seen: Seen) -> str:
    """One measured cell as a line of progress."""
    if not seen.usable:
        return f"{seen.cell}: not usable, {seen.why_not}"
    assert seen.ttft_p50 is not None  # noqa: S101 - it is usable
    assert seen.itl_p50 is not None  # noqa: S101 - as above
    times = f"TTFT p50 {_ms(seen.ttft_p50)} ms, ITL p50 {_ms(seen.itl_p50)} ms"
    return f"{seen.cell}: {times}, {seen.throughput:.0f} tokens/s, {seen.requests} requests in {seen.seconds:.1f} s"


def coefficient_lines(fitted: Fitted) -> list[str]:
    """Every coefficient with its unit."""
    found = fitted.coefficients
    lines = []
    for name, unit in _UNITS.items():
        value = getattr(found, name) * MICRO * (1000 if name in _THOUSANDS else 1)
        lines.append(f"{name:<12} {value:>10.4g} {unit}")
    lines.append(f"{'flat_tokens':<12} {found.flat_tokens:>10} tokens of a step cost nothing more")
    lines.append(f"{'noise':<12} {fitted.noise:>10.1%} of a step")
    return [
        *lines,
        f"{len(fitted.equations)} medians and means, fitted within {fitted.typical_error:.1%} in the middle",
        "",
    ]


def rows(found: Sequence[Pair]) -> list[list[str]]:
    """A row a cell: measured, simulated and the error, for each of the three numbers."""
    return [_row(one) for one in found]


def _row(one: Pair) -> list[str]:
    cell = one.cell
    truth, said = one.engine, one.simulator
    return [
        *map(str, (cell.prompt, cell.answer, cell.concurrency)),
        f"{_ms(truth.itl_p50)} {_ms(said.itl_p50)}",
        percent(one.error("itl_p50")),
        f"{_ms(truth.ttft_p50)} {_ms(said.ttft_p50)}",
        percent(one.error("ttft_p50")),
        f"{_whole(truth.throughput)} {_whole(said.throughput)}",
        percent(one.error("throughput")),
        "held out" if one.held else "",
    ]


def summary_lines(found: Sequence[Pair]) -> list[str]:
    """The middle and the largest error of each number, of the cells that the fit saw and of those that it did not."""
    lines = ["", "each pair: the engine's, the simulator's"]
    for title, held in (("held out", True), ("seen by the fit", False)):
        mine = [one for one in found if one.held is held]
        if not mine:
            continue
        told = [f"{TITLES[number]} {_summed(mine, number)}" for number in NUMBERS]
        lines.append(f"{title + ',':<17}{len(mine):>3} cells: error in the middle (largest): {', '.join(told)}")
    return lines


def _summed(found: Sequence[Pair], number: Any) -> str:
    one = summary(found, number)
    return "unknown" if one.middle is None or one.largest is None else f"{one.middle:.1%} ({one.largest:.1%})"


def knee_rows(knees: Sequence[tuple[Knee, Knee]]) -> list[list[str]]:
    """A row a shape of requests."""
    return [
        [
            *map(str, truth.shape),
            f"{truth.concurrency:.1f}",
            f"{said.concurrency:.1f}",
            f"{truth.throughput:.0f}",
            f"{said.throughput:.0f}",
            percent(said.throughput / truth.throughput - 1) + ("" if truth.reached else ", still rising"),
        ]
        for truth, said in knees
    ]


def left_out(seen: Sequence[Seen]) -> list[str]:
    """The cells that nothing rests on, and why."""
    return [f"left out: {one.cell}: {one.why_not}" for one in seen if not one.usable]


def as_json(
    *,
    about: Mapping[str, Any],
    fitted: Fitted | None,
    found: Sequence[Pair],
    knees: Sequence[tuple[Knee, Knee]],
    seen: Sequence[Seen],
    why: Sequence[str],
) -> str:
    """All of it for machines; seconds, tokens a second, errors as shares."""
    told = {
        "measured": dict(about),
        "coefficients": asdict(fitted.coefficients) | {"noise": fitted.noise} if fitted else None,
        "cells": [
            asdict(one.cell)
            | {"held_out": one.held, "engine": asdict(one.engine), "simulator": asdict(one.simulator)}
            | {"errors": {number: _known(one.error(number)) for number in NUMBERS}}
            for one in found
        ],
        "knees": [{"engine": asdict(truth), "simulator": asdict(said)} for truth, said in knees],
        "left_out": [asdict(one.cell) | {"why": one.why_not} for one in seen if not one.usable],
        "unknown": list(why),
    }
    return json.dumps(told, indent=2, allow_nan=False)


def percent(error: float) -> str:
    """With its sign."""
    return "-" if math.isnan(error) else f"{error:+.1%}"


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.3g}"


def _whole(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"
