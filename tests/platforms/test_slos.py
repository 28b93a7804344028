"""The platform's SLOs stand on what it exports: each series there from the start, each bound the edge of a bucket."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from holdfast.model.slo import Events, Slo
from holdfast.project import load_slos
from holdfast.slo.promql import Matcher, Selector, selectors
from holdfast.units import duration
from refplatform.documents.metrics import DocumentsMetrics
from refplatform.engine.calibration import read_calibration
from refplatform.engine.live import LiveEngine
from refplatform.engine.metrics import EngineMetrics
from refplatform.gateway.ledger import Ledger
from refplatform.gateway.metrics import GatewayMetrics
from refplatform.gateway.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client.samples import Sample

ROOT = Path(__file__).parents[2]
RUNBOOKS = ROOT / "platform" / "runbooks"
SLOS = load_slos(ROOT)
FILES = sorted((ROOT / "slos").glob("*.yaml"))


def exported() -> list[Sample]:
    """What the services show before their first request."""
    gateway, engine = GatewayMetrics(), EngineMetrics("sim")
    Pool(("http://127.0.0.1:8001",), failover=True, watcher=gateway)
    Ledger("redis://127.0.0.1:6379/0", gateway, clock=time.monotonic)
    calibration = read_calibration(ROOT / "platform" / "local" / "calibrations" / "laptop.json")
    LiveEngine(calibration, engine, clock=time.monotonic)
    registries = (gateway.registry, engine.registry, DocumentsMetrics().registry)
    families = [family for registry in registries for family in registry.collect()]
    return [sample for family in families for sample in family.samples]


SAMPLES = exported()


def fits(matcher: Matcher, labels: Mapping[str, str]) -> bool:
    value = labels.get(matcher.label, "")
    found = value == matcher.value if matcher.op in {"=", "!="} else bool(re.fullmatch(matcher.value, value))
    return found is (matcher.op in {"=", "=~"})


def values(selector: Selector) -> list[float]:
    """The values that are exported for it."""
    mine = [sample for sample in SAMPLES if sample.name == selector.name]
    return [one.value for one in mine if all(fits(matcher, one.labels) for matcher in selector.matchers)]


def read_by(slo: Slo) -> tuple[Selector, ...]:
    assert isinstance(slo.indicator, Events)
    return selectors(slo.indicator.error_query) + selectors(slo.indicator.total_query)


def edges(slo: Slo) -> set[str]:
    return {matcher.value for one in read_by(slo) for matcher in one.matchers if matcher.label == "le"}


@pytest.fixture(params=SLOS.values(), ids=SLOS)
def slo(request) -> Slo:
    return request.param


def test_every_series_an_slo_reads_is_exported_as_0_from_the_start(slo):
    # A counter that appears with its first failure has no increase, and one that is missing is no evidence at all.
    assert {one.text: set(values(one)) for one in read_by(slo)} == {one.text: {0.0} for one in read_by(slo)}


def test_a_bound_between_two_edges_is_found_out():
    # Sure that the test above can fail: 0.3 is an edge of these buckets, 0.35 is none.
    for le, exported in (("0.3", True), ("0.35", False)):
        (selector,) = selectors(f'sum(rate(gateway_ttft_seconds_bucket{{le="{le}"}}[5m]))')
        assert bool(values(selector)) is exported


def test_the_bound_that_clients_witness_is_the_edge_that_is_queried(slo):
    if slo.bound is None:
        assert "bound" not in slo.labels
        return
    assert [float(edge) for edge in edges(slo)] == [slo.bound] == [duration(slo.labels["bound"])]


def test_an_slo_has_words_for_people_and_a_page_for_who_is_woken(slo):
    assert slo.description.endswith(".")
    assert slo.alert
    page = ROOT / slo.alert_annotations["runbook"]
    assert page.parent == RUNBOOKS
    parts = re.findall(r"^\*\*(.+?)\.\*\*", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert parts == ["What it means", "First look", "What it usually is", "What stops the burn"]
    assert f"`{slo.alert}`" in (RUNBOOKS / "README.md").read_text(encoding="utf-8")


def test_every_series_that_a_runbook_looks_at_is_exported():
    blocks = [
        block
        for page in RUNBOOKS.glob("*.md")
        for block in re.findall(r"```promql\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    ]
    named = {name for block in blocks for name in re.findall(r"\b(?:gateway_|documents_|vllm:)\w+", block)}
    assert named
    assert named - {sample.name for sample in SAMPLES} == set()


def test_no_two_slos_share_an_alert():
    names = [slo.alert for slo in SLOS.values()]
    assert len(names) == len(set(names))


@pytest.fixture
def sloth() -> str:
    found = os.environ.get("HOLDFAST_SLOTH") or shutil.which("sloth")
    if not found:
        pytest.skip("needs sloth on PATH, or its path in HOLDFAST_SLOTH")
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_sloth_itself_accepts_the_file(file: Path, sloth: str):
    done = subprocess.run([sloth, "validate", "-i", file], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
