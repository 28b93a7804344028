"""A live OpenAI-compatible engine that batches, queues and reports as vLLM does, without a model."""
