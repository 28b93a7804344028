"""The script that reads vLLM's wheel: it follows what it must, stops where it cannot, and gave what is committed."""

import ast
import importlib.util
import os
import sys
from pathlib import Path

import pytest

from refplatform.engine.metrics import catalogue

TOOL = Path(__file__).parents[1] / "tools" / "vllm_metrics.py"


def test_the_catalogue_is_what_the_wheels_say():
    """HOLDFAST_VLLM_WHEELS: the wheels of vllm and prometheus_fastapi_instrumentator, with a colon between."""
    wheels = os.environ.get("HOLDFAST_VLLM_WHEELS")
    if not wheels:
        pytest.skip("HOLDFAST_VLLM_WHEELS does not name the two wheels")
    tool = load_tool()
    vllm, instrumentator = map(Path, wheels.split(":"))
    versions = {wheel.name.split("-")[0]: wheel.name.split("-")[1] for wheel in (vllm, instrumentator)}
    made = tool.catalogue(tool.sources(vllm), tool.sources(instrumentator), versions)
    committed = Path(catalogue.__file__).with_name(f"vllm-{catalogue.VLLM}.json")
    assert tool.text(made) == committed.read_text()


def load_tool():
    spec = importlib.util.spec_from_file_location("vllm_metrics", TOOL)
    module = importlib.util.module_from_spec(spec)
    sys.modules["vllm_metrics"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def read(source, module="v1/metrics/loggers.py"):
    return load_tool().Reader({module: source}).families


def test_the_reader_follows_constants_sums_and_conditions():
    made = read("""
EDGES = tuple(2 ** (1 + i) for i in range(3))
class A:
    def __init__(self, vllm_config, labelnames):
        self.g = self._gauge_cls(name="vllm:a", documentation="One " "two.", labelnames=labelnames + ["reason"])
        if vllm_config.lora_config is not None:
            self.h = Histogram("vllm:b", "B.", buckets=EDGES[1:])
""")
    assert made["vllm:a"] == {
        "name": "vllm:a",
        "type": "gauge",
        "help": "One two.",
        "labels": ["model_name", "engine", "reason"],
        "when": "always",
    }
    assert made["vllm:b"]["when"] == "lora"
    assert made["vllm:b"]["buckets"] == [4, 8]  # 2 ** 2, 2 ** 3


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ('if weather.is_fine:\n    Gauge("vllm:a", "A.", [])', "weather.is_fine"),
        ('Gauge("vllm:a", make_help(), [])', "its help is not a constant"),
        ('Histogram("vllm:a", "A.", [], buckets=make_edges())', "its buckets are not understood"),
    ],
)
def test_the_reader_stops_where_it_does_not_understand(source, complaint):
    with pytest.raises(SystemExit, match=complaint):
        read(source)


def test_a_text_that_looks_like_a_metric_is_found():
    tree = ast.parse('"""vllm:of_a_docstring"""\nx = "vllm:lost"\ny = "see vllm:prose here"')
    assert load_tool().texts(tree) == {"vllm:lost"}
