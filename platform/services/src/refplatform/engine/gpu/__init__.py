"""The simulated devices under an engine, and their metrics under the names of NVIDIA's dcgm-exporter."""

from refplatform.engine.gpu.device import Device, Load
from refplatform.engine.gpu.spec import SPECS, Spec

__all__ = ["SPECS", "Device", "Load", "Spec"]
