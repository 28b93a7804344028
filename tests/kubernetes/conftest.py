"""A tiny cluster, and a kubeconfig that names it."""

from __future__ import annotations

import pytest

from holdfast.chaos import ledger
from holdfast.chaos.strike import Striker
from holdfast.clock import SystemClock
from holdfast.platforms.kubernetes import KubernetesPlatform
from tiny_cluster import kubeconfig, three_engines

pytest.importorskip("chaosk8s", reason="chaostoolkit-kubernetes is not installed: pip install 'holdfast[kubernetes]'")


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    from kubernetes.config import kube_config

    made = three_engines()
    server = made.serve()
    path = tmp_path / "kubeconfig"
    path.write_text(kubeconfig(f"http://127.0.0.1:{server.server_port}"))
    monkeypatch.setenv("KUBECONFIG", str(path))
    monkeypatch.delenv("KUBERNETES_CONTEXT", raising=False)
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(path))  # read when it was imported
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def striker(cluster, state):
    """In the name of one run, in this process: nobody holds its lease, no reaper looks on."""
    driver = KubernetesPlatform.open(state)
    return Striker(driver=driver, ledger=ledger.of(driver, SystemClock()), clock=SystemClock(), run="a-run", seed=0)
