"""Simulated devices: what load does to them, what faults leave on them, and that dcgm-exporter's readers read them."""

import argparse
import asyncio
import math
import re
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refplatform.engine.gpu import SPECS, Device, Load
from refplatform.engine.gpu.device import HEAT_SECONDS, POWER_SECONDS
from refplatform.engine.gpu.exposition import exposition, read_fields
from refplatform.engine.gpu.face import PATH, GpuFace
from refplatform.engine.gpu.meter import Meter, Weights
from refplatform.engine.gpu.options import add_arguments, gpu_meter
from refplatform.engine.gpu.spec import slices

H100 = SPECS["h100"]
FULL = Load(busy=1.0, dram=0.9, tensor=0.9)


def device(**settings):
    return Device(spec=H100, **settings)


def shown(*devices):
    """(name, labels) -> value of everything that is exported."""
    found = {}
    for line in exposition(devices, "node-1").decode().splitlines():
        if not line.startswith("#"):
            name, labels, value = re.fullmatch(r"(\w+)\{(.*)\} (\S+)", line).groups()
            found[name, tuple(sorted(re.findall(r'(\w+)="([^"]*)"', labels)))] = value
    return found


def values(name, *devices, **labels):
    wanted = set(labels.items())
    return [float(value) for (field, found), value in shown(*devices).items() if field == name and wanted <= set(found)]


# The device.


def test_a_device_that_idles_stays_as_it_is():
    one = device()
    before = one.celsius
    one.advance(1000.0, Load())
    assert one.power == H100.idle_power
    assert one.celsius == pytest.approx(before)
    assert one.energy == pytest.approx(70 * 1000)  # 70 W for 1000 s
    assert one.sm_clock == H100.idle_sm_clock
    assert one.events == 0x1


def test_power_follows_the_load_within_seconds_and_heat_within_a_minute():
    one = device()
    one.advance(POWER_SECONDS, FULL)
    # one time constant: 1 - 1/e of the way from 70 W to 70 + 630 * min(1, 0.25 + 0.4 * 0.9 + 0.45 * 0.9) = 700 W
    assert one.power == pytest.approx(70 + 630 * (1 - 1 / math.e))
    assert one.celsius < 36
    one.advance(10 * HEAT_SECONDS, FULL)
    assert one.celsius == pytest.approx(72, abs=0.5)  # 30 + 42 at full power
    one.advance(20 * HEAT_SECONDS, Load())
    assert one.celsius == pytest.approx(30 + 42 * 70 / 700, abs=0.5)


@given(st.lists(st.floats(0.01, 500), min_size=1, max_size=8))
def test_it_does_not_matter_how_often_somebody_looks(gaps):
    often, once = device(), device()
    for gap in gaps:
        often.advance(often.now + gap, FULL)
    once.advance(often.now, FULL)
    assert often.power == pytest.approx(once.power)
    assert often.energy == pytest.approx(once.energy)
    assert H100.idle_power <= often.power <= H100.power


def test_a_look_back_changes_nothing():
    one = device(now=5.0)
    one.advance(4.0, FULL)
    assert (one.now, one.load.busy) == (5.0, 0.0)


def test_a_throttled_device_is_slower_and_cooler_and_counts_the_time():
    free, slow = device(), device()
    slow.throttle(0.5)
    for one in (free, slow):
        one.advance(300.0, FULL)
    assert slow.sm_clock == 990  # 1980 / 2
    assert slow.power < free.power
    assert slow.violations == {"thermal": 300_000_000_000}  # ns
    assert slow.events == 0x20
    slow.throttle(1.0)
    slow.advance(400.0, FULL)
    assert slow.violations == {"thermal": 300_000_000_000}
    assert (slow.events, slow.sm_clock) == (0, 1980)


@pytest.mark.parametrize("factor", [0.0, -1.0, 1.1, float("nan")])
def test_a_clock_cannot_stand_still_nor_be_raised(factor):
    with pytest.raises(ValueError, match="clock"):
        device().throttle(factor)


def test_the_last_xid_is_shown_and_all_of_the_last_minutes_are_counted():
    one = device()
    for second, code in ((10.0, 31), (20.0, 48), (30.0, 31)):
        one.advance(second, Load())
        one.xid(code)
    assert values("DCGM_FI_DEV_XID_ERRORS", one, err_code="31", err_msg="GPU memory page fault") == [31]
    assert values("DCGM_EXP_XID_ERRORS_COUNT", one, xid="31", window_size_in_ms="300000") == [2]
    assert values("DCGM_EXP_XID_ERRORS_COUNT", one, xid="48") == [1]
    one.advance(325.0, Load())  # 300 s after the second of the three
    assert one.xids_in_window() == {31: 1}
    assert values("DCGM_FI_DEV_XID_ERRORS", one) == [31]  # the last one, for ever


def test_a_device_off_the_bus_tells_nothing_but_that():
    one, other = device(index=0), device(index=1)
    one.xid(79)
    names = {name for name, labels in shown(one, other) if ("gpu", "0") in labels}
    assert names == {"DCGM_FI_DEV_XID_ERRORS", "DCGM_EXP_XID_ERRORS_COUNT"}
    assert len(values("DCGM_FI_DEV_GPU_TEMP", one, other)) == 1
    one.reset()
    assert len(values("DCGM_FI_DEV_GPU_TEMP", one, other)) == 2


def test_memory_errors_are_counted_and_their_rows_remapped():
    one = device()
    one.ecc(sbe=3, dbe=1)
    for kind, count in (("SBE", 3), ("DBE", 1)):
        assert values(f"DCGM_FI_DEV_ECC_{kind}_VOL_TOTAL", one) == [count]
        assert values(f"DCGM_FI_DEV_ECC_{kind}_AGG_TOTAL", one) == [count]
    assert values("DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", one) == [1]


# MIG.


def test_instances_share_a_device_and_the_engine_runs_on_the_first():
    one = device(slices=slices(("3g.40gb", "3g.40gb"), H100))
    one.advance(60.0, Load(busy=1.0, dram=0.5, memory_used=30_000.0))
    assert values("DCGM_FI_PROF_DRAM_ACTIVE", one, GPU_I_ID="1", GPU_I_PROFILE="3g.40gb") == [0.5]
    assert values("DCGM_FI_PROF_DRAM_ACTIVE", one, GPU_I_ID="2") == [0.0]
    assert values("DCGM_FI_DEV_FB_USED", one) == [30_000, 0]
    assert values("DCGM_FI_DEV_FB_FREE", one) == [40 * 1024 - 551 - 30_000, 40 * 1024 - 551]
    assert values("DCGM_FI_DEV_GPU_UTIL", one) == []  # the driver has no such number for a device in parts
    assert len(values("DCGM_FI_DEV_GPU_TEMP", one)) == 2  # the device's own, once for each


def test_an_instance_can_be_lost():
    one = device(slices=slices(("3g.40gb", "3g.40gb"), H100))
    one.lose(1)
    assert {dict(labels)["GPU_I_ID"] for _, labels in shown(one)} == {"2"}
    with pytest.raises(ValueError, match="no instance 1"):
        one.lose(1)


@pytest.mark.parametrize(
    ("profiles", "complaint"),
    [
        (("half",), "no MIG profile"),
        (("8g.80gb",), "no MIG profile"),
        (("4g.40gb", "4g.40gb"), "more than 7 slices"),
        (("1g.80gb", "1g.80gb"), "more memory"),
    ],
)
def test_instances_that_do_not_fit_are_refused(profiles, complaint):
    with pytest.raises(ValueError, match=complaint):
        slices(profiles, H100)


# The exporter's text.


def test_every_field_of_the_list_is_exported_once_a_device():
    names = [name for name, _ in shown(device(index=0), device(index=1))]
    fields = {one.name for one in read_fields()} - {"DCGM_EXP_XID_ERRORS_COUNT"}  # exists after the first XID
    assert set(names) == fields
    assert all(names.count(name) == 2 for name in fields)
    assert "DCGM_FI_DEV_FB_TOTAL" not in names


def test_labels_types_and_numbers_are_dcgm_exporters():
    text = exposition([device(uuid="GPU-1")], "node-1").decode()
    common = 'gpu="0",UUID="GPU-1",pci_bus_id="00000000:17:00.0",device="nvidia0",modelName="NVIDIA H100 80GB HBM3"'
    end = 'Hostname="node-1",DCGM_FI_DRIVER_VERSION="570.86.15"'
    assert f"DCGM_FI_DEV_GPU_TEMP{{{common},{end}}} 34\n" in text  # 30 + 42 * 70 / 700
    assert f"DCGM_FI_DEV_POWER_USAGE{{{common},{end}}} 70.000000\n" in text
    assert "# TYPE DCGM_FI_DEV_PCIE_REPLAY_COUNTER counter\n" in text
    assert "# HELP DCGM_FI_DEV_XID_ERRORS Value of the last XID error encountered.\n" in text
    assert text.endswith("\n")


def test_prometheus_can_read_it():
    from prometheus_client.parser import text_string_to_metric_families

    one = device(slices=slices(("1g.10gb",) * 7, H100))
    one.xid(48)
    families = list(text_string_to_metric_families(exposition([one], "node-1").decode()))
    samples = [(sample.name, tuple(sorted(sample.labels.items()))) for family in families for sample in family.samples]
    assert len(samples) == len(set(samples)) > 0


# From steps to load.


def step(tokens=0, context=0):
    return SimpleNamespace(tokens=tokens, context=context)


def test_load_is_what_the_steps_moved_over_what_the_device_can_move():
    busy = [0.0]
    one = device()
    meter = Meter((one,), Weights(weight_bytes=16e9, kv_bytes_per_token=131_072), lambda: busy[0])
    for _ in range(100):
        meter.stepped(step(tokens=64, context=50_000))
    busy[0] = 0.8
    meter.look(1.0)
    moved = 100 * (16e9 + 131_072 * 50_000)
    assert one.load.dram == pytest.approx(moved / 3.35e12)
    assert one.load.tensor == pytest.approx(100 * 64 * 16e9 / 989e12)  # two operations a weight of two bytes
    assert values("DCGM_FI_DEV_GPU_UTIL", one) == [80]
    meter.look(1.5)  # too soon after the last one
    assert one.load.busy == 0.8
    meter.look(2.0)
    assert (one.load.busy, one.load.dram) == (0.0, 0.0)
    assert one.load.memory_used == pytest.approx(0.92 * H100.memory)  # an idle engine keeps its memory


def test_devices_share_the_work_and_talk_to_each_other():
    pair = (device(index=0), device(index=1))
    meter = Meter(pair, Weights(weight_bytes=16e9), lambda: 0.5)
    meter.stepped(step(tokens=1000))
    meter.look(1.0)
    assert pair[0].load == pair[1].load
    assert pair[0].load.dram == pytest.approx(8e9 / 3.35e12)
    assert values("DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL", *pair) == [500, 500]  # 1000 tokens of half a MiB


def test_before_the_first_look_the_memory_is_already_taken():
    one = device()
    Meter((one,), Weights(), lambda: 0.0)
    assert values("DCGM_FI_DEV_FB_USED", one) == [round(0.92 * 81559)]


def arguments(*given):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args([*given, "--gpu-host", "node-1"])


def calibration(name="laptop"):
    return SimpleNamespace(name=name, gpu_memory_utilization=0.9, weight_bytes=0, kv_bytes_per_token=0)


def test_the_options_make_the_devices():
    args = arguments("--tensor-parallel-size", "2", "--gpu-index", "4", "--mig", "3g.40gb,3g.40gb")
    meter = gpu_meter(args, calibration("a100"), now=7.0, busy_seconds=lambda: 0.0)
    assert [one.index for one in meter.devices] == [4, 5]
    assert {one.spec.model for one in meter.devices} == {"NVIDIA A100-SXM4-80GB"}
    assert len({one.uuid for one in meter.devices}) == 2
    again = gpu_meter(args, calibration("a100"), now=7.0, busy_seconds=lambda: 0.0)
    assert [one.uuid for one in again.devices] == [one.uuid for one in meter.devices]
    with pytest.raises(ValueError, match="at least 1"):
        gpu_meter(arguments("--tensor-parallel-size", "0"), calibration(), now=0.0, busy_seconds=lambda: 0.0)


def test_an_unknown_calibration_runs_on_an_h100():
    meter = gpu_meter(arguments(), calibration(), now=0.0, busy_seconds=lambda: 0.0)
    assert meter.devices[0].spec is H100


def test_the_devices_are_scraped_at_their_own_path_and_the_rest_passes():
    passed, sent = [], []

    async def app(scope, receive, send):
        passed.append(scope["path"])

    async def send(message):
        sent.append(message)

    face = GpuFace(app, Meter((device(),), Weights(), lambda: 0.0), host="node-1", clock=lambda: 3.0)
    for path in (PATH, "/metrics"):
        asyncio.run(face({"type": "http", "method": "GET", "path": path, "headers": []}, None, send))
    assert passed == ["/metrics"]
    assert b"DCGM_FI_DEV_GPU_UTIL" in sent[1]["body"]


def test_an_engine_shows_its_device_at_work(engine, web):
    url = engine().url
    web.ask(url, 40)
    text = web.fetch(url, PATH).body.decode()
    assert web.fetch(url, PATH).headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'modelName="NVIDIA H100 80GB HBM3"' in text

    def active():
        text = web.fetch(url, PATH).body.decode()
        return float(re.search(r"^DCGM_FI_PROF_GR_ENGINE_ACTIVE\{.*\} (\S+)$", text, re.MULTILINE)[1])

    stream = web.open(url, path=web.path, body=web.chat(2000)).until(b'"content":"')
    web.eventually(lambda: active() > 0.5)
    stream.drop()
    web.eventually(lambda: active() == 0)
