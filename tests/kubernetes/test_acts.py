"""`act` calls the real functions of chaostoolkit-kubernetes over HTTP, and believes none of them without a sight."""

from __future__ import annotations

import json

import pytest

from holdfast.chaos import guard, ledger
from holdfast.chaos.kubernetes import FAULT, act, acted, aimed, look, take_back, taken_back
from holdfast.clock import SystemClock
from holdfast.errors import HoldfastError, PlatformError, TargetError
from holdfast.faults import find
from holdfast.model.hands import Cluster
from holdfast.platforms.kubernetes import KubernetesPlatform, clusters
from tiny_cluster import cordon, kubeconfig

POD = "chaosk8s.pod."
NODE = "chaosk8s.node.actions."
ENGINES = {"label_selector": "app=engine", "ns": "llm"}


def count(tolerance, within=0.2, **arguments):
    asked = {**ENGINES, **arguments}
    return {"probe": POD + "probes.count_pods", "arguments": asked, "tolerance": tolerance, "within": within}


def kill(**changed):
    words = {
        "action": POD + "actions.terminate_pods",
        "arguments": {**ENGINES, "qty": 1, **changed.pop("arguments", {})},
        "proof": count(2),
        "gone": count(3),
    }
    return {**words, **changed}


def steps(state):
    (folder,) = clusters(state)
    return [json.loads(line)["step"] for line in (folder / "faults.ndjson").read_text().splitlines()]


def test_a_node_is_cordoned_seen_so_and_taken_back(striker, cluster, state):
    (told,) = acted(striker, cordon())
    assert (told.name, told.step) == ("node1", "observed")
    assert told.unit == cluster.objects["nodes", "", "node1"]["metadata"]["uid"]
    assert cluster.objects["nodes", "", "node1"]["spec"]["unschedulable"] is True
    assert "unschedulable" not in cluster.objects["nodes", "", "node2"]["spec"]
    taken_back(striker, NODE + "cordon_node")
    assert cluster.objects["nodes", "", "node1"]["spec"]["unschedulable"] is False
    assert steps(state) == ["asked", "applied", "observed", "undone", "gone"]
    assert taken_back(striker, NODE + "cordon_node") == []


def test_what_says_200_and_does_nothing_is_unseen(striker, cluster, state):
    cluster.deaf = True
    (told,) = acted(striker, cordon())
    assert told.step == "unseen"


def test_a_pod_is_deleted_and_gone_when_its_successor_is_there(striker, cluster, state):
    acted(striker, kill())
    assert len(cluster.of("pods")) == 2
    with pytest.raises(HoldfastError, match="count_pods says 2"):
        taken_back(striker, POD + "actions.terminate_pods")
    assert steps(state)[-1] == "stuck"  # nobody made a new one
    cluster.pod("engine-4", app="engine")
    taken_back(striker, POD + "actions.terminate_pods")
    assert steps(state)[-1] == "gone"


REFUSALS = {
    "nothing that matches": (kill(arguments={"label_selector": "app=nobody"}), "1 pods are wanted, 0 match"),
    "fewer than are wanted": (kill(arguments={"qty": 4}), "4 pods are wanted, 3 match"),
    "a namespace without the label": (kill(arguments={"ns": "others"}), "others is not marked"),
    "two nodes for one": ({**cordon(), "arguments": {"label_selector": "pool=gpu"}}, "one node is wanted, 2 match"),
    "no such node": ({**cordon(), "arguments": {"name": "node9"}}, "one node is wanted, 0 match"),
    "a proof that holds already": (kill(proof=count(3), gone=count(3)), "its proof is so already before"),
    "a way back that is not so now": (kill(gone=count(5)), "its gone is not so before"),
    "1 for true": (kill(gone=count(True, label_selector="app=engine")), "its gone is not so before"),
    "a proof that raises": (
        kill(proof={**count(2), "probe": POD + "probes.count_min_pods", "arguments": {**ENGINES, "min": 1}}),
        "count_min_pods broke: TypeError",
    ),
    "a function that is not allowed": (kill(action="os.remove"), "os.remove is not one that may be called"),
}


def back_of(**arguments):
    words = cordon()
    words["back"]["arguments"] = arguments
    return words


SCALE = "chaosk8s.deployment.actions.scale_deployment"
ENGINE = {"name": "engine", "ns": "llm"}


def scale(back, **changed):
    arguments = {**ENGINE, "replicas": 0}
    return kill(action=SCALE, arguments=arguments, back={"action": SCALE, "arguments": back}, **changed)


def execute(back, **arguments):
    words = {"label_selector": "app=engine", "ns": "llm", "container_name": "main", "cmd": "true", **arguments}
    run = POD + "actions.exec_in_pods"
    return {**kill(), "action": run, "arguments": words, "back": {"action": run, "arguments": {**words, **back}}}


SLOW = {"group": "chaos-mesh.org", "version": "v1alpha1", "plural": "networkchaos", "ns": "llm"}


def slow(back):
    made = {"resource": {"kind": "NetworkChaos", "metadata": {"name": "slow"}, "spec": {"duration": "20s"}}}
    words = {"action": "chaosk8s.crd.actions.create_custom_object", "arguments": {**SLOW, **made}}
    undone = {"action": "chaosk8s.crd.actions.delete_custom_object", "arguments": {**SLOW, "name": back}}
    return {**kill(), **words, "back": undone}


REFUSALS |= {
    "to uncordon another node": (back_of(name="node2"), "name 'node2' would be taken back, and node1 is struck"),
    "to uncordon nodes by a label": (back_of(label_selector="pool=gpu"), "'pool=gpu' would be taken back"),
    "to uncordon another node than the one of a label": (
        {**back_of(name="node2"), "arguments": {"label_selector": "only=node1"}},
        "name 'node2' would be taken back, and node1 is struck",
    ),
    "to delete another object": (slow("slower"), "name 'slower' would be taken back, and slow is struck"),
    "to scale in another namespace": (scale({**ENGINE, "ns": "others", "replicas": 3}), "ns 'others' would be taken"),
    "to scale to what it was not": (
        scale({**ENGINE, "replicas": 3}),
        "has 5 replicas, and would be taken back to 3",
    ),
    "one pod of three to run a command in": (execute({}), "3 pods match, and what is done in one might"),
    "all pods to run it in, and one to take it back": (execute({"all": False}, all=True), "all False would be taken"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_it_refuses_before_anything_is_touched(striker, cluster, state, name):
    cluster.objects["nodes", "", "node1"]["metadata"]["labels"]["only"] = "node1"
    cluster.put("deployments", "engine", "llm", spec={"replicas": 5, "selector": {}, "template": {}})
    words, why = REFUSALS[name]
    with pytest.raises(HoldfastError, match=why):
        acted(striker, words)
    assert cluster.asked == []
    assert steps(state) == ["refused"]


def test_what_is_scaled_back_to_what_it_was_is_not_refused(striker, cluster):
    cluster.put("deployments", "engine", "llm", spec={"replicas": 5, "selector": {}, "template": {}})
    assert aimed(striker.driver, scale({**ENGINE, "replicas": 5})).name == "engine"


def test_a_fault_is_waited_for_as_long_as_its_gone_says(striker, cluster, state, monkeypatch):
    words = cordon()
    words["gone"]["within"] = 0.3
    (entry,) = acted(striker, words)
    monkeypatch.setattr(cluster, "deaf", True)
    with pytest.raises(HoldfastError, match=r"not seen gone within 0\.3 s"):
        striker.restore(entry)  # as the sweep, the undo by hand and the reaper do
    assert find(FAULT).patience({"gone": {}}) == 120.0


def test_a_policy_that_is_there_already_is_not_taken_for_ours(striker, cluster):
    name = "chaostoolkit-deny-all-ingress"
    cluster.put("networkpolicies", name, "llm", spec={})
    policy = "chaosk8s.networking.actions."
    words = {"arguments": {"label_selectors": {"app": "engine"}, "ns": "llm"}}
    back = {"action": policy + "remove_deny_all_ingress", "arguments": {"ns": "llm"}}
    with pytest.raises(TargetError, match="there is one named chaostoolkit-deny-all-ingress already"):
        acted(striker, kill(action=policy + "deny_all_ingress", back=back, **words))
    assert ("networkpolicies", "llm", name) in cluster.objects


def test_a_409_that_is_returned_as_an_answer_is_no_success(striker, cluster, state):
    hand = KubernetesPlatform.open(state).hand(Cluster)
    body = {"apiVersion": "chaos-mesh.org/v1alpha1", "kind": "NetworkChaos", "metadata": {"name": "slow"}}
    words = {"group": "chaos-mesh.org", "version": "v1alpha1", "plural": "networkchaos", "ns": "llm", "resource": body}
    hand.call("chaosk8s.crd.actions.create_custom_object", words)
    with pytest.raises(TargetError, match="slow already exists"):
        hand.call("chaosk8s.crd.actions.create_custom_object", words)


def test_taking_back_what_is_not_there_any_more_is_done(striker, cluster, state):
    hand = KubernetesPlatform.open(state).hand(Cluster)
    assert hand.call("chaosk8s.networking.actions.remove_deny_all_ingress", {"ns": "llm"}) is None


def test_a_drain_takes_pods_with_local_storage_and_leaves_those_of_a_daemonset(striker, cluster, state):
    cluster.objects["pods", "llm", "engine-1"]["spec"]["volumes"] = [{"name": "shm", "emptyDir": {}}]
    agent = cluster.pod("agent", app="agent")
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "agent", "uid": "1", "controller": True}
    agent["metadata"]["ownerReferences"] = [owner]
    (told,) = acted(striker, {**cordon(), "action": "holdfast.chaos.cluster.drain_node"})
    assert told.step == "observed"
    assert [one["metadata"]["name"] for one in cluster.of("pods")] == ["agent"]


def test_what_documents_call_holds_a_lease_and_has_a_reaper(cluster, state):
    settings = {"holdfast_state": str(state), "holdfast_run": "guarded"}
    (told,) = act(**cordon(), configuration=settings)
    (folder,) = clusters(state)
    driver = KubernetesPlatform.load(folder)
    book = ledger.of(driver, SystemClock())
    assert (told["step"], book.leases.valid("guarded")) == ("observed", True)
    guard.watch_of(driver, book, "guarded").end()  # as if the run had ended without its rollbacks
    assert cluster.objects["nodes", "", "node1"]["spec"]["unschedulable"] is False
    assert steps(state)[-3:] == ["lapsed", "undone", "gone"]
    assert take_back(NODE + "cordon_node", configuration=settings) == []


def test_a_probe_is_asked_for_a_steady_state(cluster, state):
    settings = {"holdfast_state": str(state)}
    assert look(POD + "probes.count_pods", ENGINES, configuration=settings) == 3
    with pytest.raises(TargetError, match="may be asked"):
        look(POD + "probes.pod_is_not_available", {"name": "x"}, configuration=settings)


# Which cluster, and how it is reached.


def test_certificates_must_be_verified(cluster, state, monkeypatch, tmp_path):
    path = tmp_path / "kubeconfig"
    path.write_text(kubeconfig("https://127.0.0.1:1", insecure=True))
    with pytest.raises(PlatformError, match="would not be verified"):
        KubernetesPlatform.open(state)
    path.write_text(kubeconfig("http://10.0.0.1:80"))
    with pytest.raises(PlatformError, match="is not encrypted"):
        KubernetesPlatform.open(state)


def test_without_a_kubeconfig_nothing_is_asked_of_localhost(cluster, state, tmp_path):
    (tmp_path / "kubeconfig").unlink()
    with pytest.raises(PlatformError, match="there is no kubeconfig"):
        KubernetesPlatform.open(state)


def test_faults_of_one_cluster_are_not_taken_back_on_another(cluster, state):
    driver = KubernetesPlatform.open(state)
    cluster.put("namespaces", "kube-system")  # with another uid: the context leads elsewhere now
    with pytest.raises(PlatformError, match="is another cluster"):
        KubernetesPlatform.load(driver.folder).hand(Cluster).call(NODE + "uncordon_node", {"name": "node1"})
