"""What counted events prove: exact bounds, early stops, quantiles, bursts, many objectives, recovery times.

Everything here is a pure function of counts, times and an error probability. scipy and numpy are imported where they
are used, so that importing this package costs nothing.
"""

from holdfast.stats.binomial import (
    ALPHA,
    chance_to_pass,
    events_to_pass,
    least_clean_events,
    lower_bound,
    most_bad_that_passes,
    upper_bound,
)
from holdfast.stats.blocks import (
    FEWEST_BLOCKS,
    Blocks,
    autocorrelation,
    blocks_of,
    design_effect,
    effective_total,
    log_capital_path,
    mean_lower_bound,
    mean_upper_bound,
)
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
    "FEWEST_BLOCKS",
    "GOOD_RATIOS",
    "Blocks",
    "Step",
    "autocorrelation",
    "bad_ratios",
    "blocks_of",
    "breach_p_value",
    "chance_to_pass",
    "decide",
    "decide_path",
    "design_effect",
    "effective_total",
    "events_to_pass",
    "holm",
    "holm_adjusted",
    "joint_chance",
    "kaplan_meier",
    "least_clean_events",
    "least_for_quantile",
    "log_capital_path",
    "log_e",
    "log_e_path",
    "lower_bound",
    "lower_rank",
    "mean_lower_bound",
    "mean_upper_bound",
    "median_recovery",
    "most_bad_that_passes",
    "quantile_lower_bound",
    "quantile_upper_bound",
    "upper_bound",
    "upper_rank",
    "waiting_upper_bound",
]
