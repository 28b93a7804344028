"""The page that shows what the simulation measured, goals first, missed ones too."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast import stats

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from honest_rules import Tally

SEED, RUNS = 20, 4000

HEAD = """\
# How often each rule is wrong

A verdict is only worth its error rate. This page measures it: {runs} simulated runs in every cell, whose truth is known
because it was chosen. Every rule judges the same runs. Written by `benchmarks/honesty.py` (seed {seed}); do not edit.

An `slo`, `latency` or `compare` expectation is judged by the rule "verdict"; in a scenario that says `stop: early`, by
"verdict, early". The others are there to compare with.

## The rules

| rule | what it does | asked |
|---|---|---|
| verdict | Clopper-Pearson, 5 % each: PASS by effective counts, FAIL by plain ones | at the planned end |
| verdict, early | the e-process of the effective counts, 5 % a side | from 20 s on, whenever the record grew by 10 % |
| exact, once | Clopper and Pearson's two bounds, 5 % each | at the planned end |
| exact, re-checked | the same, as if each look were the only one | after every request |
| e-process | mixture of likelihood ratios, 5 % on each side, valid under peeking | after every request |
| block betting | betting bounds, 5 % a side; 20 requests are one observation | after every block from the 20th |
| Kayenta | Mann-Whitney judge, 60 error rates against a baseline's 60: High is FAIL, all else PASS | at the end |
| threshold | as Flagger or Argo Rollouts are set: ten windows of 1 / limit requests, each within it | after a window |

Kayenta compares, it knows no objective. Its baseline here is a service of the same kind at half the limit.

## The cells

The name of a cell says how requests fail and how often, as a multiple of the limit. A run ends after 60000 requests at
99.9 % and after 24000 at 99 %, "50 s" after 600, if no answer came before: then it is UNKNOWN.

*Independent*: each request is bad by its own chance. *Bursts*: a latent strain follows a first-order autoregression,
one step a request, with correlation φ; a request is bad while the strain is in its upper tail. The chance of each
request is the same as without bursts, only their company differs. At φ = 0.9 a burst lasts some ten requests,
half a block; at φ = 0.99 some hundred, five blocks, which breaks what block betting assumes. The strain is also how
slow the request is. In *hidden* bursts it is not: latencies are drawn independently, and tell nothing of what comes.
Twelve requests are a second.

**False PASS**: a PASS at or beyond the limit. **False FAIL**: a FAIL at or within the limit. At exactly 1x both are
counted as false. The median counts the requests until the answer; `none` says that most runs ended without one.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One figure the rules should reach: what was measured in the worst cell, and the three sigma of chance in it."""

    words: str
    most: float
    worst: float
    chance: float = 0.0
    share: bool = True

    @property
    def met(self) -> str:
        if self.worst <= self.most:
            return "yes"
        return "within chance" if self.worst <= self.most + self.chance else "**no**"

    @property
    def line(self) -> str:
        show = "{:.2%}".format if self.share else count
        return f"| {self.words} | {show(self.most)} | {show(self.worst)} | {self.met} |"


def percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def count(number: float) -> str:
    return f"{number:.0f}" if math.isfinite(number) else "none"


def goals(tallies: Sequence[Tally]) -> Iterator[Goal]:
    """What was asked of the rules, each with the worst cell it was measured in."""

    def shares(rule: str, kind: str, phi: float, most: float, alpha: float = stats.ALPHA) -> Goal:
        known = [
            getattr(one, kind)
            for one in tallies
            if (one.rule, one.cell.phi, one.cell.hidden, one.cell.alpha) == (rule, phi, False, alpha)
        ]
        chance = 3 * math.sqrt(most * (1 - most) / tallies[0].runs)
        words = f"{rule}: {kind.replace('_', ' ').replace('pass', 'PASS').replace('fail', 'FAIL')}, "
        words += f"bursts φ={phi:g}" if phi else "independent"
        words += f", at alpha = {alpha:.0%}" if alpha != stats.ALPHA else ""
        return Goal(words=words, most=most, worst=max(one for one in known if one is not None), chance=chance)

    for rule in ("verdict", "verdict, early", "exact, once", "e-process", "block betting"):
        yield shares(rule, "false_pass", 0, 0.05)
        yield shares(rule, "false_fail", 0, 0.05)
    for rule in ("verdict", "verdict, early", "exact, once", "e-process"):
        yield shares(rule, "false_pass", 0, 0.01, 0.01)
        yield shares(rule, "false_fail", 0, 0.01, 0.01)
    for rule in ("verdict", "verdict, early", "block betting"):
        yield shares(rule, "false_pass", 0.5, 0.10)
        yield shares(rule, "false_pass", 0.9, 0.10)
    slow = find(tallies, "e-process", limit=0.001, times=10)
    yield Goal(words="e-process: median requests to FAIL 10x of 99.9 %", most=260, worst=slow.median, share=False)
    fixed = stats.least_clean_events(0.001)
    clean = next(n for n in range(fixed, 2 * fixed) if stats.decide(0, n, 0.001) == "good")
    words = f"e-process: requests of a clean PASS of 99.9 % (exact, once: {fixed})"
    yield Goal(words=words, most=math.floor(1.25 * fixed), worst=clean, share=False)


def find(
    tallies: Sequence[Tally],
    rule: str,
    *,
    limit: float,
    times: float,
    phi: float = 0.0,
    hidden: bool = False,
    short: bool = False,
) -> Tally:
    """The one tally of a rule in a cell, at the usual error probability."""
    key = (rule, limit, times, phi, hidden, short, stats.ALPHA)
    return next(
        one
        for one, cell in ((one, one.cell) for one in tallies)
        if (one.rule, cell.limit, cell.times, cell.phi, cell.hidden, cell.short, cell.alpha) == key
    )


def lessons(tallies: Sequence[Tally]) -> Iterator[str]:
    """What the numbers say, with the numbers."""

    def passes(rule: str, phi: float, **cell: bool) -> str:
        return percent(find(tallies, rule, limit=0.01, times=1, phi=phi, **cell).false_pass)

    half = find(tallies, "threshold", limit=0.01, times=0.5)
    twice = find(tallies, "Kayenta", limit=0.001, times=2, phi=0.9)
    kept = find(tallies, "block betting", limit=0.001, times=1, phi=0.99)
    sure, quick = (find(tallies, rule, limit=0.001, times=10) for rule in ("verdict, early", "e-process"))
    yield f"""\
False PASS at exactly the limit of 99 %, unless said otherwise.

- **Looking again and again is not free.** A bound made for one look, asked after every request:
  {passes("exact, re-checked", 0)}. The e-process, made to be asked so: {passes("e-process", 0)}.
- **Bursts break every rule that counts requests.** At φ = 0.9:
  exact, once {passes("exact, once", 0.9)}, e-process {passes("e-process", 0.9)},
  exact, re-checked {passes("exact, re-checked", 0.9)}.
- **The verdict sees bursts coming, in the latencies.** At φ = 0.9: verdict {passes("verdict", 0.9)}, in runs of 50 s
  {passes("verdict", 0.9, short=True)}; verdict, early {passes("verdict, early", 0.9)};
  block betting {passes("block betting", 0.9)}. At φ = 0.99: verdict {passes("verdict", 0.99)}.
- **What does not show cannot be seen.** Where latencies know nothing of the bursts, φ = 0.9: verdict
  {passes("verdict", 0.9, hidden=True)}, in runs of 50 s {passes("verdict", 0.9, hidden=True, short=True)};
  exact, once {passes("exact, once", 0.9, hidden=True)} and {passes("exact, once", 0.9, hidden=True, short=True)}.
- **A FAIL is about the run.** It counts every request. With bursts at φ = 0.9 a service exactly at its limit gets one
  in {percent(find(tallies, "verdict", limit=0.01, times=1, phi=0.9).false_fail)} of runs, one at half the limit
  in {percent(find(tallies, "verdict", limit=0.01, times=0.5, phi=0.9).false_fail)}.
- **Caution costs requests.** A service at ten times the limit of 99.9 % fails after {count(quick.median)} requests
  (median) by the e-process alone, after {count(sure.median)} by the early verdict.
- **Blocks must be longer than bursts.** At φ = 0.99 a burst spans five blocks: block betting
  {passes("block betting", 0.99)}, and at 99.9 % a false FAIL in {percent(kept.false_fail)}.
  A run in which no burst came cannot warn of them: choose the length of a block from what is known.
- **Blocks are dear.** Without one bad request block betting needs about 3.7 / limit blocks. A run at 99.9 % has 3000,
  too few for any PASS: its 0.0 % false PASS there says nothing.
- **A threshold on windows has no error rate of its own.** It fails a service at half the limit in
  {percent(half.false_fail)}.
- **A comparison proves no objective.** Kayenta passes a service at twice the limit of 99.9 %, with bursts at φ = 0.9,
  in {percent(twice.false_pass)}.
"""


def page(tallies: Sequence[Tally]) -> str:
    """The whole document, without a date: the same seed and runs write the same page."""
    parts = [HEAD.format(runs=tallies[0].runs, seed=SEED)]
    parts += ["## What it says\n", *lessons(tallies)]
    parts += ["## The goals\n", "Each with its worst cell. *Within chance*: beyond, by less than three sigma of it.\n"]
    parts += ["| figure | at most | measured | met |\n|---|---|---|---|"]
    parts += [*(goal.line for goal in goals(tallies)), ""]
    tables = dict.fromkeys((one.cell.alpha, one.cell.limit) for one in tallies)
    for alpha, limit in sorted(tables, reverse=True):
        strict = f", at alpha = {alpha:.0%}" if alpha != stats.ALPHA else ""
        parts += [f"## Objective {100 * (1 - limit):g} %{strict}\n"]
        parts += ["| cell | rule | false PASS | false FAIL | UNKNOWN | median requests |\n|---|---|---|---|---|---|"]
        parts += [
            f"| {one.cell.name} | {one.rule} | {percent(one.false_pass)} | {percent(one.false_fail)} "
            f"| {percent(one.unknown)} | {count(one.median)} |"
            for one in tallies
            if (one.cell.limit, one.cell.alpha) == (limit, alpha)
        ]
        parts += [""]
    return "\n".join(parts)
