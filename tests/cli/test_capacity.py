"""`holdfast capacity`: what it refuses, and small searches of a real server by the real generator, kept as they go."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench import make_bench, until
from holdfast.errors import UsageError
from holdfast.loadtest.capacity import profile_of, slos_of

SERVER = Path(__file__).parents[1] / "load" / "sse_server.py"


@pytest.fixture
def bench(tmp_path):
    return make_bench(tmp_path)


@dataclass(frozen=True)
class Server:
    """A real chat server that answers each request within some hundredths of a second."""

    process: subprocess.Popen[str]
    host: str


@pytest.fixture
def server():
    with subprocess.Popen([sys.executable, SERVER], stdout=subprocess.PIPE, text=True) as process:
        yield Server(process, f"http://127.0.0.1:{int(process.stdout.readline())}/ok")
        process.terminate()


@pytest.fixture
def host(server):
    return server.host


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("chat-peek", "did you mean chat-peak"),
        ("chat-replay", "arrivals = trace: its rate is not ours"),
    ],
)
def test_a_profile_whose_rate_cannot_be_chosen_is_refused(bench, name, said):
    with pytest.raises(UsageError) as wrong:
        profile_of(bench.root, name)
    assert said in f"{wrong.value} {wrong.value.hint}"


def test_a_profile_whose_rate_changes_is_refused(bench):
    text = (bench.root / "loadtests/chat-peak.conf").read_text(encoding="utf-8")
    bench.write("loadtests/ramp.conf", text.replace("rate = 12", "rate = 12\nshape = ramp from=1 to=4 over=60s"))
    with pytest.raises(UsageError, match="a rate that changes"):
        profile_of(bench.root, "ramp")


def test_without_names_all_slos_of_the_gateway_that_clients_witness_must_hold(bench):
    assert [slo.id for slo in slos_of(bench.root, ())] == ["gateway/availability", "gateway/ttft", "gateway/e2e"]


@pytest.mark.parametrize(
    ("name", "said"),
    [("gateway/tfft", "did you mean gateway/ttft"), ("gateway/token-gap", "clients cannot witness")],
)
def test_an_slo_that_cannot_be_witnessed_is_refused(bench, name, said):
    with pytest.raises(UsageError) as wrong:
        slos_of(bench.root, [name])
    assert said in f"{wrong.value} {wrong.value.hint}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--from", "9"), "--from: expected a rate such as 40/s"),
        (("--from", "9/s", "--to", "3/s"), "rates must rise"),
        (("--probe", "soon"), "--probe: expected a duration"),
        (("--host", "http://127.0.0.1:9", "--without", "1"), "only be stopped on the embedded platform"),
        (("--host", "http://me:secret@127.0.0.1:9"), "an address with a password would be kept"),
        (("--host", "127.0.0.1:9"), "not an address: 127.0.0.1:9"),
        (("--prices", "nowhere.yaml"), "no such file"),
        (("--prices", "slos/gateway.yaml", "--want", "9/s"), "unknown key 'version'"),
        ((), "no platform is up"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_anything_is_loaded(bench, words, said):
    code, text = bench.do("capacity", "chat-peak", *words)
    assert code == (75 if not words else 2), text
    assert said in text
    assert not list(bench.runs.glob("capacity-*"))


WORDS = ("--slo", "gateway/e2e", "--from", "4/s", "--to", "16/s", "--probe", "3s", "--within", "60s", "--probes", "3")


@pytest.mark.slow
def test_a_server_that_bears_the_highest_rate_has_no_capacity_in_range(bench, host):
    code, text = bench.do("capacity", "chat-peak", "--host", host, *WORDS, "--json")
    told = json.loads(text[text.index("\n{") :])
    # Nothing fails, so no boundary was found; and a few seconds prove little.
    assert code == 10, text
    assert told["boundary"] in {"never failed in range", "undecided"}
    assert {4.0, 16.0} <= {probe["rate"] for probe in told["probes"]}
    folder = Path(told["folder"])
    assert json.loads((folder / "all" / "answer.json").read_text(encoding="utf-8"))["state"] == "UNKNOWN"
    lines = (folder / "all" / "probes.ndjson").read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(told["probes"])
    assert (folder / "all" / "probe-01" / "load.ndjson").stat().st_size > 0
    assert "<svg" in (folder / "capacity.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_problems_of_a_price_file_are_shown_where_they_are(bench):
    prices = bench.write("prices.yaml", "gpu-hour: free\ngpu-per-replica: 2\n")
    code, text = bench.do("capacity", "chat-peak", "--want", "95/s", "--prices", str(prices))
    assert code == 2
    assert f"{prices}:1:11" in text
    assert f"{prices}:2:1" in text
    assert "did you mean gpus-per-replica?" in text
    assert "^" in text
    code, text = bench.do("capacity", "chat-peak", "--prices", str(bench.write("prices.yaml", "gpu-hour: 2\n")))
    assert (code, "--want 95/s" in text) == (2, True)


@pytest.mark.slow
def test_a_server_that_is_not_there_has_no_capacity_and_no_failing_rate(bench):
    code, text = bench.do("capacity", "chat-peak", "--host", "http://127.0.0.1:9", *WORDS, "--want", "9/s")
    assert code == 10, text
    assert "nothing was answered any more, not even at 4/s: is the server still there?" in text
    assert "No capacity found: the evidence does not decide." in text
    assert "For 9/s: unknown how many replicas, for no capacity was found" in text
    assert "seen to fail" not in text


@pytest.mark.slow
def test_a_server_that_dies_half_way_is_not_taken_for_one_that_is_overloaded(bench, server):
    process = bench.start("capacity", "chat-peak", "--host", server.host, *WORDS[:-1], "5", "--json")
    until(lambda: list(bench.runs.glob("capacity-*/all/probes.ndjson")), 90, "the first probe")
    server.process.kill()
    text, _ = process.communicate(timeout=200)
    assert process.returncode == 10, text
    told = json.loads(text[text.index("\n{") :])
    assert (told["state"], told["boundary"], told["rate"]) == ("UNKNOWN", "undecided", None)
    assert "is the server still there?" in told["why"]


@pytest.mark.slow
def test_a_search_that_is_interrupted_keeps_what_it_has_and_leaves_no_load(bench, host):
    process = bench.start("capacity", "chat-peak", "--host", host, *WORDS)
    until(lambda: list(bench.runs.glob("capacity-*/all/probes.ndjson")), 60, "the first probe")
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 130, text
    assert "stopped by SIGINT" in text
    (folder,) = bench.runs.glob("capacity-*")
    assert json.loads((folder / "all" / "answer.json").read_text(encoding="utf-8"))["why"] == "stopped by SIGINT"
    assert bench.load_processes() == []


@pytest.mark.slow
def test_a_search_that_is_killed_keeps_what_it_has(bench, host):
    process = bench.start("capacity", "chat-peak", "--host", host, *WORDS)
    until(lambda: list(bench.runs.glob("capacity-*/all/probes.ndjson")), 60, "the first probe")
    process.kill()
    process.communicate(timeout=60)
    (lines,) = bench.runs.glob("capacity-*/all/probes.ndjson")
    assert json.loads(lines.read_text(encoding="utf-8").splitlines()[0])["rate"] == 4.0
    until(lambda: not bench.load_processes(), 10, "the load to die with its harness")
