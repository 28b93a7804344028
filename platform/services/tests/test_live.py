"""The engine's loop: deadlines, conditions from outside, sleep, and what metrics are told.

In an event loop whose clock jumps to the next timer instead of waiting for it, so that every time is exact.
"""

import asyncio
import random
from collections import Counter
from itertools import pairwise
from statistics import median

import pytest

from refplatform.engine.calibration import Calibration
from refplatform.engine.live import AsleepError, LiveEngine
from refplatform.engine.reading import Reading, desk
from refplatform.engine.scheduler import QueueFullError, Residency, Sequence
from refplatform.engine.stream import AbortedError
from refplatform.engine.virtual import Request, VirtualEngine, replay


class JumpingLoop(asyncio.SelectorEventLoop):
    """Nothing takes time but timers, and nobody waits for those."""

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self._wait, self._selector.select = self._selector.select, self.jump

    def time(self):
        return self.now

    def jump(self, timeout):
        assert timeout is not None, "everybody waits for somebody else"
        self.now += max(0.0, timeout)
        return self._wait(0)


def now():
    return asyncio.get_running_loop().time()


class Heard:
    """Remembers what the engine told."""

    def __init__(self):
        self.counts, self.gaps, self.order, self.ends, self.adapters, self.lives = Counter(), [], [], [], [], []
        self.level = None

    def watch(self, *, running, waiting, kv):
        self.running, self.waiting, self.kv = running, waiting, kv

    def stepped(self, step, gained):
        self.order.append("stepped")
        self.counts["gained"] += len(gained)
        self.counts["scheduled"] += step.tokens

    def prefix(self, queries, hits):
        self.counts["queries"] += queries
        self.counts["hits"] += hits

    def first_token(self, stream, now):
        self.order.append("first")
        self.counts["first"] += 1
        assert stream.arrived <= stream.scheduled <= now

    def next_tokens(self, gap, count):
        self.gaps += [gap] * count

    def ended(self, stream, now, reason):
        self.order.append("ended")
        self.ends.append((reason, stream.sequence.emitted))
        assert stream.first is None or stream.first <= stream.last <= now

    def refused(self, reason):
        self.counts[reason] += 1

    def preempted(self, count):
        self.counts["preempted"] += count

    def lora(self, adapters):
        self.adapters.append(tuple(adapters))

    def evicted(self, blocks):
        self.lives += blocks

    def sleep(self, level):
        self.level = level


def make(*, scale=1.0, **changes):
    heard = Heard()
    return LiveEngine(numbers(**changes), heard, clock=now, scale=scale), heard


def numbers(**changes):
    plain = {
        "name": "test",
        "max_num_seqs": 8,
        "max_num_batched_tokens": 64,
        "max_model_len": 256,
        "kv_cache_tokens": 1024,
        "c0": 0.002,
        "c_prefill": 0.0,
        "c_seq": 0.0,
        "c_kv": 0.0,
    }
    return Calibration(**plain | changes)


def play(engine, scene, within=10.0):
    """The scene's result, with the engine running beside it."""

    async def run():
        steps = asyncio.create_task(engine.run())
        try:
            async with asyncio.timeout(within):
                return await scene
        finally:
            steps.cancel()

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(run())


def submit(engine, prompt=10, asked=5, **options):
    return engine.submit(prompt=prompt, asked=asked, finish_reason="length", **options)


async def tokens(stream):
    """Everything that comes, one look at a time."""
    seen = []
    while (count := await stream.more_than(len(seen))) > len(seen):
        seen += [now()] * (count - len(seen))
        if len(seen) == stream.sequence.asked:
            break
    return seen


async def answered(engine, **options):
    return await tokens(submit(engine, **options))


async def all_of(streams):
    return await asyncio.gather(*map(tokens, streams))


def test_everyone_gets_all_tokens_and_the_metrics_count_each_once():
    engine, heard = make()

    async def scene():
        streams = [submit(engine, prompt=10 + n, asked=n) for n in range(1, 7)]
        return await all_of(streams)

    came = play(engine, scene())
    assert [len(each) for each in came] == [1, 2, 3, 4, 5, 6]
    assert heard.counts["gained"] == 21  # 1 + 2 + 3 + 4 + 5 + 6
    assert heard.counts["first"] == 6
    assert len(heard.gaps) == 15  # 0 + 1 + 2 + 3 + 4 + 5
    assert sorted(heard.ends) == [("length", n) for n in range(1, 7)]
    # prompts: 11 + ... + 16 = 81 tokens; each token but the last of each answer is computed: 21 - 6 = 15
    assert heard.counts["scheduled"] == 81 + 15
    assert heard.order[-1] == "stepped"
    assert (heard.running(), heard.waiting(), heard.kv()) == (0, 0, 0.0)


def test_every_step_ends_at_its_deadline_and_nothing_adds_up():
    engine, heard = make(c0=0.01)
    came = play(engine, answered(engine, asked=30))
    assert came == pytest.approx([0.01 * step for step in range(1, 31)])
    assert heard.gaps == pytest.approx([0.01] * 29)
    assert engine.busy_seconds == pytest.approx(0.3)


def test_time_that_was_lost_to_a_frozen_process_is_not_made_up_for():
    engine, heard = make(c0=0.01)

    async def scene():
        stream = submit(engine, asked=4)
        await stream.more_than(0)
        asyncio.get_running_loop().now += 1.0  # frozen in the middle of the second step
        await tokens(stream)

    play(engine, scene())
    assert heard.gaps == pytest.approx([1.0, 0.01, 0.01], abs=0.011)
    assert min(heard.gaps) == pytest.approx(0.01)


def test_a_step_that_was_a_little_late_takes_nothing_from_the_next():
    engine, heard = make(c0=0.1)

    async def scene():
        stream = submit(engine, asked=3)
        await stream.more_than(0)
        asyncio.get_running_loop().now += 0.13  # the second step is 30 ms late
        await tokens(stream)

    play(engine, scene())
    assert heard.gaps == pytest.approx([0.13, 0.07])  # the third ends at 300 ms all the same


def test_scaled_time_is_so_many_times_as_fast():
    engine, _ = make(c0=0.2, scale=20.0)
    came = play(engine, answered(engine, asked=20))
    assert came[-1] == pytest.approx(20 * 0.2 / 20)


def test_a_slow_engine_stretches_its_steps():
    engine, heard = make(c0=0.002)
    engine.conditions.step_factor = 10.0
    play(engine, answered(engine, asked=10))
    assert heard.gaps == pytest.approx([0.02] * 9)


def test_a_halted_engine_takes_requests_and_gives_nothing_until_it_goes_on():
    engine, heard = make()

    async def scene():
        engine.conditions.halted = True
        stream = submit(engine)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await stream.more_than(0)
        before = heard.running(), stream.sequence.emitted
        engine.conditions.halted = False
        await tokens(stream)
        return before

    assert play(engine, scene()) == (1, 0)
    assert heard.counts["gained"] == 5


def test_without_free_blocks_requests_wait_and_go_on_when_they_are_back():
    engine, heard = make()

    async def scene():
        engine.conditions.reserved_blocks = 64  # all of 1024 / 16
        stream = submit(engine)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await stream.more_than(0)
        seen = heard.running(), heard.waiting(), heard.kv()
        engine.conditions.reserved_blocks = 0
        await tokens(stream)
        return seen

    assert play(engine, scene()) == (0, 1, 1.0)


def test_exhaustion_preempts_and_the_answers_are_whole_all_the_same():
    engine, heard = make(kv_cache_tokens=256)

    async def scene():
        # 16 blocks; eight requests of 16 + 40 tokens need 4 each in the end
        return await all_of([submit(engine, prompt=16, asked=40) for _ in range(8)])

    assert [len(each) for each in play(engine, scene())] == [40] * 8
    assert heard.counts["preempted"] > 0
    assert heard.counts["gained"] == 320
    assert heard.kv() == 0.0


def test_prefixes_are_found_unless_the_cache_is_off():
    hashes = (1, 2, 3)

    async def scene(engine):
        for _ in range(2):
            await tokens(submit(engine, prompt=50, asked=2, hashes=hashes))

    engine, heard = make()
    play(engine, scene(engine))
    assert (heard.counts["queries"], heard.counts["hits"]) == (100, 48)
    assert engine.reset_prefix_cache()
    engine, heard = make()
    engine.conditions.prefix_cache = False
    play(engine, scene(engine))
    assert (heard.counts["queries"], heard.counts["hits"]) == (100, 0)


def test_an_embedding_wakes_its_stream_without_a_token():
    engine, heard = make()

    async def scene():
        return await submit(engine, prompt=100, asked=0).more_than(0)

    assert play(engine, scene()) == 0
    assert heard.ends == [("length", 0)]
    assert heard.counts["gained"] == 0


def test_an_abort_ends_the_wait_and_frees_at_once():
    engine, heard = make()

    async def scene():
        stream = submit(engine, asked=1000, prompt=100)
        await stream.more_than(3)
        engine.abort(stream)
        engine.abort(stream)  # once more is no error
        assert heard.kv() == 0.0
        with pytest.raises(AbortedError):
            await stream.more_than(999)

    play(engine, scene())
    assert [reason for reason, _ in heard.ends] == ["abort"]


def test_a_full_engine_says_which_limit():
    engine, heard = make(max_num_queued_reqs=1)

    async def scene():
        submit(engine)
        with pytest.raises(QueueFullError) as refused:
            submit(engine)
        return refused.value.reason

    assert play(engine, scene()) == "max_num_queued_reqs"
    assert heard.counts["max_num_queued_reqs"] == 1


@pytest.mark.parametrize("level", [1, 2])
def test_asleep_it_holds_nothing_and_takes_nothing(level):
    engine, heard = make()

    async def scene():
        stream = submit(engine, prompt=50, asked=1000, hashes=(1, 2, 3))
        await stream.more_than(0)
        engine.sleep(level)
        assert (heard.running(), heard.waiting(), heard.kv(), heard.level) == (0, 0, 0.0, level)
        with pytest.raises(AbortedError):
            await stream.more_than(900)
        with pytest.raises(AsleepError):
            submit(engine)
        engine.wake()
        await tokens(submit(engine, prompt=50, asked=1, hashes=(1, 2, 3)))

    play(engine, scene())
    assert heard.level == 0
    assert heard.counts["hits"] == 0  # what was cached before is gone


def test_there_is_no_third_level_of_sleep():
    engine, _ = make()
    with pytest.raises(ValueError, match="levels of sleep are 1 and 2"):
        engine.sleep(3)


def test_an_adapter_is_told_of_in_each_step_from_the_first_token_of_its_requests_to_the_last():
    engine, heard = make(max_num_seqs=2)

    async def scene():
        short, long = submit(engine, asked=2, lora="french"), submit(engine, asked=4, lora="legal")
        await all_of([short, long, submit(engine, asked=2, lora="late")])
        return await all_of([submit(engine, asked=1, lora="once")])

    play(engine, scene())
    # Two seats. Step 1: both begin. 2: french ends. 3: late begins. 4: both end. 5: one token is first and last.
    assert heard.adapters == [("french", "legal"), ("legal",), ("legal", "late"), (), ()]


def test_an_aborted_request_takes_its_adapter_along():
    engine, heard = make()

    async def scene():
        gone = submit(engine, asked=100, lora="french")
        await gone.more_than(0)
        engine.abort(gone)
        await answered(engine, asked=1)

    play(engine, scene())
    assert heard.adapters[0] == ("french",)
    assert set(heard.adapters[1:]) == {()}


def test_the_lives_of_evicted_blocks_are_told():
    heard = Heard()
    calibration = numbers(kv_cache_tokens=256)  # 16 blocks
    residency = Residency(1.0, clock=now, source=random.Random(0))

    async def scene(engine):
        for names in ((1, 2), (1, 2), (3, 4)):
            await answered(engine, prompt=33, asked=1, hashes=names)
        await answered(engine, prompt=240, asked=1)  # needs 15 of 16 blocks, of which 12 were never used

    async def made():
        engine = LiveEngine(calibration, heard, clock=now, residency=residency)
        steps = asyncio.create_task(engine.run())
        await scene(engine)
        steps.cancel()

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(made())
    # Steps of 2 ms. Blocks 1 and 2 are named as the first begins and found as the second does, at 2 ms; 3 and 4 come
    # at 4 ms. The last prompt begins at 6 ms and needs four steps; only the last, at 12 ms, wants more than was empty:
    # three blocks, the end of a prefix first: 2, 1 and 4.
    assert [round(1e3 * life.lifetime) for life in heard.lives] == [12, 12, 8]
    assert [round(1e3 * life.idle) for life in heard.lives] == [10, 10, 8]
    assert [life.gaps for life in heard.lives] == [(), (), ()]


def test_virtual_time_and_real_time_tell_the_same_of_one_calibration():
    # Requests of many sizes that come in bursts, so that reading, queue, chunks and noise all count.
    source, at, asked_for = random.Random(7), 0.0, []
    for _ in range(150):
        at += source.choice((0.0001, 0.0002, 0.03))
        asked_for.append((at, source.randint(1, 150), source.randint(1, 30)))
    calibration = numbers(
        c_prefill=2e-5, c_kv=1e-6, c_seq=1e-4, c_request=0.003, c_beside=0.0005, noise=0.1, kv_cache_tokens=4096
    )

    async def client(engine, reading, at, prompt, asked):
        await asyncio.sleep(at - now())
        arrived = now()
        await reading.take(engine.running)
        came = await answered(engine, prompt=prompt, asked=asked)
        return came[0] - arrived, [later - earlier for earlier, later in pairwise(came)]

    async def live():
        engine = LiveEngine(calibration, Heard(), clock=now, noise=random.Random(1))
        reading = Reading(desk(calibration), clock=now, until=until)
        steps = asyncio.create_task(engine.run())
        answers = await asyncio.gather(*(client(engine, reading, *one) for one in asked_for))
        steps.cancel()
        return answers

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        answers = runner.run(live())
    virtual = VirtualEngine(calibration, noise=random.Random(1), keep_gaps=True)
    requests = [Request(at, Sequence(prompt, asked)) for at, prompt, asked in asked_for]
    replay(requests, lambda _: virtual)
    for mine, theirs in (
        ([request.ttft for request in requests], [ttft for ttft, _ in answers]),
        ([gap for request in requests for gap in request.gaps], [gap for _, gaps in answers for gap in gaps]),
    ):
        assert len(mine) == len(theirs)
        assert median(mine) == pytest.approx(median(theirs), rel=0.01)
    assert min(request.ttft for request in requests) > 0.003 + 0.002  # read, and a step


async def until(instant):
    await asyncio.sleep(max(0.0, instant - now()))


def test_a_stream_is_woken_once_a_step_however_often_it_could_look():
    engine, _ = make()
    looks = 0

    async def scene():
        nonlocal looks
        stream, seen = submit(engine, asked=20), 0
        while seen < 20:
            seen = await stream.more_than(seen)
            looks += 1

    play(engine, scene())
    assert looks <= 20
