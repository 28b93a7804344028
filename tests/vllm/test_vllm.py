"""The platform on real engines, end to end: what the simulator imitates, and a quickstart that holds on them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest

from bench import until
from holdfast.platforms import pids

pytestmark = [pytest.mark.vllm, pytest.mark.e2e, pytest.mark.slow, pytest.mark.timed, pytest.mark.timeout(900)]
TINY = Path(__file__).parents[2] / "platform/services/src/refplatform/vllm/tiny.py"
KINDS = ("real", "simulated")
SDK = """
import json, sys, openai
client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="none", max_retries=0)
asked = dict(model="tiny", messages=[{"role": "user", "content": "hello"}], max_tokens=12)
whole = client.chat.completions.create(**asked)
stream = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
print(json.dumps({
    "models": [one.id for one in client.models.list()],
    "object": whole.object,
    "usage": whole.usage.completion_tokens,
    "finish": whole.choices[0].finish_reason,
    "streamed": stream[-1].usage.completion_tokens,
    "ending": [chunk.choices[0].finish_reason for chunk in stream if chunk.choices][-1],
}))
"""


def family(incarnation: str) -> tuple[pids.Incarnation, ...]:
    return pids.group(pids.parse(incarnation))


def test_a_seed_makes_the_same_model_byte_for_byte(vllm_python, tmp_path):
    def made(name: str, *words: str) -> dict[str, bytes]:
        subprocess.run([vllm_python, TINY, tmp_path / name, *words], check=True, capture_output=True)
        return {file.name: file.read_bytes() for file in (tmp_path / name).iterdir()}

    first = made("a")
    assert first.keys() == {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert made("b") == first
    assert made("c", "--seed", "2")["model.safetensors"] != first["model.safetensors"]


def test_up_says_that_it_goes_on_while_the_engines_start(real):
    assert "engine-1       still starting" in real.told
    assert real.told.count("ready") == 8


def test_a_chat_streams_through_the_gateway_token_by_token(real):
    *chunks, usage, done = real.chat(
        messages=[{"role": "user", "content": "hello"}],
        max_tokens=12,
        stream_options={"include_usage": True},
    )
    assert done == "[DONE]"
    choices = [json.loads(chunk)["choices"][0] for chunk in chunks]
    assert choices[0]["delta"]["role"] == "assistant"
    assert choices[-1]["finish_reason"] == "length"
    assert json.loads(usage)["usage"]["completion_tokens"] == 12


def test_every_metric_of_the_real_engine_is_one_of_the_simulators_with_its_type(both):
    found = {kind: families(url) for kind, url in both.items()}
    missing = {name: kind for name, kind in found["real"].items() if found["simulated"].get(name) != kind}
    assert missing == {}
    assert len(found["real"]) > 50


def families(url: str) -> dict[str, str]:
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as response:
        return dict(re.findall(r"^# TYPE (vllm:\S+) (\S+)$", response.read().decode(), re.MULTILINE))


@pytest.mark.parametrize("kind", KINDS)
def test_openais_client_is_served_alike(both, vllm_python, kind):
    said = subprocess.run(
        [vllm_python, "-c", SDK, both[kind]], check=True, capture_output=True, text=True, timeout=120
    ).stdout
    answer = json.loads(said)
    assert answer["models"] == ["tiny"]
    assert answer["object"] == "chat.completion"
    assert (answer["usage"], answer["finish"]) == (12, "length")
    assert (answer["streamed"], answer["ending"]) == (12, "length")


@pytest.mark.parametrize("kind", KINDS)
def test_vllms_own_benchmark_runs_unchanged(both, vllm, real, tmp_path, kind):
    tokenizer = real.bench.state / "data/engine-1/tiny"
    words = ["bench", "serve", "--backend", "openai-chat", "--endpoint", "/v1/chat/completions"]
    words += ["--base-url", both[kind], "--model", "tiny", "--tokenizer", str(tokenizer), "--dataset-name", "random"]
    words += ["--random-input-len", "64", "--random-output-len", "16", "--num-prompts", "30", "--request-rate", "6"]
    words += ["--ignore-eos", "--save-result", "--result-dir", str(tmp_path), "--result-filename", "result.json"]
    told = subprocess.run(
        [vllm, *words],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    assert told.returncode == 0, told.stdout + told.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["completed"], result["failed"]) == (30, 0)
    assert result["total_output_tokens"] == 480  # 30 * 16
    print(f"{kind}: TTFT p50 {result['median_ttft_ms']:.0f} ms, ITL p50 {result['median_itl_ms']:.1f} ms")


def test_a_kill_takes_the_whole_engine_and_the_supervisor_brings_it_back(real):
    one = real.engines()[0]
    before = family(one.identity.unit)
    assert len(before) >= 4  # the leash, the API server, the engine core, its worker
    real.bench.platform().kill(one.identity)
    assert pids.wait_gone(before, 5) == ()
    until(real.ready, 180, "the engine is back")
    assert real.engines()[0].identity.unit != one.identity.unit


def test_an_api_server_that_dies_by_itself_leaves_no_engine_core_behind(real):
    leash, *rest = family(real.engines()[1].identity.unit)
    server = next(who for who in rest if pids.parent(who) == leash.pid)
    assert pids.send(server, signal.SIGKILL)
    assert pids.wait_gone([leash, *rest], 5) == ()


def test_the_quickstart_on_real_engines_passes(real):
    code, text = real.bench.decided("run", "scenarios/vllm.yaml")
    print(text[-1500:])
    assert code == 0, text
    assert [event["step"] for event in real.bench.events("fault")] == ["asked", "applied", "observed", "undone", "gone"]


def test_the_death_of_the_supervisor_leaves_no_process(started):
    until(started.ready, 180, "ready engines")
    record = started.bench.platform().record
    everyone = [who for one in started.engines() for who in family(one.identity.unit)]
    assert len(everyone) >= 8
    assert pids.send(record.supervisor.who, signal.SIGKILL)
    assert pids.wait_gone(everyone, 10) == ()
    code, text = started.bench.do("down")
    assert code == 0, text
    assert pids.in_session(record.supervisor.who, started.bench.state) == ()
