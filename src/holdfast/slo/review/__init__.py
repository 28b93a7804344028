"""A month of error budgets: spent by whom, and when it will be gone."""
