"""The closed loop: each user asks again when its answer has come. It shows what N users get, and no rate."""

from __future__ import annotations

import time
from dataclasses import replace

import gevent

from holdfast.load.dispatch import Dispatcher
from holdfast.load.pacer import Pacer

LEAST_PAUSE = 0.01
"""Seconds a user whose request failed waits at least: one who is refused at once would ask thousands of times."""


class ClosedLoop(Dispatcher):
    """Lets the profile's users ask until the load ends; `due` of a request is when its user was ready to ask.

    A server that stalls is asked less meanwhile, so nothing here says how it does under a load that does not wait.
    """

    @property
    def planned(self) -> int:
        """Nothing: how many requests come of it depends on the answers."""
        return 0

    def _offer_all(self) -> None:
        with Pacer() as pacer:
            if not self._reaches(0.0, pacer):
                return
            for _ in range(self._work.profile.users):
                self._requests.spawn(self._user).link_exception(self._broke)
            self._reaches(self._work.length, pacer)

    def _user(self) -> None:
        work, ready = self._work, 0.0
        while ready < self._length and not self._errors:
            number = self._offered
            arrival = replace(work.arrivals[number % len(work.arrivals)], number=number, due=ready)
            self._offered, self._sent = self._offered + 1, self._sent + 1
            good = self._request(number, arrival, self._body(arrival))
            pause = max(work.profile.think, 0.0 if good else LEAST_PAUSE)
            ready = self._since(time.monotonic() + pause)
            gevent.sleep(pause)
