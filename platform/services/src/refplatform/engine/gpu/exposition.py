"""Devices as dcgm-exporter prints them: its fields, labels and number formats, which are not quite Prometheus' own.

Counters have no `_total`, and a device-wide field is repeated for every MIG instance.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from refplatform.engine.gpu.device import MEMORY_RISE_CELSIUS, XID_WINDOW_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from refplatform.engine.gpu.device import Device
    from refplatform.engine.gpu.spec import Slice

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
DRIVER: Final = "570.86.15"
MIB: Final = 1024 * 1024

XID_TEXTS: Final = {
    0: "No Error",
    13: "Graphics Engine Exception",
    31: "GPU memory page fault",
    43: "GPU stopped processing",
    48: "Double Bit ECC Error",
    62: "Internal micro-controller halt",
    63: "ECC page retirement or row remapping recording event",
    64: "ECC page retirement or row remapper recording failure",
    74: "NVLINK Error",
    79: "GPU has fallen off the bus",
    92: "High single-bit ECC error rate",
    94: "Contained ECC error",
    95: "Uncontained ECC error",
    119: "GSP RPC Timeout",
    120: "GSP Error",
}
"""The label `err_msg` of an XID, for the codes that faults use."""

OF_THE_DEVICE: Final[dict[str, Callable[[Device], float]]] = {
    "DCGM_FI_DEV_SM_CLOCK": lambda device: device.sm_clock,
    "DCGM_FI_DEV_MEM_CLOCK": lambda device: device.spec.memory_clock,
    "DCGM_FI_DEV_MEMORY_TEMP": lambda device: round(device.celsius + MEMORY_RISE_CELSIUS),
    "DCGM_FI_DEV_GPU_TEMP": lambda device: round(device.celsius),
    "DCGM_FI_DEV_POWER_USAGE": lambda device: float(device.power),
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": lambda device: round(device.energy * 1000),
    "DCGM_FI_DEV_PCIE_REPLAY_COUNTER": lambda _: 0,
    "DCGM_FI_DEV_XID_ERRORS": lambda device: device.last_xid,
    "DCGM_FI_DEV_VGPU_LICENSE_STATUS": lambda _: 0,
    "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS": lambda device: device.dbe,
    "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS": lambda _: 0,
    "DCGM_FI_DEV_ROW_REMAP_FAILURE": lambda _: 0,
    "DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL": lambda device: round(device.nvlink_bytes / MIB),
    "DCGM_FI_PROF_PCIE_TX_BYTES": lambda device: round(device.load.pcie / 2),
    "DCGM_FI_PROF_PCIE_RX_BYTES": lambda device: round(device.load.pcie),
    "DCGM_FI_DEV_POWER_VIOLATION": lambda device: device.violations["power"],
    "DCGM_FI_DEV_THERMAL_VIOLATION": lambda device: device.violations["thermal"],
    "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL": lambda device: device.sbe,
    "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": lambda device: device.dbe,
    "DCGM_FI_DEV_ECC_SBE_AGG_TOTAL": lambda device: device.sbe,
    "DCGM_FI_DEV_ECC_DBE_AGG_TOTAL": lambda device: device.dbe,
    "DCGM_FI_DEV_CLOCKS_EVENT_REASONS": lambda device: device.events,
}
"""Whole numbers are DCGM's integers, the others its doubles."""

OF_A_WHOLE_GPU: Final[dict[str, Callable[[Device], float]]] = {
    "DCGM_FI_DEV_GPU_UTIL": lambda device: round(device.load.busy * 100),
    "DCGM_FI_DEV_MEM_COPY_UTIL": lambda device: round(device.load.dram * 100),
    "DCGM_FI_DEV_ENC_UTIL": lambda _: 0,
    "DCGM_FI_DEV_DEC_UTIL": lambda _: 0,
}
"""What the driver does not tell while a device is cut into instances."""

OF_AN_INSTANCE: Final[dict[str, Callable[[Device, float, bool], float]]] = {
    "DCGM_FI_DEV_FB_USED": lambda device, _, mine: round(device.load.memory_used) if mine else 0,
    "DCGM_FI_DEV_FB_FREE": lambda device, size, mine: max(
        0, round(size - device.spec.reserved - (device.load.memory_used if mine else 0))
    ),
    "DCGM_FI_DEV_FB_RESERVED": lambda device, _size, _mine: device.spec.reserved,
    "DCGM_FI_PROF_GR_ENGINE_ACTIVE": lambda device, _, mine: device.load.busy if mine else 0.0,
    "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE": lambda device, _, mine: device.load.tensor if mine else 0.0,
    "DCGM_FI_PROF_DRAM_ACTIVE": lambda device, _, mine: device.load.dram if mine else 0.0,
}
"""From the device, the instance's memory in MiB, and whether the engine runs on it."""

XID_FIELD: Final = "DCGM_FI_DEV_XID_ERRORS"
XID_COUNT: Final = "DCGM_EXP_XID_ERRORS_COUNT"


@dataclass(frozen=True, slots=True)
class Field:
    """One line of counters.csv."""

    name: str
    type: str
    help: str


@functools.cache
def read_fields() -> tuple[Field, ...]:
    """The fields that are exported, without those that are labels of the others."""
    lines = files("refplatform.engine.gpu").joinpath("counters.csv").read_text("utf-8").splitlines()
    rows = [[part.strip() for part in line.split(",", 2)] for line in lines if line and not line.startswith("#")]
    return tuple(Field(*row) for row in rows if row[1] != "label")


def exposition(devices: Iterable[Device], host: str) -> bytes:
    """All fields of all devices."""
    known = tuple(devices)
    parts: list[str] = []
    for one in read_fields():
        lines = [f"{one.name}{{{labels}}} {value}" for device in known for labels, value in _samples(one, device, host)]
        if lines:
            parts += [f"# HELP {one.name} {one.help}", f"# TYPE {one.name} {one.type}", *lines]
    return ("\n".join(parts) + "\n").encode()


def _samples(one: Field, device: Device, host: str) -> Iterator[tuple[str, str]]:
    if device.lost and one.name not in {XID_FIELD, XID_COUNT}:
        return
    for place, instance in enumerate(device.slices or (None,)):
        labels = _labels(device, instance, host)
        if one.name == XID_COUNT:
            window = round(XID_WINDOW_SECONDS * 1000)
            for code, count in device.xids_in_window().items():
                yield f'{labels},window_size_in_ms="{window}",xid="{code}"', str(count)
        elif one.name == XID_FIELD:
            text = XID_TEXTS.get(device.last_xid, "Unknown Error")
            yield f'{labels},err_code="{device.last_xid}",err_msg="{text}"', str(device.last_xid)
        elif one.name in OF_A_WHOLE_GPU:
            if instance is None:
                yield labels, _number(OF_A_WHOLE_GPU[one.name](device))
        elif one.name in OF_AN_INSTANCE:
            size = device.spec.memory if instance is None else instance.memory
            yield labels, _number(OF_AN_INSTANCE[one.name](device, size, place == 0))
        else:
            yield labels, _number(OF_THE_DEVICE[one.name](device))


def _labels(device: Device, instance: Slice | None, host: str) -> str:
    of_instance = f',GPU_I_PROFILE="{instance.profile}",GPU_I_ID="{instance.number}"' if instance else ""
    return (
        f'gpu="{device.index}",UUID="{device.uuid}",pci_bus_id="00000000:{0x17 + device.index:02X}:00.0",'
        f'device="nvidia{device.index}",modelName="{device.spec.model}"{of_instance},Hostname="{host}",'
        f'DCGM_FI_DRIVER_VERSION="{DRIVER}"'
    )


def _number(value: float) -> str:
    return f"{value:f}" if isinstance(value, float) else str(value)
