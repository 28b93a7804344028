"""The reference page of all faults, made of what they say of themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from holdfast.faults.base import asked_hands
from holdfast.units import show_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic.fields import FieldInfo

    from holdfast.faults.base import Fault

_HEAD: Final = """\
# Faults

This page is made of what each fault says of itself. A fault has four parts, and each is looked at: it is applied, *seen
to bite*, undone, *seen gone*. Waiting for the two sights, limits, leases and the written record are not its business;
they are the same for all.

- **Seen to bite** means that its effect was seen within its tolerance, at the target and in no replica beside it. A
  blind one, which was applied and changed nothing, is written down as `unseen`: the run is UNKNOWN, `holdfast chaos
  run` ends with 10. One that also hit a bystander is `astray`, with the same result.
- **Seen gone** means that the effect is no longer there and that a replica of that name serves. One that is not seen
  gone in time is `stuck`: the run is NOT_RESTORED, exit code 11, and stays so until somebody sees it gone.
- **Three ways back.** The experiment's rollbacks undo it. When the process that struck lets go, hangs or dies, its
  lease of 20 s ends, and the platform's reaper undoes it. When the reaper is dead too, the next run on that platform
  does, or `holdfast chaos undo`. All three read the ledger that was written before the strike.
- **Needs** name what must be there: `root`, or a program. `holdfast chaos list` says what this machine lacks. What the
  platform must be able to do stands as *hands*; an embedded platform has all that are named here unless it says
  otherwise.

`holdfast chaos run NAME --dry-run` shows the same words with the targets that it would strike. [Write a
fault](../how-to/write-a-fault.md) says how to add one; those inside an engine's process are the [engine's
own](engine-faults.md).
"""


def page(known: Mapping[str, Fault]) -> str:
    """The whole page."""
    families = list(dict.fromkeys(sorted(one.family for one in known.values())))
    sections = [
        _section(name, fault) for family in families for name, fault in sorted(known.items()) if fault.family == family
    ]
    return "\n".join([_HEAD, *_table(known, families), "", *sections]).rstrip() + "\n"


def _table(known: Mapping[str, Fault], families: list[str]) -> Iterator[str]:
    yield "| fault | family | what the target is | needs | seen within | gone within |"
    yield "|---|---|---|---|---|---|"
    for family in families:
        for name, fault in sorted(known.items()):
            if fault.family == family:
                times = f"{show_duration(fault.bites_within)} | {show_duration(fault.gone_within)}"
                yield f"| `{name}` | {family} | {fault.title} | {', '.join(fault.needs) or 'nothing'} | {times} |"


def _section(name: str, fault: Fault) -> str:
    words, within = fault.words, show_duration(fault.bites_within)
    hands = ", ".join(kind.__name__.lower() for kind in asked_hands(fault)) or "the verbs of every driver"
    rows = [
        f"- **apply**: {_told(words.apply, fault)}",
        f"- **proof**: {_told(words.bites, fault)}, within {within}",
        f"- **undo**: {_told(words.undo, fault)}",
        f"- **gone**: {_told(words.gone, fault)}, within {show_duration(fault.gone_within)}",
        f"- **blind**: after {within} the proof was not seen; step `unseen`, UNKNOWN",
        f"- **needs**: {', '.join(fault.needs) or 'no root, no program'}; hands: {hands}",
    ]
    options = list(_options(fault))
    return "\n".join([f"## {name}", "", f"{_about(fault)}", "", *rows, *(["", *options] if options else []), ""])


def _about(fault: Fault) -> str:
    told = " ".join((type(fault).__doc__ or "").split("\n\n")[0].split())
    return f"The target is {fault.title}. {told}".strip()


def _told(text: str, fault: Fault) -> str:
    """Its words, with the names of options where their values would be."""
    return text.format(target="the target", **{name: f"*{name}*" for name in fault.Options.model_fields})


def _options(fault: Fault) -> Iterator[str]:
    fields = fault.Options.model_fields
    if not fields:
        return
    limits = fault.Options.model_json_schema().get("properties", {})
    yield "| option | meaning | limits | when absent |"
    yield "|---|---|---|---|"
    for name, field in fields.items():
        absent = "required" if field.is_required() else f"`{_shown(field)}`"
        yield f"| `{name}` | {field.description or ''} | {_limits(limits.get(name, {}))} | {absent} |"


def _shown(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


_LIMITS: Final = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "pattern": "`{}`",
}


def _limits(schema: Mapping[str, Any]) -> str:
    """In words, from the JSON Schema of one option; `null` beside a kind is that kind or nothing."""
    kinds = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    return " or ".join(_one_kind(one) for one in kinds)


def _one_kind(schema: Mapping[str, Any]) -> str:
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{one}`" for one in schema.get("enum", [schema.get("const")]))
    words = [str(schema.get("type", ""))]
    if isinstance(items := schema.get("items"), dict):
        words = [f"list of {_one_kind(items)}"]
    words += [
        text.format(f"{schema[key]:g}" if isinstance(schema[key], int | float) else schema[key])
        for key, text in _LIMITS.items()
        if key in schema
    ]
    return ", ".join(word for word in words if word).replace("|", "\\|")
