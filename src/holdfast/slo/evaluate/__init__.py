"""PromQL over samples in memory, and what an SLO's rules would have done in the past."""
