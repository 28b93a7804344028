"""SLOs held against what is really exported."""
