"""The frozen nouns everything else speaks in; no IO, no clock, no randomness of their own."""
