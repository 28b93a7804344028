"""SLO files of other tools, read into one model, and the Prometheus rules that follow from it."""
