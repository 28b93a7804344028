"""`x-holdfast:` in Sloth files: what Sloth has no key for, strict inside, set for a file or for one SLO."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import datetime

import pytest

from holdfast.model.slo import (
    DAY,
    Calendar,
    Exclusion,
    Occurrences,
    RatioTimeslices,
    Rolling,
    Timeslices,
)
from holdfast.slo.files.read import read_slos

FILE = """\
version: prometheus/v1
service: gateway
x-holdfast: {file}
slos:
  - name: availability
    objective: 99.9
    x-holdfast: {slo}
    sli:
      events:
        error_query: sum(rate(bad[{{{{.window}}}}]))
        total_query: sum(rate(all[{{{{.window}}}}]))
    alerting: {{name: Gateway}}
"""
LEAP = "FREQ=YEARLY;INTERVAL=2;BYMONTH=2;BYMONTHDAY=29"
NIGHT = "reason: rollout, start: 2026-11-20T02:00, for: 2h, zone: Europe/Berlin"


def text(slo="{}", file="{}"):
    return FILE.format(slo=slo, file=file)


def one(slo="{}", file="{}"):
    (found,), wrong = read_slos(text(slo, file), "f")
    assert [problem.what for problem in wrong] == []
    return found


def told(slo, file="{}"):
    return [(problem.what, problem.code) for problem in sorted(read_slos(text(slo, file), "f")[1])]


def test_nothing_set_is_sloths_own_way():
    slo = one()
    assert (slo.window, slo.budgeting, slo.exclusions, slo.dead_after, slo.least_bad, slo.adapt, slo.loosened) == (
        Rolling(length=30 * DAY),
        Occurrences(),
        (),
        None,
        3,
        False,
        "",
    )


@pytest.mark.parametrize(
    ("written", "field", "value"),
    [
        ("{period: 28d}", "window", Rolling(length=28 * DAY)),
        ("{period: 1w}", "window", Rolling(length=7 * DAY)),
        (
            "{calendar: {unit: month, count: 1, start: 2026-01-01, zone: Europe/Berlin}}",
            "window",
            Calendar(unit="month", start=datetime.fromisoformat("2026-01-01"), zone="Europe/Berlin"),
        ),
        ("{budgeting: occurrences}", "budgeting", Occurrences()),
        ("{budgeting: {timeslices: 1m, target: 95%}}", "budgeting", Timeslices(length=60, target=0.95)),
        ("{budgeting: {ratio-timeslices: 5m}}", "budgeting", RatioTimeslices(length=300)),
        ("{dead-after: 5m}", "dead_after", 300.0),
        ("{least-bad: 5}", "least_bad", 5),
        ("{tiers: adapt}", "adapt", True),
        ("{loosened: Black Friday}", "loosened", "Black Friday"),
        (
            f'{{exclude: [{{{NIGHT}, repeat: "FREQ=WEEKLY;BYDAY=SU"}}]}}',
            "exclusions",
            (
                Exclusion(
                    reason="rollout",
                    start=datetime.fromisoformat("2026-11-20T02:00"),
                    length=7200,
                    zone="Europe/Berlin",
                    repeat="FREQ=WEEKLY;BYDAY=SU",
                ),
            ),
        ),
    ],
)
def test_each_setting_counts_for_an_slo_and_for_a_file(written, field, value):
    assert getattr(one(slo=written), field) == value
    assert getattr(one(file=written), field) == value


def test_an_slo_overrides_its_file_key_by_key():
    slo = one(slo="{period: 7d}", file="{calendar: {unit: week, start: 2026-01-05, zone: UTC}, least-bad: 5}")
    assert (slo.window, slo.least_bad) == (Rolling(length=7 * DAY), 5)


@pytest.mark.parametrize(
    ("written", "what", "code"),
    [
        ("{periode: 28d}", "unknown key 'periode'", "unknown-key"),
        ("{period: 28}", "expected a duration such as 40s, got 28 without a unit", "value"),
        ("{period: 1d}", "a period cannot last 86400 seconds", "length"),
        ("{period: 30d1s}", "a period cannot last 2.592e+06 seconds", "length"),
        ("{period: " + "9" * 400 + "d}", "a period cannot last inf seconds", "length"),
        (
            "{period: 7d, calendar: {unit: week, start: 2026-01-05, zone: UTC}}",
            "period and calendar exclude each other",
            "contradiction",
        ),
        ("{calendar: {unit: month, start: 2026-01-01}}", "required key 'zone' is missing", "missing-key"),
        (
            "{calendar: {unit: month, start: 2026-01-01, zone: Europe/Berlim}}",
            "no time zone is named 'Europe/Berlim'",
            "zone",
        ),
        ("{calendar: {unit: month, start: 2026-01-01, zone: ../etc}}", "no time zone is named '../etc'", "zone"),
        (
            "{calendar: {unit: month, start: 2026-01-31, zone: UTC}}",
            "not every month has a day 31 to start at",
            "calendar",
        ),
        ("{calendar: {unit: month, start: 2026-02-30, zone: UTC}}", "no such time: 2026-02-30", "time"),
        (
            "{calendar: {unit: day, start: 2026-03-29T02:30, zone: Europe/Berlin}}",
            "clocks in Europe/Berlin never show 2026-03-29 02:30",
            "time",
        ),
        (
            '{calendar: {unit: day, start: "2026-03-29T02:30Z", zone: UTC}}',
            "expected a time such as 2026-11-20T02:00, got '2026-03-29T02:30Z'",
            "time",
        ),
        ("{budgeting: sometimes}", "no such way of budgeting", "budgeting"),
        ("{budgeting: {}}", "no such way of budgeting", "budgeting"),
        ("{budgeting: {timeslices: 1m}}", "timeslices and target belong together", "budgeting"),
        (
            "{budgeting: {timeslices: 1m, target: 95%, ratio-timeslices: 1m}}",
            "either timeslices or ratio-timeslices",
            "budgeting",
        ),
        ("{budgeting: {timeslices: 10s, target: 95%}}", "a slice cannot last 10 seconds", "length"),
        ("{dead-after: 1s}", "dead-after lies between 10s and 1d", "length"),
        ("{least-bad: 0}", "least-bad lies between 1 and a million", "least-bad"),
        ("{tiers: some}", "expected 'strict' or 'adapt', got 'some'", "type"),
        ('{loosened: ""}', "an empty text is the same as none", "empty"),
        ("{exclude: [{reason: x, start: 2026-11-20T02:00, for: 2h}]}", "required key 'zone' is missing", "missing-key"),
        (f"{{exclude: [{{{NIGHT}, repeat: every Sunday}}]}}", "not a recurrence rule: 'every Sunday'", "repeat"),
        (
            f'{{exclude: [{{{NIGHT}, repeat: "FREQ=HOURLY"}}]}}',
            "FREQ must be one of DAILY, WEEKLY, MONTHLY, YEARLY",
            "repeat",
        ),
        (
            f'{{exclude: [{{{NIGHT}, repeat: "FREQ=DAILY;INTERVAL=0"}}]}}',
            "INTERVAL must be a number from 1 to 9999",
            "repeat",
        ),
        (
            f'{{exclude: [{{{NIGHT}, repeat: "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"}}]}}',
            "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30 never comes in the five years after 2026-11-20",
            "repeat",
        ),
        (
            f'{{exclude: [{{{NIGHT.replace("2h", "1d")}, repeat: "FREQ=DAILY"}}]}}',
            "it comes again after 1 day, 0:00:00, before it is over: nothing would be left",
            "repeat",
        ),
        (
            f'{{exclude: [{{{NIGHT}, repeat: "FREQ=WEEKLY;UNTIL=20261101"}}]}}',
            "FREQ=WEEKLY;UNTIL=20261101 never comes in the five years after 2026-11-20",
            "repeat",
        ),
        (
            f'{{exclude: [{{{NIGHT}, repeat: "FREQ=WEEKLY;UNTIL=20271101T000000Z"}}]}}',
            "UNTIL is a time by the clocks of the zone, such as 20271231T000000, not 20271101T000000Z",
            "repeat",
        ),
        (f'{{exclude: [{{{NIGHT}, repeat: "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"}}]}}', None, None),
        (f'{{exclude: [{{{NIGHT}, repeat: "{LEAP};COUNT=3"}}]}}', None, None),
        (
            f'{{exclude: [{{{NIGHT.replace("2026", "2025")}, repeat: "{LEAP}"}}]}}',
            f"{LEAP} never comes in the five years after 2025-11-20",
            "repeat",
        ),
        (
            "{calendar: {unit: day, start: 1066-10-14, zone: UTC}}",
            "no SLO is as old or as far away as 1066-10-14",
            "time",
        ),
        ("{dead-after: 1d, period: 2d1m}", None, None),
        ("5", "expected a mapping, got 5", "type"),
    ],
)
def test_each_wrong_setting_alone(written, what, code):
    expected = [] if what is None else [(what, f"slo/{code}")]
    assert told(written) == expected
    assert told("{}", file=written) == expected


def test_problems_stand_at_the_very_setting():
    (problem,) = read_slos(text(f"{{exclude: [{{{NIGHT.replace('Berlin', 'Bärlin')}}}]}}"), "f")[1]
    assert str(problem).splitlines()[1:] == [
        "    7 |     x-holdfast: {exclude: [{reason: rollout, start: 2026-11-20T02:00, for: 2h, zone: Europe/Bärlin}]}",
        "                                                                                             ^^^^^^^^^^^^^",
        "      hint: did you mean Europe/Berlin?",
    ]


@pytest.mark.slow
def test_sloth_itself_ignores_what_is_ours(tmp_path):
    sloth = os.environ.get("HOLDFAST_SLOTH") or shutil.which("sloth")
    if not sloth:
        pytest.skip("needs sloth on PATH, or its path in HOLDFAST_SLOTH")
    ours = text(
        f'{{budgeting: {{ratio-timeslices: 5m}}, exclude: [{{{NIGHT}, repeat: "FREQ=WEEKLY"}}]}}', "{period: 28d}"
    )
    plain = "\n".join(line for line in ours.splitlines() if "x-holdfast" not in line)
    made = []
    for name, content in (("ours", ours), ("plain", plain)):
        path = tmp_path / f"{name}.yaml"
        path.write_text(content, encoding="utf-8")
        command = [sloth, "generate", "--no-log", "-i", str(path)]
        made.append(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert made[0] == made[1]
    assert "slo:sli_error:ratio_rate5m" in made[0]
