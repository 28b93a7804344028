"""The receiver at the end of Alertmanager's webhook: what fired and when, one line of NDJSON an alert."""
