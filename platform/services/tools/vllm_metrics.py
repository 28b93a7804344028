#!/usr/bin/env python3
"""Reads which metrics a vLLM wheel exports from its source, without importing it: names, types, help, labels, buckets.

    python platform/services/tools/vllm_metrics.py vllm-0.33.0-*.whl prometheus_fastapi_instrumentator-*.whl

prints the catalogue that `refplatform.engine.metrics` is built from (`catalogue/vllm-0.33.0.json`). What cannot be
understood ends the program: an unknown condition, or a text that looks like a metric's name and was not found as one.
"""

from __future__ import annotations

import argparse
import ast
import json
import math
import re
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KINDS: Final = {
    **{name: name.lower() for name in ("Counter", "Gauge", "Histogram", "Summary")},
    **{f"_{name}_cls": name for name in ("counter", "gauge", "histogram")},
    **{f"Offloading{name}Metadata": name.lower() for name in ("Counter", "Gauge", "Histogram")},
}
METRIC: Final = re.compile(r"vllm:[a-z0-9_]*[a-z0-9]")
PER_ENGINE: Final = ["model_name", "engine"]
UNKNOWN: Final = object()

CONDITIONS: Final = {
    "kv_transfer_config is not None and kv_transfer_config.is_kv_consumer": "kv_consumer",
    "envs.VLLM_COMPUTE_NANS_IN_LOGITS": "nans_in_logits",
    "vllm_config.watermark_config is not None": "watermark",
    "self.kv_cache_metrics_enabled": "kv_cache_metrics",
    "vllm_config.observability_config.kv_cache_metrics": "kv_cache_metrics",
    "vllm_config.lora_config is not None": "lora",
    "is_diffusion": "diffusion",
    "not is_diffusion": "spec_decode",
    "type == 'cache_config'": "always",
    "store_threshold >= 2": "store_threshold",
}
"""What vLLM asks before it makes a metric, and what the catalogue calls it. An unknown condition is an error."""

MODULES: Final = {
    "v1/metrics/": "always",
    "v1/spec_decode/": "spec_decode",
    "parser/": "tool_parser",
    "entrypoints/rl/": "rl",
    "entrypoints/serve/dev/sleep/": "sleep_mode",
    "entrypoints/speech_to_text/realtime/": "realtime",
    "v1/simple_kv_offload/": "kv_connector:simple_kv_offload",
    "v1/kv_offload/": "kv_connector:offloading",
    "distributed/kv_transfer/kv_connector/v1/": "kv_connector",
    "prometheus_fastapi_instrumentator/": "http",
}
"""Where a metric that is made without a condition is made, and when that code runs."""

NO_METRICS: Final = {"vllm:v1", "vllm:diffusion", "vllm:spec_decode", "vllm:num_accepted_tokens_per_pos"}
"""Texts of the wheel that only look like a metric's name."""

VALUES: Final = {
    ("vllm:num_requests_waiting_by_reason", "reason"): ("WAITING_REASON_CAPACITY", "WAITING_REASON_DEFERRED"),
    ("vllm:num_requests_kv_fetch_by_stage", "stage"): "KV_FETCH_STAGES",
    ("vllm:prompt_tokens_by_source", "source"): "PromptTokenStats.ALL_SOURCES",
    ("vllm:prompt_tokens_cached_by_source", "source"): "CacheHitSource.*",
    ("vllm:request_success", "finished_reason"): "FINISH_REASON_STRINGS",
    ("vllm:admission_rejections", "reason"): "ADMISSION_REASONS",
    ("vllm:engine_sleep_state", "sleep_state"): "sleep_state",
    ("vllm:tool_call_parser_invocations_total", "outcome"): "ToolCallOutcome.*",
    ("vllm:tool_call_parser_invocations_total", "request_type"): "RequestType.*",
}
"""Labels whose values all exist from the start, and the name in the wheel's source under which these stand."""


@dataclass
class Scope:
    """Names and their values where the reader is, and the conditions that led there."""

    module: str
    names: dict[str, Any]
    when: list[str] = field(default_factory=list)
    pairs: list[tuple[str, str, list[str]]] = field(default_factory=list)


def value(node: ast.expr | None, names: dict[str, Any]) -> Any:  # noqa: PLR0911 - one line a kind of node
    """What an expression of constants and known names is; UNKNOWN otherwise."""
    match node:
        case ast.Constant():
            return node.value
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            return _sequence(parts, names)
        case ast.Dict(keys=[]):
            return []
        case ast.Name() | ast.Attribute():
            return names.get(ast.unparse(node).removeprefix("self."), UNKNOWN)
        case ast.Call(func=ast.Name(id="histogram_buckets"), args=[ast.Constant(value=family), *_]):
            return family
        case ast.Call(func=ast.Name(id="float"), args=[ast.Constant(value="inf")]):
            return math.inf
        case ast.Call(func=ast.Name(id="tuple"), args=[inner]):
            return value(inner, names)
        case ast.BinOp(left=left, op=op, right=right):
            return _binary(value(left, names), op, value(right, names))
        case ast.Subscript(value=whole, slice=ast.Slice(lower=ast.Constant(value=first), upper=None, step=None)):
            known = value(whole, names)
            return known if known is UNKNOWN else known[first:]
        case (ast.ListComp() | ast.GeneratorExp()) as made if isinstance(made.generators[0].target, ast.Name):
            each, name, source = made.elt, made.generators[0].target.id, made.generators[0].iter
            known = _range(source) if isinstance(source, ast.Call) else value(source, names)
            values = [] if known is UNKNOWN else [value(each, names | {name: index}) for index in known]
            return UNKNOWN if known is UNKNOWN or UNKNOWN in values else values
    return UNKNOWN


def _sequence(parts: list[ast.expr], names: dict[str, Any]) -> Any:
    values: list[Any] = []
    for part in parts:
        known = value(part.value if isinstance(part, ast.Starred) else part, names)
        if known is UNKNOWN:
            return UNKNOWN
        values += known if isinstance(part, ast.Starred) else [known]
    return values


def _binary(left: Any, op: ast.operator, right: Any) -> Any:
    if left is UNKNOWN or right is UNKNOWN:
        return UNKNOWN
    match op:
        case ast.Add() if type(left) is type(right):
            return left + right
        case ast.Add() | ast.Pow() if isinstance(left, int | float) and isinstance(right, int | float):
            return left + right if isinstance(op, ast.Add) else left**right
    return UNKNOWN


def _range(node: ast.Call) -> Any:
    bounds = [value(part, {}) for part in node.args]
    return range(*bounds) if ast.unparse(node.func) == "range" and UNKNOWN not in bounds else UNKNOWN


class Reader:
    """Collects families, module by module, in the order in which the source makes them."""

    def __init__(self, sources: dict[str, str]) -> None:
        self.sources = {name: ast.parse(text) for name, text in sources.items()}
        self.names: dict[str, Any] = {"_labelnames": PER_ENGINE, "labelnames": PER_ENGINE}
        self.families: dict[str, dict[str, Any]] = {}
        for tree in self.sources.values():
            self._constants(tree.body, "")
        for module, tree in self.sources.items():
            self._block(tree.body, Scope(module, dict(self.names)))

    def _constants(self, body: list[ast.stmt], prefix: str) -> None:
        for statement in body:
            if isinstance(statement, ast.ClassDef):
                self._constants(statement.body, f"{statement.name}.")
                members = [n.value for n in statement.body if isinstance(n, ast.Assign)]
                self.names[f"{statement.name}.*"] = [value(member, {}) for member in members]
            for name, known in _assigned(statement, self.names):
                self.names[prefix + name] = known

    def _block(self, body: Iterable[ast.stmt], scope: Scope) -> None:
        for statement in body:
            match statement:
                case ast.FunctionDef():
                    arguments = _defaults(statement.args, scope.names)
                    inner = Scope(scope.module, scope.names | arguments, list(scope.when))
                    self._block(statement.body, inner)
                    self.names |= {name: known for name, known in inner.names.items() if name == "sleep_state"}
                case ast.ClassDef():
                    self._block(statement.body, scope)
                case ast.If():
                    self._calls(statement.test, scope)
                    test = ast.unparse(statement.test)
                    self._under(statement.body, scope, test)
                    self._under(statement.orelse, scope, f"not {test}")
                case ast.For() | ast.With() | ast.Try():
                    self._block(statement.body, scope)
                case _:
                    self._simple(statement, scope)

    def _under(self, body: list[ast.stmt], scope: Scope, test: str) -> None:
        scope.when.append(test)
        self._block(body, scope)
        scope.when.pop()

    def _simple(self, statement: ast.stmt, scope: Scope) -> None:
        scope.names.update(_assigned(statement, scope.names))
        made = value(getattr(statement, "value", None), scope.names)
        if isinstance(made, list):
            pairs = [part for part in made if isinstance(part, list) and len(part) == 2 and METRIC.match(str(part[0]))]  # noqa: PLR2004
            scope.pairs += [(name, about, list(scope.when)) for name, about in pairs]
        match statement:
            case ast.Assign(targets=[ast.Subscript(slice=key)], value=ast.Call() as call):
                self._call(call, scope, named=value(key, scope.names))
        self._calls(statement, scope)

    def _calls(self, node: ast.AST, scope: Scope) -> None:
        for part in ast.walk(node):
            if isinstance(part, ast.Call):
                self._call(part, scope)
            elif isinstance(part, ast.Dict):
                for key, made in zip(part.keys, part.values, strict=True):
                    if key is not None and isinstance(made, ast.Call):
                        self._call(made, scope, named=value(key, scope.names))

    def _call(self, call: ast.Call, scope: Scope, named: Any = None) -> None:
        kind = KINDS.get(ast.unparse(call.func).rpartition(".")[2])
        if kind is None:
            return
        given = {word.arg: word.value for word in call.keywords if word.arg}
        given |= dict(zip(("name", "documentation", "labelnames"), call.args, strict=False))
        name = named or value(given.get("name"), scope.names)
        if isinstance(given.get("name"), ast.Name) and name is UNKNOWN:
            for each, about, when in scope.pairs:
                self._add((each, kind, about), PER_ENGINE, None, (scope.module, when))
        elif isinstance(name, str) and name.startswith(("vllm:", "http_")):
            about = value(given.get("documentation"), scope.names)
            labels = value(given["labelnames"], scope.names) if "labelnames" in given else []
            if named is not None:  # the offloading connector puts its own labels after those of the engine
                labels = UNKNOWN if labels is UNKNOWN else PER_ENGINE + labels
            edges = value(given.get("buckets"), scope.names)
            self._add((name, kind, about), labels, edges, (scope.module, scope.when))

    def _add(self, made: tuple[str, str, Any], labels: Any, buckets: Any, origin: tuple[str, list[str]]) -> None:
        name, kind, about = made
        family: dict[str, Any] = {"name": name, "type": kind, "help": self._help(name, about), "labels": labels}
        if labels is UNKNOWN:
            family["labels"] = "configuration"
        if kind == "histogram":
            family["buckets"] = self._edges(name, buckets)
        family["when"] = _when(*origin)
        self.families[name] = self.families.get(name, {}) | family

    def _help(self, name: str, about: Any) -> str:
        if not isinstance(about, str):
            about = self.families.get(name, {}).get("help")
        if not isinstance(about, str):
            raise SystemExit(f"{name}: its help is not a constant")
        return about

    def _edges(self, name: str, buckets: Any) -> Any:
        if isinstance(buckets, list):
            return [edge for edge in buckets if edge != math.inf]
        if isinstance(buckets, str):
            return buckets
        if "buckets" not in self.families.get(name, {}):
            raise SystemExit(f"{name}: its buckets are not understood")
        return self.families[name]["buckets"]


def _assigned(statement: ast.stmt, names: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    match statement:
        case ast.Assign(targets=[ast.Name() | ast.Attribute() as target], value=given):
            pass
        case ast.AnnAssign(target=ast.Name() | ast.Attribute() as target, value=given):
            pass
        case _:
            return
    known = value(given, names)
    if known is not UNKNOWN or ast.unparse(target).removeprefix("self.") != "labelnames":
        yield ast.unparse(target).removeprefix("self."), known


def _defaults(arguments: ast.arguments, names: dict[str, Any]) -> dict[str, Any]:
    plain = arguments.args[len(arguments.args) - len(arguments.defaults) :]
    pairs = [
        *zip(plain, arguments.defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    return {argument.arg: value(default, names) for argument, default in pairs}


def _when(module: str, conditions: list[str]) -> str:
    where = next((word for prefix, word in MODULES.items() if module.startswith(prefix)), None)
    unknown = [condition for condition in conditions if condition not in CONDITIONS]
    if where is None or unknown:
        raise SystemExit(f"{module}: an unknown module, or unknown conditions {unknown}")
    if not conditions:
        return where
    last = CONDITIONS[conditions[-1]]
    return last if where in {"always", "spec_decode"} else f"{where}+{last}"


def texts(tree: ast.Module) -> set[str]:
    """Constants that look like a metric's name; docstrings and other loose texts are left out."""
    loose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in loose]
    return {node.value for node in constants if isinstance(node.value, str) and METRIC.fullmatch(node.value)}


def cache_config(source: str) -> dict[str, str]:
    """The fields of vLLM's CacheConfig, which are the labels of one metric, and their defaults as text."""
    tree = ast.parse(source)
    owner = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "CacheConfig")
    found = {}
    for statement in owner.body:
        if isinstance(statement, ast.AnnAssign) and "ClassVar" not in ast.unparse(statement.annotation):
            given = statement.value
            if isinstance(given, ast.Call):
                given = next((word.value for word in given.keywords if word.arg == "default"), ast.List(elts=[]))
            found[ast.unparse(statement.target)] = str(value(given, {}))
    return found


def sources(wheel: Path) -> dict[str, str]:
    """Python files of a wheel by their path inside the package."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith(".py")]
        return {name.removeprefix("vllm/"): archive.read(name).decode() for name in names}


def catalogue(vllm: dict[str, str], instrumentator: dict[str, str], versions: dict[str, str]) -> dict[str, Any]:
    """Families in vLLM's own order, those of HTTP last, and the bucket families that they name."""
    needed = {"v1/engine/__init__.py", "v1/metrics/stats.py", "v1/metrics/cache_hit_source.py", "v1/metrics/buckets.py"}
    skipped = ("third_party/", "v1/metrics/reader.py", "v1/metrics/ray_wrappers.py")
    files = {
        name: text
        for name, text in vllm.items()
        if "vllm:" in text or "OffloadingGaugeMetadata(" in text or name in needed
    }
    order = sorted((name for name in files if not name.startswith(skipped)), key=_order)
    reader = Reader({name: files[name] for name in order} | _default_metrics(instrumentator))
    missed = set().union(*map(texts, reader.sources.values())) - reader.families.keys() - NO_METRICS
    if missed:
        raise SystemExit(f"look like metrics and were not understood: {sorted(missed)}")
    for (name, label), source in VALUES.items():
        known = [reader.names[part] for part in source] if isinstance(source, tuple) else reader.names[source]
        reader.families[name].setdefault("values", {})[label] = known
    config = cache_config(vllm["config/cache.py"])
    reader.families["vllm:cache_config_info"] |= {"labels": [*config, "engine"], "defaults": config}
    defined = Reader({"v1/metrics/buckets.py": vllm["v1/metrics/buckets.py"]}).names
    edges = {name.removesuffix("_BUCKETS").lower(): made for name, made in defined.items() if name.endswith("_BUCKETS")}
    return {
        "versions": versions,
        "buckets": edges,
        "families": list(reader.families.values()),
        "excluded_handlers": excluded_handlers(vllm["entrypoints/serve/instrumentator/metrics.py"]),
        "handlers": sorted(set().union(*(handlers(text) for name, text in vllm.items() if "entrypoints/" in name))),
    }


def _order(name: str) -> tuple[bool, bool, str]:
    """The statistics logger makes what it borrows from other modules first."""
    return (name != "v1/spec_decode/metrics.py", name != "v1/metrics/perf.py", name)


def excluded_handlers(source: str) -> list[str]:
    """Patterns of paths that the HTTP metrics leave out."""
    words = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.keyword)]
    return next(value(word.value, {}) for word in words if word.arg == "excluded_handlers")


def handlers(source: str) -> set[str]:
    """Paths that are routed in one module: the first argument of a decorator such as `@router.post`."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Attribute(attr="get" | "post" | "delete" | "put" | "api_route"), args=[path, *_]):
                known = value(path, {})
                if isinstance(known, str) and known.startswith("/") and "router" in ast.unparse(node.func):
                    found.add(known)
    return found


def _default_metrics(instrumentator: dict[str, str]) -> dict[str, str]:
    """Of the instrumentator only the function `default`, which is what vLLM uses."""
    name = "prometheus_fastapi_instrumentator/metrics.py"
    tree = ast.parse(instrumentator[name])
    only = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "default"]
    return {name: ast.unparse(ast.Module(body=list(only), type_ignores=[]))}


def text(made: dict[str, Any]) -> str:
    """The catalogue as JSON with one family a line, so that versions can be compared by line."""
    parts = []
    for key, part in made.items():
        if key == "families":
            parts.append('"families": [\n' + ",\n".join(map(json.dumps, part)) + "\n]")
        else:
            parts.append(f"{json.dumps(key)}: {json.dumps(part)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main() -> None:
    """Two wheels in, one JSON document out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vllm", type=Path, help="a wheel of vllm")
    parser.add_argument("instrumentator", type=Path, help="a wheel of prometheus_fastapi_instrumentator")
    args = parser.parse_args()
    versions = {wheel.name.split("-")[0]: wheel.name.split("-")[1] for wheel in (args.vllm, args.instrumentator)}
    made = catalogue(sources(args.vllm), sources(args.instrumentator), versions)
    sys.stdout.write(text(made))


if __name__ == "__main__":
    main()
