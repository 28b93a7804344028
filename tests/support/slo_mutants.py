"""SLO files that are nearly right: good ones of every format, with lines lost, doubled, swapped, or words changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

SLOTH: Final = """\
version: prometheus/v1
service: svc-{n}
labels: {{owner: team, code: "5"}}
x-holdfast: {{period: 28d, least-bad: 3}}
slo_plugins: {{chain: []}}
slos:
  - name: availability
    description: Requests are answered.
    objective: 99.9
    labels: {{sli: ttft, bound: 500ms}}
    x-holdfast:
      dead-after: 5m
      budgeting: {{timeslices: 1m, target: 95%}}
      exclude:
        - {{reason: rollout, start: 2026-11-20T02:00, for: 2h, zone: Europe/Berlin, repeat: "FREQ=WEEKLY;BYDAY=SU"}}
    sli:
      events:
        error_query: |
          sum(rate(http_requests_total{{job="a",code=~"5..|429"}}[{{{{.window}}}}]))
          + sum(rate(http_timeouts_total[{{{{ .window }}}}] offset 1m))
        total_query: sum by () (rate(http_requests_total{{job="a"}}[{{{{.window}}}}]))
    alerting:
      name: HighErrors
      labels: {{category: availability}}
      annotations: {{summary: "Too many {{{{ $labels.sloth_service }}}}"}}
      page_alert: {{labels: {{severity: page}}}}
      ticket_alert: {{disable: false, annotations: {{runbook: "https://x"}}}}
  - name: freshness
    objective: 95
    sli:
      raw:
        error_ratio_query: avg_over_time((stale > bool 5)[{{{{.window}}}}:1m])
    alerting: {{page_alert: {{disable: true}}, ticket_alert: {{disable: true}}}}
"""
KUBERNETES: Final = """\
apiVersion: sloth.slok.dev/v1
kind: PrometheusServiceLevel
metadata:
  name: gateway
  annotations: {{holdfast.dev/tiers: adapt}}
spec:
  service: svc-{n}
  slos:
    - name: quick
      objective: 90
      sli:
        events:
          errorQuery: sum(increase(bad[{{{{.window}}}}]))
          totalQuery: sum(increase(all[{{{{.window}}}}]))
      alerting: {{name: Quick, pageAlert: {{}}, ticketAlert: {{disable: true}}}}
"""
ALPHA: Final = """\
apiVersion: openslo/v1alpha
kind: SLO
metadata: {{name: slo1, displayName: One}}
spec:
  service: svc-{n}
  budgetingMethod: Occurrences
  objectives:
    - ratioMetrics:
        good: {{source: prometheus, queryType: promql, query: 'sum(rate(good[{{{{.window}}}}]))'}}
        total: {{source: prometheus, queryType: promql, query: 'sum(rate(all[{{{{.window}}}}]))'}}
      target: 0.999
  timeWindows: [{{count: 30, unit: Day}}]
"""
OPENSLO: Final = """\
apiVersion: openslo/v1
kind: SLO
metadata: {{name: web, labels: {{team: [a, b]}}, annotations: {{holdfast.dev/loosened: why}}}}
spec:
  service: svc-{n}
  indicatorRef: ratio
  timeWindow: [{{duration: 1M, calendar: {{startTime: 2026-01-01 00:00:00, timeZone: Europe/Berlin}}}}]
  budgetingMethod: RatioTimeslices
  objectives: [{{target: 0.99, timeSliceWindow: 5m}}, {{targetPercent: 95, timeSliceWindow: 1}}]
---
apiVersion: openslo/v1
kind: SLI
metadata: {{name: ratio}}
spec:
  ratioMetric:
    counter: true
    good: {{metricSource: {{type: Prometheus, spec: {{query: 'sum(rate(good[{{{{.window}}}}]))'}}}}}}
    total: {{metricSource: {{type: Prometheus, spec: {{query: 'sum(rate(all[{{{{.window}}}}]))'}}}}}}
"""
SEEN_BY_SLOTH: Final = (SLOTH, KUBERNETES, ALPHA)
GOOD: Final = (*SEEN_BY_SLOTH, OPENSLO)

_WORDS: Final = re.compile(r"\w+")
_SPICE: Final = (
    *(
        "yes",
        "no",
        "on",
        "~",
        "null",
        "''",
        '""',
        "0",
        "-1",
        "1e400",
        ".inf",
        "0x1F",
        "012",
        "1_000",
        "12:30",
        "2026-02-30",
    ),
    *(
        "a",
        "a b",
        "é",
        "x" * 300,
        "[]",
        "{}",
        "[a]",
        "{a: b}",
        "&a b",
        "*a",
        "!!str 5",
        "!x y",
        "| ",
        ">-",
        "'",
        '"',
        "#",
    ),
    *(
        "---",
        "...",
        "- ",
        "? ",
        ": ",
        "<<: 1",
        "%YAML 1.1",
        "\t",
        "\ufeff",
        "\x07",
        "\u2028",
        "\r",
        "{{",
        "}}",
        "{{.x}}",
    ),
    *(
        "sloth_id",
        "__name__",
        "le",
        "100",
        "99.99999999999999",
        "prometheus/v1",
        "openslo/v1",
        "Factory",
        "UTC",
        "1s",
        "9w",
    ),
    *(
        "[5m]",
        "[{{.window}}:]",
        "offset",
        "bool",
        "by",
        "on()",
        "group_left",
        "@ end()",
        "holt_winters",
        "info(",
        "NaN",
        "1d",
    ),
    *(
        "`",
        "=~",
        "!~",
        "\\d",
        "\\\\",
        "(?i)x",
        "(?!x)",
        "a{99999}",
        "[[:alpha:]]",
        "\\pN",
        "{x='y'}",
        "or",
        "unless",
        "^",
        "%",
    ),
)
_PROMQL: Final = (
    "changes", "resets", "absent", "absent_over_time", "present_over_time", "last_over_time", "first_over_time",
    "histogram_quantile", "histogram_fraction", "histogram_avg", "predict_linear", "label_replace",
    "label_join",
)  # fmt: skip


def mutant(rng: Random, kinds: tuple[str, ...] = GOOD) -> str:
    """A good file with one to four changes; at times two files in one."""
    text = "---\n".join(rng.choice(kinds).format(n=rng.randrange(10**6)) for _ in range(rng.choice((1, 1, 1, 2))))
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3, 4))):
        text = rng.choice(_CHANGES)(rng, text)
    return text


def _line(rng: Random, text: str) -> str:
    lines = text.split("\n")
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    how = rng.randrange(4)
    if how == 0:
        del lines[one]
    elif how == 1:
        lines.insert(other, lines[one])
    elif how == 2:
        lines[one], lines[other] = lines[other], lines[one]
    else:
        lines[one] = rng.choice((" ", "  ", "    ", "- ")) + lines[one]
    return "\n".join(lines)


def _word(rng: Random, text: str) -> str:
    words = list(_WORDS.finditer(text))
    if not words:
        return text
    found, other = rng.choice(words), rng.choice(words)
    new = rng.choice(
        (rng.choice(_SPICE), rng.choice(_SPICE), other[0], "", found[0] * 2, found[0] + rng.choice(_SPICE))
    )
    return text[: found.start()] + new + text[found.end() :]


def _value(rng: Random, text: str) -> str:
    """What stands behind a colon becomes something else."""
    places = [found.end() for found in re.finditer(r": ", text)]
    if not places:
        return text
    start = rng.choice(places)
    end = re.compile(r"[\n,}]|$").search(text, start)
    return text[:start] + rng.choice(_SPICE) + text[end.start() if end else start :]


def _query(rng: Random, text: str) -> str:
    """Something else in a line of PromQL."""
    lines = [found for found in re.finditer(r".*window.*", text) if "window:" not in found[0]]
    if not lines:
        return text
    line = rng.choice(lines)
    words = list(re.finditer(r"\w+|[^\w\s]+", line[0]))
    found = rng.choice(words)
    new = rng.choice((*_PROMQL, rng.choice(words)[0], "", rng.choice(_SPICE)))
    start, end = line.start() + found.start(), line.start() + found.end()
    return text[:start] + new + text[end:]


def _letter(rng: Random, text: str) -> str:
    place = rng.randrange(len(text) + 1)
    return text[:place] + rng.choice((*_SPICE, *"{}[](),:|>-&*!%@\"'`#\\~ ")) + text[place + rng.randrange(2) :]


_CHANGES: Final = (_line, _word, _word, _value, _value, _query, _query, _query, _query, _letter)
