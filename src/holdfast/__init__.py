"""Holdfast: proves under real load and real faults that an AI platform keeps its SLOs."""
