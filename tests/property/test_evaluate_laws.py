"""Our evaluator gives what Prometheus gives: random queries over random series, both answered and compared."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest

from holdfast.slo.evaluate.query import EvaluationError, Track, evaluate
from holdfast.slo.evaluate.ranges import FUNCTIONS
from promtool_says import REFUSED, Play, promtool_says

MINUTES = 40
NAMES = ("x", "y")
AGGREGATIONS = ("sum", "sum", "avg", "min", "max", "count", "group")
A, B = ("1", "2", "3"), ("p", "q")


class Some:
    """Random series and queries, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.one = self.random.choice

    def values(self) -> list[str]:
        """A counter or a gauge, with gaps, ends, resets, and now and then what is no number."""
        value, found = self.one([0, 0, 5, 50]), []
        counter = self.random.random() < 0.7
        gone = 0
        for _ in range(MINUTES):
            chance = self.random.random()
            if gone or chance < 0.05:
                gone = gone - 1 if gone else self.one([0, 0, 1, 4, 9])
                found.append("_")
                continue
            if chance < 0.07:
                found.append("stale")
                gone = self.one([0, 3, 12])
                continue
            if chance < 0.075:
                found.append(self.one(["NaN", "Inf", "-Inf"]))
                continue
            value = 0 if chance > 0.97 else value + self.one([0, 0, 1, 3, 20]) * (1 if counter else self.one([1, -1]))
            found.append(str(value))
        return found

    def series(self) -> dict[str, list[str]]:
        found = {}
        for name in NAMES:
            for a in A[: self.one([1, 2, 3])]:
                for b in B[: self.one([1, 2])]:
                    found[f'{name}{{a="{a}",b="{b}"}}'] = self.values()
        return found

    def selector(self) -> str:
        name = self.one(NAMES)
        return name + self.one(["", "", '{a="1"}', '{a!="1"}', '{a=~"1|2"}', '{a!~"2.*",b="p"}', '{c=""}', '{a="9"}'])

    def offset(self) -> str:
        return self.one(["", "", "", " offset 5m", " @ 60"])

    def over_time(self) -> str:
        function = self.one([*FUNCTIONS, "increase", "rate", "absent_over_time"])
        window = self.one(["1m", "90s", "2m", "5m", "17m", "1h"])
        if self.random.random() < 0.15:
            return f"{function}({self.wrapped(1)}[{window}:{self.one(['1m', '30s'])}])"
        return f"{function}({self.selector()}[{window}]{self.offset()})"

    def wrapped(self, depth: int) -> str:
        return f"({self.vector(depth)})"

    def vector(self, depth: int) -> str:
        if depth <= 0:
            return self.one([self.selector() + self.offset(), self.over_time()])
        kinds = (self.over_time, self.aggregate, self.binary, self.binary, self.sets, self.numeric, self.call)
        return self.one(kinds)()

    def aggregate(self) -> str:
        by = self.one(["", " by (a)", " by (b, a)", " without (a)", " without ()", " by (c)"])
        return f"{self.one(AGGREGATIONS)}{by} ({self.vector(self.one([0, 0, 1]))})"

    def matching(self) -> str:
        return self.one(["", " on (a, b)", " on (a)", " ignoring (a)", " ignoring (b)", " on ()"])

    def binary(self) -> str:
        op = self.one(["+", "-", "*", "/", "%", "==", "!=", ">", "<", ">=", "<="])
        as_bool = self.one(["", " bool"]) if op in ["==", "!=", ">", "<", ">=", "<="] else ""
        match = self.matching()
        group = self.one(["", " group_left ()", " group_left (b)", " group_right ()"]) if match else ""
        group = "" if "(b)" in group and match.startswith(" on") and "b" in match else group
        return f"({self.vector(0)}) {op}{as_bool}{match}{group} ({self.vector(0)})"

    def sets(self) -> str:
        return f"({self.vector(0)}) {self.one(['and', 'or', 'unless'])}{self.matching()} ({self.vector(0)})"

    def numeric(self) -> str:
        op = self.one(["+", "-", "*", "/", "^", "> bool", "<", ">=", "== bool", "!="])
        number = self.one(["0", "2", "0.5", "scalar(x)", "time()", "-3"])
        pair = [f"({self.vector(self.one([0, 1]))})", number]
        self.random.shuffle(pair)
        return f" {op} ".join(pair)

    def call(self) -> str:
        inner = self.vector(0)
        return self.one(
            [
                f"absent({self.selector()})",
                f"absent(sum({inner}))",
                f"abs({inner})",
                f"-({inner})",
                f"clamp({inner}, 0, 5)",
                f'count_values("a", {self.selector()})',
                f'count_values by (b) ("v", {self.selector()})',
                f"clamp_min({inner}, 1)",
                f"clamp_max({inner}, 1)",
                f"vector(scalar({inner}))",
                "vector(time())",
                f'label_replace({inner}, "c", "$1-${{1}}", "a", "(.*)")',
                f'label_replace({inner}, "a", "", "a", "1")',
                f'label_replace({inner}, "a", "z$2", "b", "(p)|(q)")',
            ]
        )


def tracks_of(series: dict[str, list[str]]) -> list[Track]:
    found = []
    for name, values in series.items():
        metric, _, rest = name.partition("{")
        labels = dict(part.split("=") for part in rest.strip("}").replace('"', "").split(","))
        kept = [(60.0 * minute, value) for minute, value in enumerate(values) if value != "_"]
        found.append(
            Track(
                labels={"__name__": metric, **labels},
                times=np.array([at for at, _ in kept]),
                values=np.array([math.nan if value == "stale" else float(value) for _, value in kept]),
                stale=np.array([value == "stale" for _, value in kept], dtype=bool),
            )
        )
    return found


def ours(query: str, tracks: list[Track], at: np.ndarray, prometheus: int) -> list[object]:
    """All times at once; where one of them is refused, one by one."""
    try:
        vectors = evaluate(query, tracks, at, prometheus=prometheus)
    except EvaluationError:
        alone = [at[[index]] for index in range(len(at))]
        return [REFUSED] if len(at) == 1 else [ours(query, tracks, one, prometheus)[0] for one in alone]
    return [
        {frozenset(one.labels.items()): float(one.values[index]) for one in vectors if one.present[index]}
        for index in range(len(at))
    ]


def same(one: object, two: object) -> bool:
    if not (isinstance(one, dict) and isinstance(two, dict)):
        return one == two
    return one.keys() == two.keys() and all(
        math.isclose(one[key], two[key], rel_tol=1e-9, abs_tol=1e-9) or (math.isnan(one[key]) and math.isnan(two[key]))
        for key in one
    )


def compare(seeds: range, folder, prometheus: int = 2, queries: int = 12) -> None:
    plays, wanted = [], []
    for seed in seeds:
        some = Some(seed)
        series = some.series()
        asked = list(dict.fromkeys(some.vector(2) for _ in range(queries)))
        at = some.random.sample(range(MINUTES * 60 + 600), 4)
        # Evenly spaced times take another way through the code than any others.
        at = sorted({*at, 60 * some.random.randrange(MINUTES)}) if seed % 2 else [*range(at[0] % 400 + 60, 2900, 400)]
        plays.append(
            Play(
                series={name: " ".join(values) for name, values in series.items()},
                questions=tuple((query, second) for query in asked for second in at),
            )
        )
        tracks = tracks_of(series)
        wanted += [answer for query in asked for answer in ours(query, tracks, np.array(at, dtype=float), prometheus)]
    questions = [(seed, *question) for seed, play in zip(seeds, plays, strict=True) for question in play.questions]
    answers = promtool_says(plays, folder, prometheus=prometheus)
    wrong = [
        (*question, f"promtool: {theirs}", f"ours: {mine}")
        for question, mine, theirs in zip(questions, wanted, answers, strict=True)
        if not same(mine, theirs)
    ]
    assert wrong == [], "\n".join(map(str, wrong))
    # The comparison says something: most questions have an answer.
    assert sum(isinstance(one, dict) and len(one) > 0 for one in answers) > len(answers) / 4


def test_a_random_query_has_the_same_answer_as_in_prometheus(tmp_path):
    compare(range(8), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("prometheus", [2, 3])
def test_many_random_queries_have_the_same_answers_as_in_prometheus(tmp_path, prometheus):
    compare(range(100, 400), tmp_path, prometheus)
