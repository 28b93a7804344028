"""What `slo plan` says before is what the native rules do after, when they are played over simulated traffic.

benchmarks/slo_plan.py holds the same for all tiers and more traffic.
"""

from __future__ import annotations

import numpy as np
import pytest

from burning import pages, waits
from holdfast.model.slo import AlertPolicy
from holdfast.slo.feasible.detect import wait
from holdfast.slo.feasible.false_alerts import false_alerts
from holdfast.slo.feasible.plan import MONTH, plan, watch_of
from holdfast.slo.tiers import GOOGLE
from holdfast.testing import an_slo

HOUR, SEED = 3600.0, 5


def watches(objective: float, severity: str = "page", **changes):
    slo = an_slo(objective=objective, **changes)
    return [watch_of(slo, one) for one in GOOGLE if one.severity == severity]


@pytest.mark.parametrize("objective", [0.99, 0.999])
@pytest.mark.parametrize("rate", [12, 60, 300, 3600])
@pytest.mark.parametrize("errors", [1.0, 0.1])
@pytest.mark.slow
def test_the_wait_for_a_page_is_as_planned(objective, rate, errors):
    for one in watches(objective):
        planned = wait(one, rate / HOUR, errors)
        if planned is None:
            continue
        windows = max(1.0, 6 * planned.late / one.long)
        seen = waits(one, rate / HOUR, errors, runs=600, seed=SEED, windows=windows)
        # The spread of a wait is at most its mean; three standard errors of 600 runs are then 12 %, mostly far less.
        error = seen.std() / seen.mean() / np.sqrt(len(seen))
        assert planned.mean == pytest.approx(seen.mean(), rel=0.05 + 3 * error)
        assert planned.late == pytest.approx(np.quantile(seen, 0.95), rel=0.10 + 3 * error)


@pytest.mark.parametrize(
    ("objective", "rate", "severity", "days"),
    [(0.99, 12, "page", 6000), (0.999, 60, "page", 6000), (0.99, 12, "ticket", 4000), (0.999, 60, "ticket", 4000)],
)
@pytest.mark.slow
def test_the_noise_of_a_healthy_service_is_as_planned(objective, rate, severity, days):
    tiers, errors = watches(objective, severity), round((1 - objective) / 2, 12)
    planned = false_alerts(tiers, rate / HOUR, errors) * MONTH
    parts = [pages(tiers, rate / HOUR, errors, days=days / 10, runs=1, seed=part) for part in range(10)]
    seen = np.array([count / length * 30 for count, length in parts])
    # A few hundred false alerts, which come in clusters: the ten parts tell how far their mean can be trusted.
    assert planned == pytest.approx(seen.mean(), rel=0.10 + 3 * seen.std() / seen.mean() / np.sqrt(10))


@pytest.mark.parametrize(
    ("rate", "objective", "minutes"), [(12, 0.999, 34), (300, 0.99, 13), (300, 0.999, 4), (60, 0.99, 16)]
)
def test_quiet_services_page_seldom_for_nothing_and_soon_for_an_outage(rate, objective, minutes):
    (page,) = plan(an_slo(objective=objective, page=AlertPolicy()), rate / HOUR).alerts
    assert page.false_alerts <= 1.0
    assert page.first(1.0)[1].late <= minutes * 60


@pytest.mark.parametrize(("rate", "objective", "noise", "minutes"), [(12, 0.99, 1.34, 26), (60, 0.999, 1.16, 6)])
def test_two_of_six_miss_that_with_two_bad_events_and_keep_it_with_three(rate, objective, noise, minutes):
    def page(least):
        slo = an_slo(objective=objective, page=AlertPolicy(), least_bad=least)
        return plan(slo, rate / HOUR).alerts[0]

    assert page(2).false_alerts == pytest.approx(noise, abs=0.01)
    assert page(2).first(1.0)[1].late == minutes * 60
    assert page(3).false_alerts <= 1.0
