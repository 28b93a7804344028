"""Laws of comparing two samples: bounds hold the estimate, exchange with the roles, and agree with the decision."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from holdfast import stats
from holdfast.stats import Sample, comparison

MARGINS = st.sampled_from([0.01, 0.02, 0.05, 0.1, 0.3])
FEW = settings(max_examples=40, deadline=None)


@st.composite
def samples(draw, most=150):
    total = draw(st.integers(1, most))
    return Sample(draw(st.integers(0, total)), total)


@st.composite
def fractions(draw):
    whole, effect = draw(samples()), draw(st.floats(1, 4))
    return Sample(whole.bad / effect, whole.total / effect)


@FEW
@given(fractions(), fractions())
def test_the_estimate_lies_between_the_bounds(now, base):
    low, high = stats.difference_lower_bound(now, base), stats.difference_upper_bound(now, base)
    assert -1 <= low <= now.ratio - base.ratio + 1e-9
    assert now.ratio - base.ratio - 1e-9 <= high <= 1


@FEW
@given(samples(), samples(), MARGINS)
def test_the_decision_is_the_bounds_and_the_p_value(now, base, margin):
    high = stats.difference_upper_bound(now, base)
    assume(abs(high - margin) > 1e-3)
    assert stats.not_worse(now, base, margin) == (high <= margin)
    assert stats.not_worse(now, base, margin) == (stats.not_worse_p_value(now, base, margin) <= stats.ALPHA)


@FEW
@given(fractions(), fractions(), MARGINS)
def test_no_counts_are_both_proof_and_refutation(now, base, margin):
    assert not (stats.not_worse(now, base, margin) and stats.not_worse(base, now, -margin))


@FEW
@given(samples(), samples(), MARGINS)
def test_one_more_bad_event_never_makes_a_proof(now, base, margin):
    assume(now.bad < now.total)
    if stats.not_worse(Sample(now.bad + 1, now.total), base, margin):
        assert stats.not_worse(now, base, margin)


@FEW
@given(samples(), samples(), MARGINS)
def test_a_worse_baseline_never_takes_a_proof_away(now, base, margin):
    assume(base.bad < base.total)
    if stats.not_worse(now, base, margin):
        assert stats.not_worse(now, Sample(base.bad + 1, base.total), margin)


@FEW
@given(fractions(), fractions(), MARGINS)
def test_what_is_proved_for_a_margin_is_proved_for_a_wider_one(now, base, margin):
    if stats.not_worse(now, base, margin):
        assert stats.not_worse(now, base, margin * 1.5)


@given(samples(), samples(), MARGINS)
def test_the_restricted_ratio_is_the_most_likely_one(now, base, margin):
    from scipy.special import xlog1py, xlogy

    def likelihood(p0):
        good = now.total - now.bad, base.total - base.bad
        seen = xlogy(now.bad, p0 + margin) + xlog1py(good[0], -(p0 + margin))
        return seen + xlogy(base.bad, p0) + xlog1py(good[1], -p0)

    best = float(comparison._restricted(now.bad, now.total, base.bad, base.total, margin))
    others = [step / 200 * (1 - margin) for step in range(201)]
    assert likelihood(best) >= max(likelihood(p0) for p0 in others) - 1e-6
