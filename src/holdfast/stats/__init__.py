"""What counted events prove: exact bounds, early stops, quantiles, bursts, many objectives, recovery times.

Everything here is a pure function of counts, times and an error probability. scipy and numpy are imported where they
are used, so that importing this package costs nothing.
"""

from holdfast.stats.binomial import (
    ALPHA,
    chance_of_at_most,
    chance_to_pass,
    events_to_pass,
    first_that,
    least_clean_events,
    lower_bound,
    most_bad_that_passes,
    upper_bound,
)
from holdfast.stats.blocks import (
    FEWEST_BLOCKS,
    Blocks,
    blocks_of,
    log_capital_path,
    mean_lower_bound,
    mean_upper_bound,
)
from holdfast.stats.comparison import (
    Sample,
    chance_not_worse,
    difference_lower_bound,
    difference_upper_bound,
    least_clean_not_worse,
    most_bad_not_worse,
    not_worse,
    not_worse_p_value,
)
from holdfast.stats.dependence import BLOCK, correlations, design_effect, effect_seen, slowest
from holdfast.stats.families import breach_p_value, holm, holm_adjusted, joint_chance
from holdfast.stats.quantiles import (
    least_for_quantile,
    lower_rank,
    quantile_lower_bound,
    quantile_upper_bound,
    upper_rank,
)
from holdfast.stats.sequential import (
    BAD_RATIOS,
    GOOD_RATIOS,
    bad_ratios,
    decide,
    decide_path,
    log_e,
    log_e_path,
)
from holdfast.stats.survival import Step, kaplan_meier, median_recovery, waiting_upper_bound

__all__ = [
    "ALPHA",
    "BAD_RATIOS",
    "BLOCK",
    "FEWEST_BLOCKS",
    "GOOD_RATIOS",
    "Blocks",
    "Sample",
    "Step",
    "bad_ratios",
    "blocks_of",
    "breach_p_value",
    "chance_not_worse",
    "chance_of_at_most",
    "chance_to_pass",
    "correlations",
    "decide",
    "decide_path",
    "design_effect",
    "difference_lower_bound",
    "difference_upper_bound",
    "effect_seen",
    "events_to_pass",
    "first_that",
    "holm",
    "holm_adjusted",
    "joint_chance",
    "kaplan_meier",
    "least_clean_events",
    "least_clean_not_worse",
    "least_for_quantile",
    "log_capital_path",
    "log_e",
    "log_e_path",
    "lower_bound",
    "lower_rank",
    "mean_lower_bound",
    "mean_upper_bound",
    "median_recovery",
    "most_bad_not_worse",
    "most_bad_that_passes",
    "not_worse",
    "not_worse_p_value",
    "quantile_lower_bound",
    "quantile_upper_bound",
    "slowest",
    "upper_bound",
    "upper_rank",
    "waiting_upper_bound",
]
