"""Fields that all SLO files share: names, objectives, labels and annotations, as Prometheus and Sloth take them."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator

from holdfast.spec.shapes import FieldError
from holdfast.spec.source import did_you_mean

_NAME: Final = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]*[A-Za-z0-9]")
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_ALL: Final = 100.0
_ACTION: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_STRING: Final = re.compile(r'"(?:\\.|[^"\\])*"|`[^`]*`')
_VARIABLE: Final = re.compile(r"\$(\w+)")
_DECLARED: Final = re.compile(r"\$(\w+)(?=\s*(?:,\s*\$\w+\s*)?:=)")
_FILLED_IN: Final = frozenset({"labels", "value", "externalLabels", "externalURL"})
RESERVED: Final = frozenset(
    {
        "__name__",
        "sloth_id",
        "sloth_service",
        "sloth_slo",
        "sloth_window",
        "sloth_severity",
        "sloth_version",
        "sloth_mode",
        "sloth_spec",
        "sloth_objective",
        "slo_period",
        "alertname",
        "alertstate",
    }
)
"""Labels that generated rules set themselves."""


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        hint = "two or more letters, digits, and - _ . between them"
        raise FieldError(f"not a name: {value!r}", hint, code="slo/name")
    return value


def _objective(value: float) -> float:
    # The objective is kept to twelve decimals of one; what rounds to 100 % leaves no budget either.
    if not (0 < round(value / _ALL, 12) < 1):
        hint = "100 leaves no error budget and can never be proved; did you mean 99.9?"
        raise FieldError(f"objective must lie between 0 and 100, got {value:g}", hint, code="slo/objective")
    return value


def _label(name: str) -> str:
    if name in RESERVED:
        hint = "give it another name"
        raise FieldError(f"label {name!r} belongs to the generated rules", hint, code="slo/reserved-label")
    return _key(name)


def _key(name: str) -> str:
    if not _LABEL.fullmatch(name) or name.startswith("__"):
        hint = "letters, digits and _, no digit first, and no __ before them"
        raise FieldError(f"Prometheus takes no label or annotation named {name!r}", hint, code="slo/label")
    return name


def _filled(text: str) -> str:
    if not text:
        raise FieldError("an empty text is the same as none", "leave it out", code="slo/empty")
    return text


def _template(text: str) -> str:
    """What Prometheus fills in when an alert fires, as far as it can be told without Go's templates."""
    if "{{" not in text:
        return text
    inside = " ".join(_STRING.sub("", action) for action in _ACTION.findall(text))
    if "{{" in _ACTION.sub("", text):
        raise FieldError("a template is not closed", "{{ $labels.sloth_slo }}", code="slo/template", fragment="{{")
    unknown = set(_VARIABLE.findall(inside)) - _FILLED_IN - set(_DECLARED.findall(inside))
    if unknown:
        name = min(unknown)
        hint = did_you_mean(name, _FILLED_IN)
        raise FieldError(f"no alert has a variable ${name}", hint, code="slo/template", fragment=f"${name}")
    return text


Name = Annotated[str, AfterValidator(_name)]
Percentage = Annotated[float, AfterValidator(_objective)]
Filled = Annotated[str, AfterValidator(_filled)]
Labels = dict[Annotated[str, AfterValidator(_label)], Filled]
Template = Annotated[str, AfterValidator(_filled), AfterValidator(_template)]
AlertLabels = dict[Annotated[str, AfterValidator(_label)], Template]
Annotations = dict[Annotated[str, AfterValidator(_key)], Template]
