"""Sloth's own rules, byte for byte."""
