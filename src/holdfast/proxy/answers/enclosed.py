"""A toxic of answers on one connection: its two stages in the two lanes, of several the first next to the client."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from holdfast.proxy.answers.talk import Talk
from holdfast.proxy.lane import DOWNSTREAM, UPSTREAM

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from holdfast.proxy.answers.toxic import AnswerToxic, Picks
    from holdfast.proxy.lane import Active, Lane


class Enclosed:
    """Put there when it is made."""

    def __init__(self, lanes: Mapping[str, Lane], active: Active, picks: Picks) -> None:
        self._lanes, self._active = lanes, active
        self._talk = Talk(lambda: cast("AnswerToxic", active.toxic), picks)
        self._down = lanes[DOWNSTREAM].join(active, self._talk.answers, first=True)
        lanes[UPSTREAM].join(active, self._talk.asks, first=False)
        self._talk.back = self._down.give

    def end(self, loop: asyncio.AbstractEventLoop) -> None:
        """Taken away: requests that wait go up, answers that wait come down, one under way is passed on to its end."""
        self._lanes[UPSTREAM].remove(self._active)
        self._down.flush()
        # Not at once: what is asked for this may be in the middle of a piece.
        self._talk.end(lambda: loop.call_soon(self._lanes[DOWNSTREAM].remove, self._active))
