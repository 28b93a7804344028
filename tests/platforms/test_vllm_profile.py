"""The profile with real engines, without one: how the command is found, and what it is told."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from holdfast import app
from holdfast.errors import ExitCode, UsageError
from holdfast.platforms import layout, lifecycle, preparing
from holdfast.platforms.preparing import Wanted

HOME = Path(__file__).parents[2] / "platform" / "local"
OTHERS = {"redis-server": "7.0", "prometheus": "2.50", "prometheus-alertmanager": "0.26"}


def program(file: Path, says: str, first: str = "#!/bin/sh") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{first}\necho {says}\n")
    file.chmod(0o755)
    return file


def vllm(folder: Path, version: str = "0.33.0") -> Path:
    """A console script, on a Python that says its version."""
    return program(folder / "vllm", "", f"#!{program(folder / 'python3', version)}")


@pytest.fixture
def prepare(tmp_path):
    """`prepare(programs, **options)`: what `up --profile vllm` decides where the other tools are."""
    for name, version in OTHERS.items():
        program(tmp_path / "bin" / name, version)

    def made(programs: dict[str, str], **options: str):
        return preparing.prepare(
            Wanted(profile="vllm", home=HOME, options=options, ports={}, rules={}, programs=programs),
            layout.layout(tmp_path / "state"),
            python="python3",
            path=str(tmp_path / "bin"),
            cache=tmp_path / "cache",
            random=Random(1),
            ephemeral=32_768,
        )

    return made


def engines(prepared) -> list:
    return [one for one in prepared.processes if one.role == "engine"]


def test_each_engine_is_told_its_port_and_a_folder_of_its_own_in_vllms_words(prepare, tmp_path):
    script = vllm(tmp_path / "named")
    first, second = engines(prepare({"vllm": str(script)}, arguments="--quantization fp8"))
    assert first.command[: first.command.index("--")] == (
        *("python3", "-m", "refplatform.vllm", "--program", str(script), "--weights", "tiny"),
        *("--folder", str(tmp_path / "state/data/engine-1/tiny"), "--nice", "10", "--arguments=--quantization fp8"),
    )
    words = first.command[first.command.index("--") + 1 :]
    assert words[: words.index("--port") + 2] == (
        *("--served-model-name", "tiny", "--host", "127.0.0.1", "--port", str(first.port)),
    )
    assert first.port != second.port
    assert dict(first.environment)["VLLM_CPU_KVCACHE_SPACE"] == "1"
    assert first.version == "0.33.0"


def test_the_option_is_stronger_than_what_the_project_or_the_environment_names(prepare, tmp_path):
    named, chosen = vllm(tmp_path / "named"), vllm(tmp_path / "chosen", "0.32.0")
    assert {one.version for one in engines(prepare({"vllm": str(named)}, vllm=str(chosen)))} == {"0.32.0"}


def test_without_a_vllm_its_user_is_told_where_to_name_it_and_nothing_starts(tmp_path):
    with pytest.raises(UsageError, match=r"missing: vllm ≥ 0\.30") as caught:
        lifecycle.up(tmp_path / "state", profile="vllm", home=HOME, environ={"PATH": "", "HOME": str(tmp_path)})
    assert caught.value.exit_code == ExitCode.USAGE
    assert "--set vllm=PATH" in caught.value.hint
    assert not (tmp_path / "state" / "platform.json").exists()


def test_a_path_in_the_projects_file_counts_from_the_project(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.holdfast]\nvllm = "env/bin/vllm"\n')
    assert app.programs(tmp_path, {}) == {"vllm": str(tmp_path / "env/bin/vllm")}
    assert app.programs(tmp_path, {"HOLDFAST_VLLM": "/mine"}) == {"vllm": "/mine"}
    assert app.programs(None, {}) == {}


def test_it_is_given_more_time_than_the_simulated_engines(prepare, tmp_path):
    assert prepare({"vllm": str(vllm(tmp_path / "named"))}).wait == 180
