"""A judged run as text for a terminal, a program, a CI server and a browser; no clock, no files, no decisions."""
