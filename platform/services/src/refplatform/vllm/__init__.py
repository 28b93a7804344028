"""Real vLLM as an engine of the platform: the tiny model it serves, and the leash it runs on."""
