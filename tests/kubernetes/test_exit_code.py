"""A command in a pod: what it ended with is told, and its connection is closed however it ended."""

from __future__ import annotations

import pytest

from holdfast.chaos.cluster import exit_code
from holdfast.errors import TargetError
from holdfast.platforms.kubernetes import KubernetesPlatform
from kubernetes import stream


class Connection:
    """What the client gives for an exec; `returncode` is None while the command has not ended."""

    def __init__(self, returncode):
        self.returncode, self.closed = returncode, 0

    def run_forever(self, timeout):
        assert timeout > 0
        if isinstance(self.returncode, OSError):
            raise self.returncode

    def close(self):
        self.closed += 1


@pytest.mark.parametrize(("code", "raised"), [(3, None), (None, TargetError), (OSError("cut"), OSError)])
def test_its_connection_is_closed(cluster, state, monkeypatch, code, raised):
    for pod in cluster.of("pods"):
        pod["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    told = Connection(code)
    monkeypatch.setattr(stream, "stream", lambda *_, **__: told)
    asked = {"cmd": "true", "label_selector": "app=engine", "ns": "llm", "container_name": "main"}
    api = KubernetesPlatform.open(state).api
    if raised:
        with pytest.raises(raised):
            exit_code(**asked, api=api)
    else:
        assert exit_code(**asked, api=api) == code
    assert told.closed == 1
