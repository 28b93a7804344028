"""A running engine takes another version of its model, verified by digest, or goes on with the one it has."""

import asyncio
import json
import re
import threading
import time

import pytest
from prometheus_client import CollectorRegistry

from refplatform.engine.calibration import Calibration
from refplatform.engine.live import LiveEngine, PausedError
from refplatform.engine.metrics import EngineMetrics
from refplatform.engine.models import Models
from refplatform.engine.stream import AbortedError
from refplatform.engine.switch import PATH, Pace, Switch, SwitchBody, fitted
from refplatform.engine.weights import Weights
from refplatform.engine.wire.errors import BadAskError
from refplatform.store import ModelStore, Profile, read_reference
from refplatform.store.__main__ import main

SLOW = {
    "name": "slow",
    "max_num_seqs": 8,
    "max_num_batched_tokens": 256,
    "max_model_len": 4096,
    "kv_cache_tokens": 8192,
    "weight_bytes": 16_000,
    "c0": 0.004,
    "c_prefill": 0.0,
    "c_kv": 0.0,
    "c_seq": 0.0,
}
QUANTISED = SLOW | {"name": "quantised", "weight_bytes": 8_000, "c0": 0.002, "kv_cache_tokens": 4096}
VARIANTS = {
    "fp16": SLOW,
    "fp8": QUANTISED,
    "huge": SLOW | {"weight_bytes": 16_001},
    "short": SLOW | {"max_model_len": 4095},
    "broken": SLOW | {"c0": 0.0},
}


@pytest.fixture
def store(tmp_path):
    """A store with version 1 as fp16, 2 as fp8 and some that cannot be served, and calibrations beside it."""
    folder = tmp_path / "calibrations"
    folder.mkdir()
    for name, numbers in VARIANTS.items():
        (folder / f"{name}.json").write_text(json.dumps(numbers))
    store = ModelStore(tmp_path / "store")
    add(store, tmp_path, "1", "fp16")
    add(store, tmp_path, "2", "fp8")
    for variant in ("huge", "short", "broken", "absent"):
        add(store, tmp_path, variant, variant)
    return store


def add(store, tmp_path, version, variant, model="chat"):
    path = tmp_path / f"{version}.bin"
    path.write_bytes(version.encode() * 1000)
    return store.add(read_reference(f"{model}@{version}"), path, Profile(quantization=variant, calibration=variant))


def damage(store, tmp_path, version):
    (file,) = store.find(read_reference(f"chat@{version}")).files
    blob = tmp_path / "store" / "blobs" / file.sha256[:2] / file.sha256
    blob.chmod(0o644)
    blob.write_bytes(b"?" * file.size)
    return file.sha256


class Bench:
    """An engine of version 1, and its switch."""

    def __init__(self, store, tmp_path, **pace):
        calibration = Calibration(**SLOW)
        registry = CollectorRegistry()
        self.adopted = []
        self.models = Models(base="chat", max_model_len=4096)
        self.engine = LiveEngine(calibration, EngineMetrics("chat"), clock=time.monotonic)
        self.switch = Switch(
            self.engine,
            self.models,
            Weights(store, store.find(read_reference("chat@1")), tmp_path / "calibrations"),
            calibration,
            pace=Pace(**({"switch": 0.0} | pace)),
            adopt=self.adopted.append,
            registry=registry,
        )
        self.value = registry.get_sample_value

    def play(self, scene):
        async def run():
            steps = asyncio.create_task(self.engine.run())
            try:
                async with asyncio.timeout(20):
                    return await scene
            finally:
                steps.cancel()

        return asyncio.run(run())

    def to(self, model, **options):
        return self.switch.to(SwitchBody(model=model, **options))

    def refused(self, model, **options):
        with pytest.raises(BadAskError) as error:
            self.play(self.to(model, **options))
        return error.value.status, str(error.value)

    def submit(self, asked=5, **options):
        return self.engine.submit(prompt=10, asked=asked, finish_reason="length", **options)


@pytest.fixture
def bench(store, tmp_path):
    return Bench(store, tmp_path)


async def took(engine, tokens=21):
    """Seconds between two tokens."""
    stream = engine.submit(prompt=10, asked=tokens, finish_reason="length")
    while await stream.more_than(stream.sequence.emitted) < tokens:
        pass
    return (stream.last - stream.first) / (tokens - 1)


def test_the_other_version_is_served_at_its_own_speed_and_back_again(bench):
    async def scene():
        slow = await took(bench.engine)
        told = await bench.to("chat@2")
        quick = await took(bench.engine)
        back = await bench.to("chat@1")
        return slow, told, quick, back

    slow, told, quick, back = bench.play(scene())
    assert slow >= 0.004
    assert quick < slow
    assert (told["version"], told["previous"], told["changed"]) == ("2", "1", True)
    assert (back["version"], back["previous"], bench.models.version) == ("1", "2", "chat@1")
    assert [one.name for one in bench.adopted] == ["slow", "quantised", "slow"]
    assert bench.value("refplatform_engine_model_switches_total", {"result": "switched"}) == 2


def test_metrics_name_the_version_that_is_served_and_no_other(bench, store):
    bench.play(bench.to("chat@2"))
    manifests = [store.find(read_reference(f"chat@{version}")) for version in "12"]
    named = [
        {"name": "chat", "version": one.version, "digest": one.digest, "quantization": one.profile.quantization}
        for one in manifests
    ]
    assert [bench.value("refplatform_engine_model_info", labels) for labels in named] == [None, 1]


def test_what_is_served_already_is_no_switch(bench):
    assert bench.play(bench.to("chat@1"))["changed"] is False
    assert bench.value("refplatform_engine_model_switches_total", {"result": "switched"}) == 0


@pytest.mark.parametrize(
    ("model", "options", "refusal"),
    [
        ("chat@9", {}, (404, "not in the store")),
        ("chat", {}, (404, "no version is in use")),
        ("other@1", {}, (400, "serves versions of chat, not other")),
        ("../chat@1", {}, (404, "name has letters")),
        ("chat@2", {"digest": f"sha256:{'0' * 64}"}, (409, "has the digest sha256:")),
        ("chat@huge", {}, (409, "its weights take 16001 bytes, and the engine left 16000")),
        ("chat@short", {}, (409, "its context holds 4095 tokens, the engine serves 4096")),
        ("chat@broken", {}, (409, "c0 must be positive")),
        ("chat@absent", {}, (409, "absent.json")),
    ],
)
def test_what_cannot_be_served_is_refused_and_the_old_version_goes_on(bench, model, options, refusal):
    status, message = bench.refused(model, **options)
    assert (status, bench.switch.serving.name, bench.engine.paused) == (refusal[0], "chat@1", None)
    assert refusal[1] in message
    assert bench.value("refplatform_engine_model_switches_total", {"result": "refused"}) == 1
    bench.play(took(bench.engine, 3))


def test_a_damaged_version_is_refused_by_its_blob_while_nobody_waits_for_it(bench, store, tmp_path):
    wrong = damage(store, tmp_path, "2")
    status, message = bench.refused("chat@2")
    assert status == 409
    assert wrong in message
    assert bench.value("refplatform_engine_model_switch_seconds") == 0
    assert bench.switch.serving.name == "chat@1"


def test_switching_back_reads_nothing_for_the_version_before_is_still_in_memory(store, tmp_path):
    bench = Bench(store, tmp_path, load=0.3)

    async def scene():
        there = await bench.to("chat@2")
        damage(store, tmp_path, "1")  # on the disk alone
        return there["seconds"], (await bench.to("chat@1"))["seconds"]

    there, back = bench.play(scene())
    assert there >= 0.3
    assert back < 0.3


def test_requests_under_way_end_with_the_version_they_began_with_and_new_ones_are_told_to_come_back(bench):
    async def scene():
        stream = bench.submit(asked=40)
        switch = asyncio.create_task(bench.to("chat@2"))
        await stream.more_than(0)
        while not bench.engine.paused:
            await asyncio.wait([switch], timeout=0.001)
        with pytest.raises(PausedError, match="switches to chat@2"):
            bench.submit()
        served = bench.switch.serving.name
        told = await switch
        return stream, served, told

    stream, served, told = bench.play(scene())
    assert (stream.sequence.emitted, served, stream.aborted) == (40, "chat@1", False)
    assert told["paused_seconds"] >= 0.1  # 40 steps of 4 ms, some of which passed while it was verified


def test_a_switch_that_may_not_wait_any_longer_is_given_up_and_harms_nobody(bench):
    async def scene():
        stream = bench.submit(asked=2000)
        with pytest.raises(BadAskError, match=r"1 requests were under way after 0\.05 s; chat@1 goes on") as refused:
            await bench.to("chat@2", wait_seconds=0.05)
        later = bench.submit()
        while await later.more_than(later.sequence.emitted) < 5:
            pass
        return stream.aborted, refused.value.status

    assert bench.play(scene()) == (False, 409)
    assert bench.switch.serving.name == "chat@1"
    assert bench.value("refplatform_engine_model_switch_seconds") >= 0.05  # so long nobody was taken


def test_a_switch_in_a_hurry_aborts_and_says_so_to_those_it_aborts(bench):
    async def scene():
        stream = bench.submit(asked=2000)
        told = await bench.to("chat@2", in_flight="abort")
        with pytest.raises(AbortedError):
            await stream.more_than(1999)
        return told["paused_seconds"]

    assert bench.play(scene()) < 1.0
    assert bench.switch.serving.name == "chat@2"


def test_of_two_switches_at_once_the_second_is_refused(store, tmp_path):
    bench = Bench(store, tmp_path, switch=0.1)

    async def scene():
        first = asyncio.create_task(bench.to("chat@2"))
        await asyncio.sleep(0)
        with pytest.raises(BadAskError, match="under way"):
            await bench.to("chat@1")
        await first

    bench.play(scene())
    assert bench.switch.serving.name == "chat@2"


def test_no_prefix_of_one_version_is_found_by_the_other(bench):
    async def scene():
        for _ in range(2):
            stream = bench.engine.submit(prompt=50, asked=1, finish_reason="length", hashes=(1, 2, 3))
            await stream.more_than(0)
            await bench.to("chat@2")
        return stream.sequence.cached

    assert bench.play(scene()) == 0


def test_limits_and_memory_are_those_of_the_start_and_the_steps_those_of_the_version():
    one, other = Calibration(**SLOW), Calibration(**QUANTISED)
    both = fitted(one, other)
    assert (both.c0, both.name) == (0.002, "quantised")
    assert (both.kv_blocks, both.limits, both.max_model_len) == (one.kv_blocks, one.limits, one.max_model_len)


# Over HTTP, and on the command line.


@pytest.fixture
def serve(spawn, web, tmp_path):
    def start(model="chat@1", **pace):
        port = web.port()
        words = ["--port", port, "--model", model, "--model-store", tmp_path / "store"]
        words += ["--calibration", tmp_path / "calibrations", "--switch-seconds", pace.get("switch", 0)]
        return spawn("refplatform.engine", *words, url=f"http://127.0.0.1:{port}", ready="/health")

    return start


def post(web, engine, **body):
    return web.fetch(engine.url, PATH, body)


def test_a_client_sees_one_version_or_the_other(serve, store, web):
    engine = serve()
    before = web.ask(engine.url, 8).deltas
    (card,) = web.fetch(engine.url, "/v1/models").json["data"]
    assert (card["id"], card["root"]) == ("chat", "chat@1")
    stream = web.open(engine.url, path=web.path, body=web.chat(60)).until(b"data: ")
    reply = post(web, engine, model="chat@2", digest=store.find(read_reference("chat@2")).digest)
    assert (reply.status, reply.json["version"], reply.json["previous"]) == (200, "2", "1")
    assert len(stream.finish().deltas) == 60  # it was waited for
    assert web.fetch(engine.url, PATH).json["version"] == "2"
    assert web.fetch(engine.url, "/v1/models").json["data"][0]["root"] == "chat@2"
    assert web.metrics(engine.url)("refplatform_engine_model_info", version="2") == 1
    assert web.ask(engine.url, 8).deltas != before  # other weights say other things
    assert post(web, engine, model="chat@1").status == 200
    assert web.ask(engine.url, 8).deltas == before
    for wrong in ({}, {"model": "chat@1", "in_flight": "kill"}, {"model": "chat@1", "wait_seconds": -1}):
        assert post(web, engine, **wrong).status == 400


def test_while_it_switches_clients_are_told_when_to_come_back(serve, store, web):
    engine = serve(switch=0.4)
    switching = threading.Thread(target=post, args=(web, engine), kwargs={"model": "chat@2"})
    switching.start()
    refused = web.eventually(lambda: next((r for r in [web.ask(engine.url, 1)] if r.status != 200), None))
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert "switches to chat@2" in refused.json["error"]["message"]
    assert web.fetch(engine.url, "/health").status == 200
    switching.join()
    assert web.ask(engine.url, 1).status == 200


def test_an_engine_without_a_store_has_no_versions(engine, web):
    reply = web.fetch(engine().url, PATH)
    assert (reply.status, "without --model-store" in reply.json["error"]["message"]) == (404, True)


@pytest.fixture
def command(tmp_path, capsys):
    def call(*words):
        with pytest.raises(SystemExit) as ended:
            main(["--store", str(tmp_path / "store"), *map(str, words)])
        return (ended.value.code, *capsys.readouterr())

    return call


def test_the_switch_verb_takes_engines_along_one_after_the_other_and_back(serve, store, command, web):
    store.use(read_reference("chat@1"))
    one, other = serve("chat"), serve("chat")
    engines = ("--engine", one.url, "--engine", other.url)
    code, said, _ = command("switch", "chat@2", *engines, "--between-seconds", 0)
    assert code == 0
    assert len(re.findall(r"http://\S+ serves chat@2 after \d+\.\d s, \d+\.\d of which it took nobody\n", said)) == 2
    assert said.endswith("chat@2 in use, before it 1\n")
    began = time.monotonic()
    assert command("switch", "chat", "--previous", *engines, "--between-seconds", 0)[0] == 0
    assert time.monotonic() - began < 5.0
    assert store.used("chat").version == "1"
    assert [web.fetch(each.url, PATH).json["version"] for each in (one, other)] == ["1", "1"]


def test_nobody_who_asks_a_gateway_notices_that_its_engines_switch_in_turn(serve, store, command, web, gateway):
    store.use(read_reference("chat@1"))
    engines = [serve("chat", switch=0.3), serve("chat", switch=0.3)]
    gate, over, statuses = gateway(*engines), threading.Event(), []

    def user():
        while not over.is_set():
            statuses.append(web.ask(gate.url, 5).status)

    users = [threading.Thread(target=user) for _ in range(3)]
    for one in users:
        one.start()
    code, _, _ = command("switch", "chat@2", "--engine", engines[0].url, "--engine", engines[1].url)
    over.set()
    for one in users:
        one.join()
    assert code == 0
    assert len(statuses) > 30
    assert set(statuses) == {200}


def test_an_engine_that_refuses_takes_all_back_to_where_they_were(serve, store, command, web, tmp_path):
    store.use(read_reference("chat@1"))
    one, other = serve("chat"), serve("chat")
    hanging = web.open(other.url, path=web.path, body=web.chat(3000)).until(b"data: ")
    code, said, complaint = command(
        "switch", "chat@2", "--engine", one.url, "--engine", other.url, "--wait-seconds", 0.1, "--between-seconds", 0
    )
    assert (code, complaint.count("\n")) == (1, 1)
    assert f"{other.url}: 1 requests were under way after 0.1 s" in complaint
    assert f"{one.url} serves chat@1 again" in said
    assert store.used("chat").version == "1"
    assert web.fetch(one.url, PATH).json["version"] == "1"
    hanging.drop()


def test_an_engine_that_nobody_finds_ends_the_verb_with_75_and_changes_nothing(store, command, web):
    store.use(read_reference("chat@1"))
    code, _, complaint = command("switch", "chat@2", "--engine", f"http://127.0.0.1:{web.port()}")
    assert (code, complaint.count("\n")) == (75, 1)
    assert store.used("chat").version == "1"
