"""The reference platform: an engine that behaves like vLLM, a gateway, an alert receiver."""
