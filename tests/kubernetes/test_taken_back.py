"""What was struck in a cluster is taken back: whatever else fails, whoever wrote last, whichever context is current."""

from __future__ import annotations

import os
import sys

import pytest

from holdfast.chaos import reaper
from holdfast.chaos.kubernetes import acted
from holdfast.clock import SystemClock
from holdfast.errors import InfrastructureError
from holdfast.experiments import standing
from holdfast.platforms import pids
from holdfast.platforms.kubernetes import RECORD, KubernetesPlatform
from tiny_cluster import cordon


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
