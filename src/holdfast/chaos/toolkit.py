"""Chaos Toolkit inside this process: one experiment in a thread, rollbacks always played, aborted without signals.

The toolkit's own verdict is kept in its journal and never read: it calls an experiment completed whose fault missed.
What the journal says of single activities is read for doubt alone: one that failed spoils a verdict, none carries it.
"""

from __future__ import annotations

import copy
import logging
import threading
from typing import TYPE_CHECKING, Any, Final

from chaoslib.experiment import ensure_experiment_is_valid
from chaoslib.run import RunEventHandler, Runner
from chaoslib.types import Strategy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_SETTINGS: Final = {"runtime": {"rollbacks": {"strategy": "always"}}}

logging.getLogger("chaostoolkit").addHandler(logging.NullHandler())


def complaint(document: Mapping[str, object]) -> str:
    """What the toolkit finds wrong with a document; empty when it is valid. Imports the modules it names."""
    try:
        ensure_experiment_is_valid(copy.deepcopy(dict(document)))
    except Exception as error:  # noqa: BLE001 - the toolkit raises a family of its own and KeyError besides
        return f"{type(error).__name__}: {error}"
    return ""


class _InThread(Runner):  # type: ignore[misc]
    """The toolkit's runner without its signal handlers, which only the main thread may set."""

    def run(self, experiment: Any, settings: Any = None, experiment_vars: Any = None, journal: Any = None) -> Any:
        """Play the experiment and return its journal."""
        self.configure(experiment, settings, experiment_vars)
        return self._run(
            self.strategy,
            self.schedule,
            experiment,
            journal,
            self.config,
            self.secrets,
            self.settings,
            self.event_registry,
        )


class _JournalKeeper(RunEventHandler):  # type: ignore[misc]
    """Holds on to the journal while the experiment runs: writing its status is how it is aborted."""

    def __init__(self) -> None:
        super().__init__()
        self.journal: dict[str, Any] = {}

    def started(self, experiment: Any, journal: Any) -> None:  # noqa: ARG002 - the toolkit's signature
        """Called by the toolkit with the journal it will fill."""
        self.journal = journal


class RunningExperiment:
    """A thread that plays one document. One at a time in a process: the toolkit keeps global state."""

    def __init__(
        self,
        document: Mapping[str, object],
        configuration: Mapping[str, object],
        let_go: Callable[[], None] = lambda: None,
    ) -> None:
        """`let_go` tells what is being held or waited for to end: the toolkit itself waits for an activity."""
        own = document.get("configuration")
        both = {**(own if isinstance(own, dict) else {}), **configuration}
        self._document = copy.deepcopy({**document, "configuration": both})
        self._keeper = _JournalKeeper()
        self._let_go = let_go
        self._thread = threading.Thread(target=self._play, name="chaos", daemon=True)
        self._raised = ""

    def start(self) -> RunningExperiment:
        """Begin; returns at once."""
        self._thread.start()
        return self

    def alive(self) -> bool:
        """Whether method or rollbacks still run."""
        return self._thread.is_alive()

    def abort(self) -> None:
        """End the current activity and play the rollbacks."""
        self._keeper.journal["status"] = "aborted"
        self._let_go()

    def wait(self, seconds: float) -> bool:
        """Whether it ended within so many seconds."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def journal(self) -> dict[str, Any]:
        """What the toolkit wrote; empty when it never started."""
        return dict(self._keeper.journal)

    @property
    def error(self) -> str:
        """Why the method was not played whole; empty when each of its activities succeeded."""
        if self.alive():
            return "the experiment had not ended"
        method, played = self._document.get("method"), self._keeper.journal.get("run", [])
        wanted = len(method) if isinstance(method, list) else 0
        short = f"{len(played)} of {wanted} activities were played" if len(played) < wanted else ""
        return self._raised or failed(played) or short

    @property
    def left(self) -> str:
        """Which rollbacks failed: what they were to take back may still be there. Empty when none did."""
        return failed(self._keeper.journal.get("rollbacks", []))

    def _play(self) -> None:
        runner = _InThread(Strategy.DEFAULT)
        runner.register_event_handler(self._keeper)
        try:
            runner.run(self._document, _SETTINGS)
        except Exception as error:  # noqa: BLE001 - told by the run as an event, never lost
            self._raised = f"{type(error).__name__}: {error}"


def failed(runs: Sequence[Mapping[str, Any]]) -> str:
    """The activities of a journal that did not succeed, each with the last line of what it raised."""
    wrong = [one for one in runs if one.get("status") != "succeeded"]
    return "; ".join(f"{one['activity'].get('name')} failed: {_last_line(one)}" for one in wrong)


def _last_line(run: Mapping[str, Any]) -> str:
    lines = "".join(map(str, run.get("exception") or ["no reason was given"])).strip().splitlines()
    return lines[-1].strip() if lines else ""
