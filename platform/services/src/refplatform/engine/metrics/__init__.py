"""vLLM's /metrics, exactly: families from a catalogue that a script takes from vLLM's wheel, values from the engine."""

from refplatform.engine.metrics.recorder import EngineMetrics

__all__ = ["EngineMetrics"]
