"""The requests whose end is known, up to the first whose end is not, in the order in which they were planned.

Of requests that end while we look the fast ones end first. Judged by those that have ended, a service would look fast
and good, and the slow and stuck ones would come after the decision. So nothing behind a request that is still under
way is looked at: what is looked at is chosen by when requests were due, never by how they went.
"""

from __future__ import annotations

import math
import sys
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from holdfast.store.columns import REQUEST_COLUMNS, is_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

_NUMBERS: Final = tuple(name for name in REQUEST_COLUMNS if not is_text(name))


@dataclass(slots=True)
class Prefix:
    """Takes the lines of requests as they end; kept as columns, because it is made a table again and again."""

    _outcomes: list[str] = field(default_factory=list)
    _numbers: dict[str, array[float]] = field(default_factory=lambda: {name: array("d") for name in _NUMBERS})
    _ahead: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    def take(self, line: Mapping[str, Any]) -> None:
        """One line of the record; `id` counts the planned requests from 0."""
        self._ahead[line["id"]] = line
        while (one := self._ahead.pop(len(self), None)) is not None:
            self._outcomes.append(sys.intern(one["outcome"]))
            for name, column in self._numbers.items():
                column.append(math.nan if one[name] is None else one[name])

    def __len__(self) -> int:
        return len(self._outcomes)

    @property
    def until(self) -> float:
        """The second at which the last of them was due; everything due before is known. -inf when there is none."""
        return self._numbers["due"][-1] if self._outcomes else -math.inf

    def table(self) -> pd.DataFrame:
        """The requests with the columns of a record; texts other than outcomes are not kept."""
        import numpy as np  # noqa: PLC0415 - 0.4 s of import that a run to its planned end need not pay
        import pandas as pd  # noqa: PLC0415

        numbers = {name: np.array(column) for name, column in self._numbers.items()}
        outcomes = pd.Series(np.array(self._outcomes, dtype=object), dtype=object)
        nothing = pd.Series(np.full(len(self), "", dtype=object), dtype=object)
        columns = {**numbers, "outcome": outcomes}
        return pd.DataFrame({name: columns.get(name, nothing) for name in REQUEST_COLUMNS})
