"""The master's side: it waits until all workers are ready, says when time zero is, and writes the one record."""

from __future__ import annotations

import math
import signal
import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import gevent
from locust.dispatch import UsersDispatcher

from holdfast.errors import ExitCode
from holdfast.load import cut
from holdfast.load.fleet.messages import (
    CLOCK,
    CUT,
    GO,
    LEFT,
    LINES,
    READY,
    SLACK,
    START,
    Go,
    Left,
    Ready,
    fingerprint,
)
from holdfast.load.record import RecordWriter

if TYPE_CHECKING:
    from pathlib import Path

    from locust.env import Environment

    from holdfast.model.load import LoadProfile, Schedule

LOOK: Final = 0.05
"""Seconds between two looks at the workers and at the word that cuts the load."""
SOON: Final = 0.5
"""Seconds from the word to begin to time zero, when nobody gave an epoch."""


class FleetError(Exception):
    """The load could not be offered, or not all of it was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be offered by how many. `epoch` is a second of the master's clock, `records` the file to write."""

    profile: LoadProfile
    arrivals: Schedule
    workers: int
    seed: int
    length: float
    epoch: float | None
    records: Path | None


@dataclass(slots=True, kw_only=True)
class Seat:
    """What the master knows of one worker; `share` is its number in the record."""

    client: str
    ready: Ready
    share: int = -1
    batches: int = 0
    left: Left | None = None
    lost: bool = False


class FleetWriter(RecordWriter):
    """The one record: workers' lines as they came, and what the master knows of the workers."""

    def worker(self, share: int, *, state: str, t: float, **fields: Any) -> None:
        """One line when a worker joins, leaves or is lost; `t` in seconds from the epoch."""
        self._write("worker", {"index": share, "state": state, "t": round(t, 6), **fields})

    def lines(self, lines: bytes) -> None:
        """Whole lines of a worker."""
        self._put(lines)


class SettledUsers(UsersDispatcher):  # type: ignore[misc]  # Locust is untyped
    """Locust's spreading of users, but none ever moves to a worker that came late: it would stop in mid-load."""

    def add_worker(self, worker_node: Any) -> None:
        """It has nothing to offer: all shares were dealt."""


class Master:
    """Leads one load. The record gets its end line only when every worker said that it left, with all its lines."""

    def __init__(self, environment: Environment, order: Order) -> None:
        self._environment, self._runner, self._order = environment, environment.runner, order
        self._fingerprint = fingerprint(order.arrivals)
        self._seats: dict[str, Seat] = {}
        self._ears = cut.Ears(cut.place(order.records) if order.records else None)
        self._record: FleetWriter | None = None
        self._epoch, self._until = math.nan, math.inf
        self._trouble: Exception | None = None
        for kind, listener in (
            (CLOCK, self._on_clock),
            (READY, self._on_ready),
            (LINES, self._on_lines),
            (LEFT, self._on_left),
        ):
            self._runner.register_message(kind, listener)

    def start(self) -> None:
        """Lead it in the background, from when all workers are connected.

        The process's exit code says how it went: 75 until all was offered and seen.
        """
        self._environment.process_exit_code = int(ExitCode.INFRASTRUCTURE)
        self._environment.dispatcher_class = SettledUsers
        gevent.signal_handler(signal.SIGINT, self._interrupted)
        lead = gevent.spawn(self._lead)
        # Locust looks only once a second whether its workers have come, and a run has few seconds before its first.
        while len(self._runner.clients.ready) < self._order.workers and not lead.dead:
            gevent.sleep(LOOK)

    def _lead(self) -> None:
        try:
            self._gather()
            self._go()
            self._watch()
            self._environment.process_exit_code = int(ExitCode.PASS)
        except FileExistsError:
            self._environment.process_exit_code = int(ExitCode.USAGE)
            _say(f"{self._order.records} exists: a record is never written over")
        except (FleetError, OSError) as error:
            _say(str(error))
        self._quit()

    def _quit(self) -> None:
        self._runner.quit()
        if math.isnan(self._epoch):
            # Locust itself may still be waiting for workers, and it does not ask whether anybody wants it to.
            sys.exit(self._environment.process_exit_code)

    def _interrupted(self) -> None:
        self._environment.process_exit_code = int(ExitCode.INTERRUPTED)
        gevent.spawn(self._quit)

    def _gather(self) -> None:
        """Return when all are ready. Raises FleetError when one is lost before, is not like the others, or is late."""
        end, wanted = time.monotonic() + START, self._order.workers
        while len(self._seats) < wanted:
            self._check()
            if time.monotonic() > end:
                raise FleetError(f"{len(self._seats)} of {wanted} workers were ready within {START:g} s: nothing began")
            for seat in self._seats.values():
                if self._is_gone(seat):
                    raise FleetError("a worker was lost before the load began: nothing began")
            gevent.sleep(LOOK)

    def _go(self) -> None:
        order, now = self._order, time.monotonic()
        self._epoch = order.epoch if order.epoch is not None else now + SOON
        if order.records:
            self._record = FleetWriter(order.records)
            wall = time.time() - time.monotonic() + self._epoch
            self._record.start(
                planned=len(order.arrivals),
                seed=order.seed,
                epoch_monotonic=self._epoch,
                epoch_wall=wall,
                profile=order.profile,
                notes=order.arrivals.notes,
            )
        for share, seat in enumerate(sorted(self._seats.values(), key=lambda seat: seat.ready.index)):
            seat.share, ready = share, seat.ready
            _say(f"worker {share}: clock {-ready.offset:+.6f} s from the master's, known to {ready.uncertainty:.6f} s")
            self._note(seat, "joined", offset=-ready.offset, uncertainty=ready.uncertainty)
            go = Go(epoch=self._epoch, share=share, of=order.workers)
            self._runner.send_message(GO, asdict(go), seat.client)

    def _watch(self) -> None:
        """Return when all left, having offered everything. Raises FleetError when one did not."""
        while any(not seat.left and not seat.lost for seat in self._seats.values()):
            self._check()
            self._pass_on_cut()
            late = time.monotonic() > self._deadline()
            for seat in self._seats.values():
                if not seat.left and not seat.lost and (late or self._is_gone(seat)):
                    self._lose(seat, "it never said that it ended" if late else "no heartbeat came any more")
            gevent.sleep(LOOK)
        self._check()
        if bad := [seat.share for seat in self._seats.values() if seat.lost or not seat.left or seat.left.error]:
            raise FleetError(f"the load is not whole: see worker {', '.join(map(str, sorted(bad)))}")

    def _pass_on_cut(self) -> None:
        until = self._ears.until()
        if until != self._until:
            self._until = until
            for seat in self._seats.values():
                self._runner.send_message(CUT, {"until": until}, seat.client)

    def _deadline(self) -> float:
        length = min(self._order.length, max(0.0, self._until))
        return self._epoch + length + self._order.profile.timeout + SLACK

    def _is_gone(self, seat: Seat) -> bool:
        node = self._runner.clients.get(seat.client)
        return node is None or node.state == "missing"

    def _lose(self, seat: Seat, why: str) -> None:
        seat.lost = True
        _say(f"worker {seat.share} is lost: {why}; what it offered is not in the record")
        self._note(seat, "lost", why=why)

    def _note(self, seat: Seat, state: str, **fields: Any) -> None:
        if self._record:
            self._record.worker(seat.share, state=state, t=time.monotonic() - self._epoch, **fields)

    def _check(self) -> None:
        """Raise what went wrong in a listener: Locust would log it, and go on."""
        if self._trouble:
            raise self._trouble

    def _on_clock(self, msg: Any, **_: object) -> None:
        answer = {"asked": msg.data["asked"], "there": time.monotonic()}
        self._runner.send_message(CLOCK, answer, msg.node_id)

    def _on_ready(self, msg: Any, **_: object) -> None:
        if len(self._seats) == self._order.workers:
            return
        ready = Ready(**msg.data)
        self._seats[msg.node_id] = Seat(client=msg.node_id, ready=ready)
        if ready.schedule != self._fingerprint:
            self._trouble = FleetError(f"worker {ready.index} made another schedule: has it the same files?")

    def _on_lines(self, msg: Any, **_: object) -> None:
        seat = self._seats.get(msg.node_id)
        if seat is None:
            return
        if msg.data["number"] != seat.batches and not seat.lost:
            self._lose(seat, f"batch {msg.data['number']} of its lines came where {seat.batches} was due")
        seat.batches += 1
        try:
            if self._record:
                self._record.lines(msg.data["lines"])
        except OSError as error:
            self._trouble = error

    def _on_left(self, msg: Any, **_: object) -> None:
        seat = self._seats.get(msg.node_id)
        left = Left(**msg.data)
        if seat is None or math.isnan(self._epoch):
            self._trouble = FleetError(f"a worker gave up before the load began: {left.error}")
            return
        if left.batches != seat.batches and not seat.lost:
            self._lose(seat, f"{seat.batches} of its {left.batches} batches of lines came")
        seat.left = left
        try:
            self._take_leave(seat, left)
        except OSError as error:
            self._trouble = error

    def _take_leave(self, seat: Seat, left: Left) -> None:
        if left.error:
            _say(f"worker {seat.share}: {left.error}")
        again = {"offset": -left.offset, "uncertainty": left.uncertainty} if left.offset is not None else {}
        self._note(seat, "left", sent=left.sent, dropped=left.dropped, error=left.error, **again)
        all_left = [one.left for one in self._seats.values() if one.left and not one.lost]
        if self._record and len(all_left) == self._order.workers:
            self._record.end(
                t=round(time.monotonic() - self._epoch, 6),
                planned=len(self._order.arrivals),
                sent=sum(one.sent for one in all_left),
                dropped=sum(one.dropped for one in all_left),
            )


def _say(text: str) -> None:
    sys.stderr.write(f"holdfast load: {text}\n")
