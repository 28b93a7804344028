"""Chaos Toolkit documents run safely: activities that prove effect, a ledger written ahead, a runner for threads."""
