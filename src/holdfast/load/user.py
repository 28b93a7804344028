"""The face: one Locust user whose only task offers the whole schedule. Importing it imports Locust and its patches."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import uuid4

import gevent
import psutil
from locust import User, events
from locust.exception import StopUser

from holdfast.errors import ExitCode, HoldfastError
from holdfast.load import cut
from holdfast.load.closed import ClosedLoop
from holdfast.load.dispatch import Dispatcher, Work
from holdfast.load.endpoint import Endpoint
from holdfast.load.fleet.master import Master, Order
from holdfast.load.fleet.worker import Member, Share
from holdfast.load.planned import Planned, planned
from holdfast.load.record import RecordWriter
from holdfast.load.transport import Client, Deadlines, Trust
from holdfast.spec.options import OPTIONS, Option
from holdfast.spec.profile import make_profile

if TYPE_CHECKING:
    from locust.env import Environment

    from holdfast.load.record import RequestRecord
    from holdfast.model.load import LoadProfile

NO_HOST = "name the server: --host http://127.0.0.1:8080"
SOON = 0.02
"""Seconds from now to time zero when nobody gave an epoch: what is left to prepare takes a few milliseconds."""
CLOSED_LENGTHS = 10_000
"""Requests of a closed loop whose lengths are drawn beforehand; those after them take the same lengths again."""


class LoadRefusedError(Exception):
    """The options do not make a load; said to the user, exit code 2."""


def add_options(parser: Any, **_: object) -> None:
    """Give Locust's command line the engine's options."""
    for option in (option for option in OPTIONS if not option.locusts):
        parser.add_argument(
            f"--{option.key}",
            type=_reader(option),
            **_particular(option),
            default=option.default,
            help=option.help.replace("%", "%%"),
            include_in_web_ui=False,
        )


def _particular(option: Option) -> dict[str, Any]:
    if option.key == "api-key":
        return {"env_var": "HOLDFAST_API_KEY", "is_secret": True}
    # Locust forks its own processes, and has done so before anybody could tell it how many.
    return {"dest": "processes"} if option.key == "workers" else {}


def _reader(option: Option) -> Any:
    def read(text: str) -> Any:
        try:
            value = option.read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
        # One worker is no fleet: to Locust it would be two processes.
        return None if option.key == "workers" and value == 1 else value

    return read


def refuse_early(environment: Environment, **_: object) -> None:
    """Exit with code 2 and a message before anything starts, when the options do not make a load."""
    if not any(issubclass(user, StreamingUser) for user in environment.user_classes):
        return
    options = environment.parsed_options
    if options.worker:
        # What it offers, the master tells it.
        environment.holdfast_member = Member(environment)
        return
    try:
        _refuse(options)
        profile, wanted = plan(options)
        if options.master:
            _lead(environment, profile, wanted)
    except (LoadRefusedError, HoldfastError) as error:
        # Locust has started its --processes before it asks us, and they would look for their master for five minutes.
        for child in psutil.Process().children() if options.processes else ():
            child.kill()
        _exit(str(error))


def _exit(message: str) -> NoReturn:
    sys.stderr.write(f"holdfast load: {message}\n")
    sys.exit(ExitCode.USAGE)


def _lead(environment: Environment, profile: LoadProfile, wanted: Planned) -> None:
    """Lead as many workers as were asked for: one user each, all at once."""
    options, workers = environment.parsed_options, environment.parsed_options.expect_workers
    if not options.headless:
        raise LoadRefusedError("several processes offer one load, once, and without the web page: add --headless")
    cores = len(os.sched_getaffinity(0))
    if options.processes and workers > cores:
        sys.stderr.write(f"holdfast load: {workers} workers on {cores} cores: they will make each other late\n")
    for user in environment.user_classes:
        user.fixed_count = workers
    options.num_users = options.spawn_rate = workers
    # Workers are told that there is a key, and not which: it would travel in the clear.
    options.api_key = "here" if options.api_key else None
    order = Order(
        profile=profile,
        arrivals=wanted.arrivals,
        workers=workers,
        seed=options.seed,
        length=options.length,
        epoch=options.epoch,
        records=Path(options.records) if options.records else None,
    )
    Master(environment, order).start()


def _refuse(options: Any) -> None:
    records = Path(options.records) if options.records else None
    if records and records.exists():
        raise LoadRefusedError(f"{records} exists: a record is never written over")
    if records and cut.place(records).exists():
        raise LoadRefusedError(f"{cut.place(records)} exists: it would cut this load short")
    if records and not records.parent.is_dir():
        raise LoadRefusedError(f"{records}: there is no folder {records.parent}")
    if options.headless and not options.host:
        raise LoadRefusedError(NO_HOST)
    now = time.monotonic()
    if options.epoch is not None and not now - options.length < options.epoch < now + 3600:
        raise LoadRefusedError(
            f"--epoch {options.epoch:.3f} is {options.epoch - now:+.0f}s from now; it counts seconds of CLOCK_MONOTONIC"
        )


def plan(options: Any) -> tuple[LoadProfile, Planned]:
    """The profile and what it offers, from Locust's parsed options. Raises LoadRefusedError or HoldfastError."""
    values = {option.key: getattr(options, option.key.replace("-", "_"), None) for option in OPTIONS if option.field}
    name = options.profile or (Path(options.config).stem if options.config else "chat")
    workers = options.expect_workers if options.master else 1
    try:
        profile = make_profile(name, values | {"users": options.num_users or 1, "workers": workers})
        paced = profile
        if profile.arrivals == "closed":
            paced = replace(profile, arrivals="constant", rate=CLOSED_LENGTHS / options.length)
        return profile, planned(paced, seed=options.seed, length=options.length, root=Path())
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise LoadRefusedError(str(error)) from error


def _endpoint(profile: LoadProfile) -> Endpoint:
    try:
        fixed = Path(profile.body).read_bytes() if profile.body else None
    except OSError as error:
        raise LoadRefusedError(f"body: {error}") from error
    return Endpoint(name=profile.endpoint, stream=profile.stream, fixed=fixed, stamp=uuid4().hex)


class StreamingUser(User):  # type: ignore[misc]  # Locust's User is untyped
    """Offers the schedule that the options describe, then ends the test.

    The exit code is 0 when the whole schedule was offered, whatever the answers were: the record, not Locust, judges
    them. It is 75 when the run was ended before, or the records could not be written, and 130 after Ctrl-C.
    """

    fixed_count = 1

    def offer(self) -> None:
        """The single task: it returns when the schedule is done and drained."""
        environment = self.environment
        if self._member and not self._member.claim():
            raise StopUser
        environment.process_exit_code = int(ExitCode.INFRASTRUCTURE)
        if environment.parsed_options.headless:
            gevent.signal_handler(signal.SIGINT, self._interrupted)
        try:
            with self._member or nullcontext():
                self._offer(environment.parsed_options)
            environment.process_exit_code = int(ExitCode.PASS)
        except (LoadRefusedError, HoldfastError) as error:
            environment.process_exit_code = int(ExitCode.USAGE)
            sys.stderr.write(f"holdfast load: {error}\n")
        except OSError as error:
            sys.stderr.write(f"holdfast load: the load could not be offered: {error}\n")
        except Exception:
            environment.process_exit_code = int(ExitCode.BUG)
            self._finish()
            raise
        self._finish()
        raise StopUser

    tasks = (offer,)

    @property
    def _member(self) -> Member | None:
        member: Member | None = getattr(self.environment, "holdfast_member", None)
        return member

    def _finish(self) -> None:
        # A worker stays until its master has what it saw, and tells it to go.
        if not self._member:
            finish(self.environment)

    def _interrupted(self) -> None:
        if self._member and self._member.forked:
            # Ctrl-C reaches its master too, which ends all of them in order.
            return
        self.environment.process_exit_code = int(ExitCode.INTERRUPTED)
        finish(self.environment)

    def _offer(self, options: Any) -> None:
        profile, wanted = plan(options)
        self._endpoint = _endpoint(profile)
        api_key = self._member.api_key(options.api_key) if self._member else options.api_key
        client = _client(self.host or options.host, profile)
        # A request leaves no circle behind (tests/load/test_transport.py), and a collector's pause is in every stamp.
        gc.disable()
        share: Share | None = None
        try:
            share = self._member.join(profile, wanted.arrivals) if self._member else _whole(profile, wanted, options)
            work = Work(
                profile=share.profile,
                arrivals=share.arrivals,
                questions=wanted.questions,
                notes=wanted.arrivals.notes,
                endpoint=self._endpoint,
                seed=options.seed,
                length=options.length,
                epoch=share.epoch,
                api_key=api_key,
                record=share.record,
                tell=self._tell,
                until=share.until,
            )
            loop = ClosedLoop if profile.arrivals == "closed" else Dispatcher
            loop(work, client).run()
        finally:
            client.close()
            if share and share.record:
                share.record.close()

    def _tell(self, record: RequestRecord) -> None:
        """Locust's own statistics, once a request, timed from due; failures have no time to lower the median."""
        took = (record.done - record.due) * 1000 if record.outcome == "ok" and record.done is not None else None
        self.environment.events.request.fire(
            request_type=self._endpoint.method,
            name=self._endpoint.path,
            response_time=took,
            response_length=record.tokens,
            exception=None if record.outcome == "ok" else RequestFailedError(record.outcome),
            context={},
        )


class RequestFailedError(Exception):
    """How a failed request shows in Locust's table: by its outcome, so that a table of a thousand texts stays short."""


def _client(host: str | None, profile: LoadProfile) -> Client:
    if not host:
        raise LoadRefusedError(NO_HOST)
    most = profile.timeout
    deadlines = Deadlines(
        connect=min(profile.connect_timeout, most),
        first_byte=profile.first_byte_timeout or most,
        gap=profile.gap_timeout or most,
        total=most,
    )
    if profile.insecure:
        sys.stderr.write("holdfast load: insecure: every certificate is believed\n")
    try:
        trust = Trust(ca_file=profile.ca_file, insecure=profile.insecure)
        return Client(host, deadlines=deadlines, reuse=profile.reuse, trust=trust)
    except FileNotFoundError as error:
        raise LoadRefusedError(f"ca-file {profile.ca_file}: {error.strerror}") from error
    except ValueError as error:
        raise LoadRefusedError(str(error)) from error


def _whole(profile: LoadProfile, wanted: Planned, options: Any) -> Share:
    """Everything, where one process offers it alone."""
    records = Path(options.records) if options.records else None
    return Share(
        profile=profile,
        arrivals=wanted.arrivals,
        record=_open_record(options.records),
        epoch=options.epoch if options.epoch is not None else time.monotonic() + SOON,
        until=cut.Ears(cut.place(records) if records else None).until,
    )


def _open_record(path: str | None) -> RecordWriter | None:
    try:
        return RecordWriter(Path(path)) if path else None
    except FileExistsError as error:
        raise LoadRefusedError(f"{path} exists: a record is never written over") from error


def finish(environment: Environment) -> None:
    """End the test: leave the process when headless, leave the web page up otherwise."""
    runner = environment.runner
    # From a greenlet of its own, because stopping the runner kills this user's greenlet.
    gevent.spawn(runner.quit if environment.parsed_options.headless else runner.stop)


events.init_command_line_parser.add_listener(add_options)
events.init.add_listener(refuse_early)
