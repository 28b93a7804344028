"""How the services start and refuse to: help with an example, one clear line, the right exit status."""

import argparse
import json
import socket
import subprocess
import sys

import pytest

from refplatform import process

MODULES = ["refplatform.engine", "refplatform.gateway", "refplatform.documents", "refplatform.receiver"]


def run(module, *args):
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, args)], capture_output=True, text=True, timeout=30, check=False
    )


@pytest.fixture
def options(tmp_path):
    """Valid options of each service but for the port; files that exist."""
    keys, calibration = tmp_path / "keys.json", tmp_path / "calibration.json"
    keys.write_text('{"sk": "acme"}')
    calibration.write_text(
        '{"name": "t", "max_num_seqs": 1, "max_num_batched_tokens": 2, "max_num_queued_reqs": 0, "max_model_len": 2,'
        ' "kv_cache_tokens": 2, "c0": 1, "c_prefill": 0, "c_seq": 0, "c_kv": 0}'
    )
    gateway = ["--admin-port", 0, "--engines", "http://127.0.0.1:1", "--keys", keys, "--redis", "redis://127.0.0.1:1"]
    return {
        "refplatform.engine": ["--model", "m", "--calibration", calibration],
        "refplatform.gateway": gateway,
        "refplatform.documents": [
            *("--gateway", "http://127.0.0.1:1", "--keys", keys),
            "--data",
            tmp_path,
            "--model",
            "m",
        ],
        "refplatform.receiver": ["--out", tmp_path / "alerts.ndjson"],
    }


@pytest.mark.parametrize("module", MODULES)
def test_help_ends_with_an_example_that_runs_this_module(module):
    done = run(module, "--help")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].strip().startswith(f"python -m {module} --port")


@pytest.mark.parametrize("module", MODULES)
def test_a_taken_port_is_one_line_and_exit_75(module, options):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run(module, "--port", taken.getsockname()[1], *options[module])
    assert done.returncode == 75
    assert "cannot listen on 127.0.0.1" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "change",
    [["--time-scale", "0"], ["--lora-modules", "m=/x"], ["--max-num-seqs", "-1"]],
    ids=lambda change: change[0],
)
def test_options_that_no_engine_could_keep_are_one_line_each_and_exit_2(change, options):
    done = run("refplatform.engine", "--port", 0, *options["refplatform.engine"], *change)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert change[0].strip("-").replace("-", "_") in done.stderr.replace("-", "_")


@pytest.mark.parametrize(
    ("read", "right", "wrong"),
    [
        (process.seconds, ["0", "1.5", "1e3"], ["-1", "nan", "inf", "x", ""]),
        (process.factor, ["0.1", "20"], ["0", "-1", "nan", "inf", ""]),
        (process.share, ["0.01", "1"], ["0", "1.1", "nan"]),
        (process.count, ["1", "20"], ["0", "-1", "1.5", ""]),
        (process.name, ["chat"], ["", " "]),
    ],
)
def test_numbers_and_names_of_options_are_what_they_must_be(read, right, wrong):
    for text in right:
        assert str(read(text)).rstrip("0.") == text.replace("1e3", "1000").rstrip("0.")
    for text in wrong:
        with pytest.raises(argparse.ArgumentTypeError, match="expected"):
            read(text)


@pytest.mark.slow
def test_streams_that_are_cut_off_at_the_end_of_the_drain_leave_one_line_and_no_tracebacks(tmp_path, options, web):
    numbers = json.loads(options["refplatform.engine"][-1].read_text())
    numbers |= {"max_num_batched_tokens": 64, "max_model_len": 4096, "kv_cache_tokens": 8192, "c0": 0.02}
    calibration, port = tmp_path / "long.json", web.port()
    calibration.write_text(json.dumps(numbers | {"max_num_queued_reqs": None}))
    words = ["refplatform.engine", "--port", str(port), "--model", "chat", "--calibration", str(calibration)]
    engine = subprocess.Popen([sys.executable, "-m", *words], stderr=subprocess.PIPE, text=True)
    url = f"http://127.0.0.1:{port}"
    web.eventually(lambda: listens(port), within=20)
    stream = web.open(url, path=web.path, body=web.chat(3000)).until(b"data: ")
    engine.terminate()
    _, said = engine.communicate(timeout=20)
    stream.drop()
    assert engine.returncode == 0
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1


def listens(port):
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize(
    ("module", "change"),
    [
        ("refplatform.engine", ["--calibration", "/nonexistent.json"]),
        ("refplatform.gateway", ["--keys", "/nonexistent.json"]),
        ("refplatform.gateway", ["--engines", "localhost:1"]),
        ("refplatform.documents", ["--keys", "/nonexistent.json"]),
        ("refplatform.documents", ["--gateway", "localhost:1"]),
        ("refplatform.documents", ["--data", "/nonexistent"]),
        ("refplatform.documents", ["--deadline", "-1"]),
        ("refplatform.receiver", ["--out", "/nonexistent/alerts.ndjson"]),
    ],
)
def test_a_file_or_address_that_cannot_be_used_is_named_with_exit_2(module, change, options):
    done = run(module, "--port", 0, *options[module], *change)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert change[0].strip("-") in done.stderr or change[1] in done.stderr
