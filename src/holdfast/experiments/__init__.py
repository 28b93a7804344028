"""Experiments by themselves, without load and without a verdict: checked, aimed, played, and what they left behind."""
