"""Which faults and experiments there are, and which of them this machine and this platform can have."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from holdfast import faults, project
from holdfast.errors import HoldfastError
from holdfast.faults.base import asked_hands, missing
from holdfast.spec.experiment import EMBEDDED, calls

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from holdfast.faults.base import Fault
    from holdfast.model.platform import Driver
    from holdfast.spec.experiment import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fault: `lacks` is what stands in its way here, empty where nothing does."""

    name: str
    family: str
    title: str
    needs: tuple[str, ...]
    hands: tuple[str, ...]
    lacks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One experiment of the project; `trouble` says why it cannot be read."""

    name: str
    title: str
    strikes: tuple[str, ...]
    trouble: str = ""
    driver: str = "embedded"


def fault_rows(driver: Driver | None) -> tuple[Row, ...]:
    """Every fault; without a platform only the machine is asked."""
    return tuple(_row(name, faults.find(name), driver) for name in faults.names())


def _row(name: str, fault: Fault, driver: Driver | None) -> Row:
    asks = asked_hands(fault)
    refused = tuple(_refusals(asks, driver)) if driver else ()
    return Row(
        name=name,
        family=fault.family,
        title=fault.title,
        needs=fault.needs,
        hands=tuple(kind.__name__ for kind in asks),
        lacks=(*missing(fault), *refused),
    )


def _refusals(kinds: Iterable[type], driver: Driver) -> Iterator[str]:
    for kind in kinds:
        try:
            driver.hand(kind)
        except HoldfastError as error:
            yield str(error)


def experiment_rows(root: Path) -> tuple[Known, ...]:
    """Every experiment in chaos/."""
    return tuple(_known(path, root) for path in project.experiment_files(root))


def _known(path: Path, root: Path) -> Known:
    try:
        found, _ = project.load_experiment(str(path), root)
    except HoldfastError as error:
        return Known(name=path.stem, title="", strikes=(), trouble=str(error))
    told = tuple(_struck(one) for one in calls(found.document, "method") if one.func in {"strike", "act"})
    return Known(name=found.name, title=found.title, strikes=told, driver=found.driver)


def _struck(call: Call) -> str:
    given = call.arguments
    return f"{given.get('fault')} of {given.get('role')}" if call.func == "strike" else f"{given.get('action')}"


def not_run(known: Known, driver: Driver | None) -> str:
    """Why an experiment would not be played on this platform; empty when it would."""
    here = driver.name if driver else EMBEDDED
    return "" if known.trouble or known.driver == here else f"not run: needs driver {known.driver}"


def as_dict(rows: Iterable[Row], known: Iterable[Known], driver: Driver | None) -> dict[str, Any]:
    """For machines."""
    return {
        "schema": "holdfast/chaos-list/v1",
        "faults": [asdict(one) for one in rows],
        "experiments": [{**asdict(one), "not_run": not_run(one, driver) or None} for one in known],
    }
