"""Unit tests of an SLO's rules, made from the SLO."""
