"""From a profile and the files it names to the whole plan of requests: the one place that opens those files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.errors import Location, Problem, SpecError, UsageError
from holdfast.load.lengths import read_lengths
from holdfast.load.prompt import tokens_in
from holdfast.load.questions import read_questions
from holdfast.load.trace import read_trace
from holdfast.model.load import schedule

if TYPE_CHECKING:
    from pathlib import Path

    from holdfast.load.questions import Question
    from holdfast.model.load import LengthPoint, LoadProfile, Schedule, TraceRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What is offered, and the questions that arrivals point to by their number; none without `prompts`."""

    arrivals: Schedule
    questions: tuple[Question, ...] = ()


def planned(profile: LoadProfile, *, seed: int, length: float, root: Path) -> Planned:
    """Every request of a run of `length` seconds; the profile's files are looked for below `root`.

    Of a trace no more is read than the run needs. Raises UsageError for a closed loop, whose requests come when the
    answers do, and for a file that is not there; SpecError for what is wrong inside one.
    """
    if profile.arrivals == "closed":
        hint = "use arrivals such as poisson, or offer the profile with locust alone"
        raise UsageError(
            f"profile {profile.name} is a closed loop: it has no schedule, and a scenario needs one", hint=hint
        )
    questions = read_questions(_text(root, profile, "prompts"), profile.prompts) if profile.prompts else ()
    points: tuple[LengthPoint, ...] = ()
    if profile.lengths:
        points = read_lengths(_text(root, profile, "lengths"), profile.lengths)
    arrivals = schedule(
        profile,
        seed=seed,
        length=length,
        trace=_trace(root, profile, length),
        points=points,
        questions=[tokens_in(question.prompt) for question in questions],
    )
    return Planned(arrivals=arrivals, questions=questions)


def _trace(root: Path, profile: LoadProfile, length: float) -> tuple[TraceRow, ...]:
    if not profile.trace:
        return ()
    path, window = _path(root, profile, "trace"), length * profile.speed
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            return read_trace(lines, profile.trace, start=profile.trace_start, until=window, width=profile.trace_bin)
    except UnicodeDecodeError as error:
        raise _not_text(profile.trace) from error


def _text(root: Path, profile: LoadProfile, key: str) -> str:
    path = _path(root, profile, key)
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_text(getattr(profile, key)) from error


def _path(root: Path, profile: LoadProfile, key: str) -> Path:
    name: str = getattr(profile, key)
    path = root / name
    if not path.is_file():
        raise UsageError(f"no such file: {path}", hint=f"see {key} = in loadtests/{profile.name}.conf")
    return path


def _not_text(file: str) -> SpecError:
    return SpecError((Problem(where=Location(file=file), what="not a text in UTF-8"),))
