"""A TCP proxy that breaks what passes through it, on request: Toxiproxy's HTTP API and toxics, each with a lease."""
