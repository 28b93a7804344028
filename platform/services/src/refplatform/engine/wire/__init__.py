"""OpenAI's API as vLLM 0.33 speaks it: bodies read, answers written, as JSON and as server-sent events."""
