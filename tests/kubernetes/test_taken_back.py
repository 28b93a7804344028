"""What was struck in a cluster is taken back: whatever else fails, whoever wrote last, whichever context is current."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

import pytest

from holdfast import project
from holdfast.chaos import reaper
from holdfast.chaos.kubernetes import acted, take_back
from holdfast.clock import SystemClock
from holdfast.errors import InfrastructureError, PlatformError
from holdfast.experiments import play, standing
from holdfast.platforms import kubernetes, pids
from holdfast.platforms.kubernetes import RECORD, KubernetesPlatform
from holdfast.run import Stop
from tiny_cluster import cordon, three_engines

ROOT = Path(__file__).parents[2]


def cordoned(cluster, node="node1"):
    return cluster.objects["nodes", "", node]["spec"].get("unschedulable", False)


@pytest.fixture
def ended(monkeypatch):
    """Standard input as a reaper finds it once its holder is gone."""
    reading, writing = os.pipe()
    os.close(writing)
    with os.fdopen(reading) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield pids.incarnation(os.getpid())


def test_a_server_that_fails_for_one_fault_keeps_no_other_from_being_taken_back(striker, cluster, state, monkeypatch):
    acted(striker, cordon("node1"))
    acted(striker, cordon("node2"))
    answer = cluster.answer

    def failing(method, path, body):
        return (500, {"kind": "Status"}) if "node2" in path else answer(method, path, body)

    monkeypatch.setattr(cluster, "answer", failing)
    with pytest.raises(InfrastructureError, match="500"):
        list(standing.undo(state, SystemClock()))
    assert (cordoned(cluster, "node1"), cordoned(cluster, "node2")) == (False, True)
    (left,) = striker.ledger.open_faults()
    assert left.name == "node2"


def test_a_fault_of_a_cluster_that_nobody_holds_says_who_is_to_take_it_back(striker, state):
    acted(striker, cordon())
    (found,) = standing.standing(state, SystemClock())
    assert str(found).endswith("nobody holds it: holdfast chaos undo")  # no reaper of the platform looks on for ever


def test_the_record_of_a_cluster_is_whole_at_every_moment(striker, state, monkeypatch):
    path = striker.driver.folder / RECORD
    before = path.stat().st_ino
    KubernetesPlatform.open(state)
    assert path.stat().st_ino != before  # a new file took its name: who had opened the old one reads all of that
    assert [one.name for one in path.parent.iterdir() if "draft" in one.name or RECORD in one.name] == [RECORD]


def test_a_reaper_does_not_take_a_record_it_cannot_read_for_a_cluster_that_is_gone(striker, ended, monkeypatch):
    acted(striker, cordon())
    monkeypatch.setattr(reaper, "_PATIENCE", 0.0)
    (striker.driver.folder / RECORD).write_text("")
    assert reaper.beside(reaper.Reaper(state=striker.driver.folder, run="a-run"), ended) == 1
    (striker.driver.folder / RECORD).unlink()
    assert reaper.beside(reaper.Reaper(state=striker.driver.folder, run="a-run"), ended) == 0


# Which cluster, when somebody changes the kubeconfig in the middle of a run.


@pytest.fixture
def elsewhere(cluster, tmp_path):
    """A second cluster, and how to make it the current one: kubectl config use-context other."""
    other = three_engines()
    server = other.serve()

    def use():
        path = tmp_path / "kubeconfig"
        found = json.loads(path.read_text())
        found["clusters"].append({"name": "o", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}})
        found["contexts"].append({"name": "other", "context": {"cluster": "o", "user": "me"}})
        path.write_text(json.dumps(found | {"current-context": "other"}))
        return other

    yield use
    server.shutdown()
    server.server_close()


def test_a_fault_is_taken_back_where_it_was_struck_though_another_context_is_current(striker, cluster, elsewhere):
    acted(striker, cordon())
    other = elsewhere()
    found = reaper.Reaper(state=striker.driver.folder, run="a-run")
    assert (found.reap(ended=True), cordoned(cluster), other.asked) == (0, False, [])


def test_a_rollback_that_is_told_the_folder_of_its_cluster_takes_back_there(striker, cluster, elsewhere):
    acted(striker, cordon())
    elsewhere()
    settings = {"holdfast_state": striker.driver.address, "holdfast_run": "a-run"}
    (told,) = take_back("chaosk8s.node.actions.cordon_node", configuration=settings)
    assert (told["step"], cordoned(cluster)) == ("gone", False)


def test_a_context_that_was_taken_out_of_the_kubeconfig_is_no_other_one(striker, cluster, tmp_path):
    acted(striker, cordon())
    path = tmp_path / "kubeconfig"
    path.write_text(path.read_text().replace("tiny", "renamed"))
    with pytest.raises(PlatformError, match="no client for context 'tiny'"):
        KubernetesPlatform.load(striker.driver.folder).fingerprint()


def test_an_experiment_tells_its_activities_the_folder_of_its_cluster(striker, state, tmp_path, monkeypatch):
    heard = {}

    def begun(document, configuration, let_go):
        heard.update(configuration)
        raise KeyboardInterrupt

    monkeypatch.setattr(play, "RunningExperiment", begun)
    (tmp_path / "chaos").mkdir()
    drain, _ = project.load_experiment("node-drain", ROOT)
    wanted = play.Wanted(experiment=drain, state=state, runs=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        play.play(wanted, clock=SystemClock(), stop=Stop(), heard=lambda _: None)
    assert heard["holdfast_state"] == striker.driver.address


def test_no_request_waits_for_ever_for_an_answer(striker, cluster, monkeypatch):
    monkeypatch.setattr(kubernetes, "LONGEST", 0.2)
    acted(striker, cordon())
    never, answer = threading.Event(), cluster.answer

    def silent(method, path, body):
        if "nodes" in path:
            never.wait(20)
        return answer(method, path, body)

    monkeypatch.setattr(cluster, "answer", silent)
    began = time.monotonic()
    with pytest.raises(InfrastructureError, match="imed out"):
        striker.undo(striker.ledger.open_faults()[0])
    never.set()
    assert time.monotonic() - began < 15
