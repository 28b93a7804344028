"""`holdfast engine`: a simulator with known numbers is calibrated like any engine, and what is no engine is refused."""

import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.engines import cells
from holdfast.engines.hardware import describe, gpus
from holdfast.engines.probe import kv_cache_tokens

ROOT = Path(__file__).parents[2]
KNOWN = {
    "name": "known",
    "max_num_seqs": 32,
    "max_num_batched_tokens": 2048,
    "max_model_len": 4096,
    "kv_cache_tokens": 65536,
    "c0": 0.008,
    "c_prefill": 0.0001,
    "c_seq": 0.0005,
    "c_kv": 1e-7,
    "c_request": 0.006,
}
LIMITS = ("--max-num-seqs", "32", "--max-num-batched-tokens", "2048")
SMALL = ("--concurrency", "1,2,4,8", "--prompts", "32,128,256,768", "--answers", "32", "--seconds", "1")


def do(folder, *words, **more):
    """The command in a process of its own: what it gave, what it said, how it ended."""
    command = [sys.executable, "-m", "holdfast", "engine", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False, **more)
    return done.returncode, done.stdout, done.stderr


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def until(true, seconds=20.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come in time"
        threading.Event().wait(0.05)


def answers(url):
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=1) as answer:
            return answer.status == 200
    except OSError:
        return False


@contextmanager
def serving(folder, numbers=KNOWN):
    path, port = folder / "numbers.json", free_port()
    path.write_text(json.dumps(numbers))
    words = ["engine", "serve", str(path), "--port", str(port), "--model", "chat", "--seed", "3"]
    with subprocess.Popen([sys.executable, "-m", "holdfast", *words], cwd=ROOT, stderr=subprocess.PIPE) as process:
        try:
            until(lambda: answers(f"http://127.0.0.1:{port}"))
            yield process, f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
def engine(tmp_path):
    with serving(tmp_path) as (_, url):
        yield url


# engine serve


def test_serve_is_the_simulator_in_the_foreground_and_ends_when_it_is_told(tmp_path):
    with serving(tmp_path) as (process, url):
        with urllib.request.urlopen(f"{url}/v1/models", timeout=5) as answer:
            assert [one["id"] for one in json.load(answer)["data"]] == ["chat"]
        process.terminate()
        # The simulator's own orderly end: it took the command's place.
        assert process.wait(10) == 0


def test_serve_names_the_calibrations_there_are(tmp_path):
    code, _, said = do(ROOT, "serve", "laptob")
    assert code == 2
    assert "no such calibration: laptob" in said
    assert "laptop" in said


# engine calibrate: what is refused


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("not-a-url", *LIMITS), 2, "not an address"),
        (("http://127.0.0.1:1", *LIMITS), 75, "does not answer"),
        (("http://127.0.0.1:1",), 2, "--max-num-seqs"),
        (("http://127.0.0.1:1", *LIMITS, "--answers", "2"), 2, "an answer must be at least 4"),
        (("http://127.0.0.1:1", *LIMITS, "--prompts", "64,x"), 2, "invalid literal"),
        (("http://127.0.0.1:1", *LIMITS, "--prompts", "64,256"), 2, "this grid is too small"),
    ],
)
def test_what_cannot_be_measured_is_refused(tmp_path, words, code, told):
    found, _, said = do(tmp_path, "calibrate", *words)
    assert (found, told in said) == (code, True), said
    assert "Traceback" not in said


class Page(http.server.BaseHTTPRequestHandler):
    """A web server like any other."""

    def do_GET(self):
        body = b"<html>hello</html>"
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_a_server_that_is_no_vllm_is_said_to_be_none(tmp_path):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        code, _, said = do(tmp_path, "calibrate", f"http://127.0.0.1:{server.server_address[1]}", *LIMITS)
        server.shutdown()
    assert code == 2
    assert "is no vLLM: /version answered '<html>hello</html>'" in said


def test_another_model_is_refused_with_the_name_of_the_one_that_is_served(engine, tmp_path):
    code, _, said = do(tmp_path, "calibrate", engine, "--model", "gpt", *LIMITS)
    assert code == 2
    assert "does not serve the model 'gpt'" in said
    assert "it serves: chat" in said


def test_a_grid_that_the_model_cannot_hold_is_refused_before_anything_is_asked(engine, tmp_path):
    code, _, said = do(tmp_path, "calibrate", engine, *LIMITS, "--prompts", "64,256,4000")
    assert code == 2
    assert "are 4160 tokens, chat holds 4096" in said
    assert list(tmp_path.glob("*.ndjson")) == []


def test_the_engine_says_how_much_it_holds():
    line = 'vllm:cache_config_info{block_size="16",engine="0",num_gpu_blocks="2048"} 1.0\n'
    assert kv_cache_tokens(f"# TYPE\n{line}") == 32768
    assert kv_cache_tokens(line.replace("2048", "None")) is None
    assert kv_cache_tokens("") is None


def test_the_hardware_has_a_cpu_and_no_name(tmp_path):
    told = describe()
    assert told["cpus"] >= 1
    assert socket.gethostname() not in json.dumps(told)
    assert describe(tmp_path)["cpu"] == "unknown"


def test_gpus_are_what_their_own_tool_says(tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'Some GPU, 570.1, 143771 MiB'\n")
    tool.chmod(0o755)
    assert gpus(str(tool)) == ["Some GPU, 570.1, 143771 MiB"]
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert gpus(str(tool)) == gpus(None) == []


# What is measured, kept and fitted


@pytest.mark.slow
def test_a_simulator_with_known_numbers_gives_them_back(engine, tmp_path):
    code, out, said = do(tmp_path, "calibrate", engine, *LIMITS, *SMALL, "--check", "held-out", "--json")
    assert code == 0, said
    told = json.loads(out)
    found = told["coefficients"]
    # A step of one sequence, of eight, and a prompt of 768 tokens: what coefficients are for.
    assert found["c0"] + found["c_seq"] == pytest.approx(0.0085, rel=0.05)
    assert found["c0"] + 8 * found["c_seq"] == pytest.approx(0.012, rel=0.07)
    assert 768 * found["c_prefill"] + 768**2 / 2 * found["c_attention"] == pytest.approx(0.0768, rel=0.1)
    held = told["measured"]["check"]["held_out"]
    assert held["itl_p50"]["middle"] < 0.05
    assert held["ttft_p50"]["middle"] < 0.15
    assert json.loads((tmp_path / "measured.json").read_text())["measured"]["version"]
    # Every cell is known: a second time, nobody is asked.
    assert (
        "the engine is not asked"
        in do(tmp_path, "calibrate", "http://127.0.0.1:1", *LIMITS, *SMALL, "--check", "none")[2]
    )


@pytest.mark.slow
def test_an_engine_that_dies_half_way_leaves_its_cells_and_no_verdict(tmp_path):
    with serving(tmp_path) as (process, url):
        words = [sys.executable, "-m", "holdfast", "engine", "calibrate", url, *LIMITS, *SMALL, "--check", "none"]
        with subprocess.Popen(
            words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as running:
            file = tmp_path / "measured.cells.ndjson"
            until(lambda: file.exists() and len(file.read_text().splitlines()) > 2, 60)
            process.kill()
            _, said = running.communicate(timeout=120)
    assert running.returncode == 10, said
    assert "UNKNOWN: the engine answers no more" in said
    assert "to fit, measure" in said
    assert not (tmp_path / "measured.json").exists()
    _, kept = cells.read(tmp_path / "measured.cells.ndjson")
    assert [one for _, one in kept if one.usable]


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_measured_and_the_same_command_goes_on_there(engine, tmp_path):
    words = [sys.executable, "-m", "holdfast", "engine", "calibrate", engine, *LIMITS, *SMALL, "--check", "none"]
    file = tmp_path / "measured.cells.ndjson"
    with subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as running:
        until(lambda: file.exists() and len(file.read_text().splitlines()) > 2, 60)
        os.kill(running.pid, signal.SIGINT)
        assert running.wait(30) == 130
    kept = len(file.read_text().splitlines()) - 1
    with file.open("a") as torn:
        torn.write('{"cell": {"pro')
    code, _, said = do(tmp_path, "calibrate", engine, *LIMITS, *SMALL, "--check", "none")
    assert code == 0, said
    assert f"{kept} cells are in" in said
    assert len(cells.read(file)[1]) == 16


def test_cells_of_another_engine_are_not_mixed_in(tmp_path):
    file = tmp_path / "some.ndjson"
    cells.Record(path=file, about={"version": "1"}).open()
    with pytest.raises(Exception, match="has cells of something else: version '1', now '2'"):
        cells.Record(path=file, about={"version": "2"}).open()


@pytest.mark.parametrize(
    "text", ["", "{}\n", "[1]\n", '{"schema": "other"}\n', '{"schema": "holdfast/cells/v1"}\nx\nx\n']
)
def test_what_is_no_file_of_cells_is_refused(tmp_path, text):
    file = tmp_path / "some.ndjson"
    file.write_text(text)
    with pytest.raises(Exception, match=r"some\.ndjson"):
        cells.read(file)
