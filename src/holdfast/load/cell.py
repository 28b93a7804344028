"""One cell of a calibration: so many users ask an engine for answers of known lengths, and what they saw is written.

    python -m holdfast.load.cell JOB.json OUT.json

In a process of its own, with nothing beside it: no schedule, no record, and answers are only read when all is over.

On a CPU, an engine may take every core, and wait in loops that never sleep. Who measures it must not queue behind it:
its own waiting would be read as the engine's. So it asks the system to be served first, and says how long it waited
anyway.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import random
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import gevent
import orjson

from holdfast.calibration.cells import Cell, Seen, to_line
from holdfast.load.sse import CONTENT, FINISH, REASONING, ROLE, read_answer
from holdfast.load.transport import Client, Deadlines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.load.transport import Exchange

PATH: Final = "/v1/completions"
CHOICES: Final = frozenset({ROLE, CONTENT, REASONING, FINISH})
"""Kinds of events that bring a token, also where a token has no text to show yet."""
SPREAD: Final = 4
"""Answers are a quarter longer or shorter at most: requests of one length would end, and so begin, all together."""
LOOK: Final = 0.02
PAUSE: Final = 0.05
"""Seconds after a failure."""
HOPELESS: Final = 20
"""Failures after which nobody asks any more."""
OK: Final = 200
ENOUGH: Final = 2
WAITED: Final = 0.05
"""Share of the time that the client may have waited for a CPU, for its stamps to be believed."""
_NANO: Final = 1e9
COUNTERS: Final = {"steps": "vllm:iteration_tokens_total_count", "step_tokens": "vllm:iteration_tokens_total_sum"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to ask of whom. `alphabet` has the token ids that prompts are drawn from; seconds, and requests.

    The cell is looked at for `seconds` and `least` requests, whichever is later, but for no more than `most` seconds.
    """

    url: str
    model: str
    cell: Cell
    alphabet: tuple[int, ...]
    salt: str
    settle: float = 1.0
    seconds: float = 5.0
    least: int = 12
    most: float = 60.0
    patience: float = 120.0


@dataclass(slots=True)
class Users:
    """The closed loop: each user asks again when its answer has come."""

    job: Job
    client: Client
    headers: dict[str, str]
    answers: list[tuple[int, Exchange]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    over: bool = False
    begin: float = float("inf")

    def ask_on(self, user: int) -> None:
        """One user, until it is over."""
        draw = random.Random(f"{self.job.salt}/{self.job.cell}/{user}")
        gevent.sleep(draw.random() * self.job.settle / 2)
        while not self.over:
            answer = _length(draw, self.job.cell.answer)
            exchange = self.client.post(PATH, _body(self.job, draw, answer), self.headers)
            self.answers.append((answer, exchange))
            if exchange.status != OK or exchange.failure:
                self.failures.append(_why(exchange))
                self.over |= len(self.failures) >= HOPELESS
                gevent.sleep(PAUSE)

    def warm(self) -> bool:
        """Whether every user has had an answer."""
        return len(self.answers) >= self.job.cell.concurrency

    def counted(self) -> int:
        """Whole answers to requests that were sent in the window."""
        return sum(exchange.sent >= self.begin for _, exchange in self.answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What counts: from when to when, in seconds of time.monotonic(), and what became of client and engine meanwhile.

    `cpu` is the share of a core that the client used, `waited` the share of the time that it waited for one; `moved`,
    by how much the engine's counters grew.
    """

    begin: float
    end: float
    cpu: float
    waited: float | None
    moved: dict[str, float]


def main() -> None:
    """Read the job, do it, write what was seen."""
    _go_first()
    raw = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    job = Job(**raw | {"cell": Cell(**raw["cell"]), "alphabet": tuple(raw["alphabet"])})
    seen = measure(job, os.environ.get("HOLDFAST_API_KEY", ""))
    Path(sys.argv[2]).write_text(to_line(seen), encoding="utf-8")


def _go_first() -> None:
    """Real-time, where that is allowed: it uses a small part of one core."""
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def _waited() -> float | None:
    """Seconds that this process was ready to run and did not, as Linux counts them; None elsewhere."""
    try:
        return int(Path("/proc/self/schedstat").read_text(encoding="ascii").split()[1]) / _NANO
    except (OSError, IndexError, ValueError):
        return None


def measure(job: Job, key: str = "") -> Seen:
    """Ask as the cell says, and sum up what came in the window."""
    limits = Deadlines(connect=10.0, first_byte=job.patience, gap=job.patience, total=job.patience)
    headers = {"content-type": "application/json", "accept": "text/event-stream"}
    users = Users(job, Client(job.url, deadlines=limits), headers | ({"authorization": f"Bearer {key}"} if key else {}))
    gc.disable()
    asking = [gevent.spawn(users.ask_on, number) for number in range(job.cell.concurrency)]
    began = time.monotonic()
    _wait(users, lambda now: users.warm() and now >= began + job.settle, began + job.patience)
    window = _look(users)
    users.over = True
    gevent.joinall(asking, timeout=job.patience)
    return summed_up(job.cell, users.answers, users.failures, window)


def _look(users: Users) -> Window:
    """Let the cell go on for as long as it is to be looked at."""
    job, before = users.job, _counters(users.client)
    users.begin, cpu, waited = time.monotonic(), time.process_time(), _waited()
    begin = users.begin
    _wait(users, lambda now: now >= begin + job.seconds and users.counted() >= job.least, begin + job.most)
    end, waited_until = time.monotonic(), _waited()
    return Window(
        begin=begin,
        end=end,
        cpu=(time.process_time() - cpu) / (end - begin),
        waited=None if waited is None or waited_until is None else (waited_until - waited) / (end - begin),
        moved=_moved(before, _counters(users.client)),
    )


def _wait(users: Users, done: Any, deadline: float) -> None:
    while not users.over and (now := time.monotonic()) < deadline and not done(now):
        gevent.sleep(LOOK)


def _length(draw: random.Random, answer: int) -> int:
    return answer + draw.randint(-(answer // SPREAD), answer // SPREAD)


def _body(job: Job, draw: random.Random, answer: int) -> bytes:
    """Token ids rather than text, so that the prompt's length is exact; drawn anew, so that no cache knows them."""
    return orjson.dumps(
        {
            "model": job.model,
            "prompt": draw.choices(job.alphabet, k=job.cell.prompt),
            "max_tokens": answer,
            "ignore_eos": True,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    )


def _why(exchange: Exchange) -> str:
    return exchange.error or f"{exchange.status}: {exchange.body[:200].decode('utf-8', 'replace')}"


def summed_up(
    cell: Cell,
    answers: Sequence[tuple[int, Exchange]],
    failures: Sequence[str],
    window: Window,
) -> Seen:
    """The numbers of a cell from the exchanges, of which only what lies in the window counts."""
    import numpy as np  # noqa: PLC0415 - not before the load has ended

    begin, end, seconds = window.begin, window.end, window.end - window.begin
    first: list[float] = []
    gaps: list[float] = []
    tokens, events, wrong, requests = 0.0, 0, "", 0
    for asked, exchange in answers:
        if exchange.status != OK or exchange.failure:
            continue
        read = read_answer(exchange.chunks)
        times = np.array([t for t, kind in zip(read.times, read.kinds, strict=True) if kind in CHOICES])
        wrong = wrong or _wrong(cell, asked, read.usage, len(times))
        inside = (times >= begin) & (times < end)
        events += int(inside.sum())
        tokens += asked * float(inside.sum()) / max(1, len(times))
        gaps.extend(np.diff(times)[inside[1:] & inside[:-1]])
        if begin <= exchange.sent < end and len(times):
            requests += 1
            first.append(times[0] - exchange.sent)
    trouble = _trouble(failures, wrong, window.waited, min(requests, len(gaps)))
    numbers = {} if not (first and gaps) else {
        "ttft_p50": float(np.quantile(first, 0.5)),
        "ttft_p99": float(np.quantile(first, 0.99)),
        "itl_p50": float(np.quantile(gaps, 0.5)),
        "itl_p99": float(np.quantile(gaps, 0.99)),
        "itl_mean": float(np.mean(gaps)),
        "throughput": tokens / seconds,
        "merged": max(0.0, 1 - events / tokens),
    }  # fmt: skip
    return Seen(
        cell=cell,
        requests=requests,
        failed=len(failures),
        seconds=seconds,
        client_cpu=window.cpu,
        client_waited=window.waited,
        trouble=trouble,
        **numbers,
        **window.moved,
    )


def _wrong(cell: Cell, asked: int, usage: Any, events: int) -> str:
    if not usage:
        return "the engine told no usage"
    told = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if told != (cell.prompt, asked):
        return f"asked for {cell.prompt}+{asked} tokens, got {told[0]}+{told[1]}"
    return "" if events else "an answer without a token"


def _trouble(failures: Sequence[str], wrong: str, waited: float | None, answers: int) -> str:
    if failures:
        return f"{len(failures)} requests failed: {failures[0]}"[:300]
    if wrong:
        return wrong
    if answers < ENOUGH:
        return f"only {answers} answers came in time"
    if waited is not None and waited > WAITED:
        return f"the client itself waited for a CPU {waited:.0%} of the time"
    return ""


def _counters(client: Client) -> dict[str, float]:
    """The engine's own counts of its steps, where it has them."""
    exchange = client.get("/metrics", {"accept": "text/plain"})
    found: dict[str, float] = {}
    for line in exchange.body.decode("utf-8", "replace").splitlines() if exchange.status == OK else ():
        name = next((name for name, family in COUNTERS.items() if line.startswith((f"{family}{{", f"{family} "))), None)
        if name:
            found[name] = found.get(name, 0.0) + float(line.rpartition(" ")[2])
    return found


def _moved(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    return {name: value - before[name] for name, value in after.items() if name in before}


if __name__ == "__main__":
    main()
