"""Traffic as promtool writes series: stretches of steady events, each with its share of bad ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.slo.promtests.probe import WINDOW

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from holdfast.slo.promtests.probe import Moves, Probe, Raw

_NOISE = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """`length` seconds with `events` a tick, `share` of them bad; nothing is scraped when `dark`, all restarts at 0."""

    length: float
    events: int
    share: float = 0.0
    dark: bool = False
    restarts: bool = False

    def split(self, probe: Probe) -> tuple[int, int]:
        """Good and bad events of each way there is, a tick: whole ones, so that sums are exact."""
        bad = round(self.events * self.share / len(probe.bad))
        return round(self.events * (1 - self.share) / len(probe.good)), bad

    def counted(self, probe: Probe, tick: float) -> tuple[float, float]:
        """Bad events and all events of the stretch, as they were written."""
        good, bad = self.split(probe)
        ticks = round(self.length / tick)
        return bad * len(probe.bad) * ticks, (bad * len(probe.bad) + good * len(probe.good)) * ticks


@dataclass(frozen=True, slots=True, kw_only=True)
class Birth:
    """Series that appear with a value, `at` seconds: as many events of each way as their first sample has."""

    at: float
    events: int
    raws: frozenset[Raw]
    ways: tuple[Moves, ...]


def written(
    probe: Probe,
    stretches: Sequence[Stretch],
    tick: float,
    *,
    without: Iterable[Raw] = (),
    born: Birth | None = None,
) -> dict[str, str]:
    """Series and their values, one each `tick` seconds from 0; without some, or with some that are born late.

    A counter's first sample is 0 and a gauge's is missing, so that what is seen at 0 counts for neither.
    """
    left_out = frozenset(without)
    return {
        raw.text: _born(raw, born, tick, stretches)
        if born and raw in born.raws
        else _values(raw, probe, stretches, tick)
        for raw in probe.series
        if raw not in left_out
    }


def only_bad(probe: Probe) -> frozenset[Raw]:
    """Counters that rise with bad events alone: absent where there never was one."""
    return _only(probe.bad, probe.good)


def only_good(probe: Probe) -> frozenset[Raw]:
    """Counters that rise with good events alone."""
    return _only(probe.good, probe.bad)


def _only(ways: tuple[Moves, ...], others: tuple[Moves, ...]) -> frozenset[Raw]:
    elsewhere = {raw for way in others for raw in way}
    return frozenset(raw for way in ways for raw in way if raw.counter and raw not in elsewhere)


def _values(raw: Raw, probe: Probe, stretches: Sequence[Stretch], tick: float) -> str:
    parts, value = ["0" if raw.counter else "_"], 0.0
    for one in stretches:
        ticks, rise = round(one.length / tick), _rise(raw, probe, one, tick)
        if one.dark:
            parts += ["stale", f"_x{ticks - 1}"]
        elif raw.counter:
            value = 0.0 if one.restarts else value
            parts.append(f"{_shown(value + rise)}+{_shown(rise)}x{ticks - 1}")
            value += rise * ticks
        else:
            parts.append(f"{_shown(rise)}x{ticks - 1}")
    return " ".join(part for part in parts if part != "_x0")


def _rise(raw: Raw, probe: Probe, one: Stretch, tick: float) -> float:
    """What a counter gains a tick, or where a gauge stands."""
    if raw in probe.ignored:
        return float(one.events * _NOISE)
    if not probe.graded:
        return probe.mixed(one.share)[raw] * (tick / WINDOW if raw.counter else 1)
    good, bad = one.split(probe)
    return sum(way.get(raw, 0.0) * good for way in probe.good) + sum(way.get(raw, 0.0) * bad for way in probe.bad)


def _born(raw: Raw, birth: Birth, tick: float, stretches: Sequence[Stretch]) -> str:
    before = round(birth.at / tick)
    after = round(sum(one.length for one in stretches) / tick) - before
    value = sum(way.get(raw, 0.0) for way in birth.ways) * birth.events
    return f"_x{before} {_shown(value)}x{after}"


def _shown(value: float) -> str:
    return f"{value:.0f}" if value == round(value) else repr(value)
