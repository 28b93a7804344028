"""Which functions for Kubernetes a document may call, at what each is aimed and what takes it back; why not the others.

Read in chaostoolkit-kubernetes 0.39.0 and tried against kubernetes 37.0.2. Whoever allows another one adds its row, and
an aim that says by uid what it would hit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Aim = Literal["pods", "node", "deployment", "statefulset", "policy", "new-object", "new-deployment"]

_K: Final = "chaosk8s."
_OURS: Final = "holdfast.chaos.cluster."


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One that may be called. `back` is the function that undoes it; empty where controllers do so by themselves."""

    aim: Aim
    back: str = ""
    needs: tuple[str, ...] = ()
    """Arguments without which it hits everything, or nothing; of alternatives "a|b", exactly one."""


ACTIONS: Final = {
    _K + "pod.actions.terminate_pods": Action(aim="pods", needs=("label_selector|name_pattern", "ns")),
    _K + "pod.actions.exec_in_pods": Action(
        aim="pods",
        back=_K + "pod.actions.exec_in_pods",
        needs=("label_selector|name_pattern", "ns", "container_name", "cmd"),
    ),
    _K + "node.actions.cordon_node": Action(
        aim="node", back=_K + "node.actions.uncordon_node", needs=("name|label_selector",)
    ),
    _OURS + "drain_node": Action(aim="node", back=_K + "node.actions.uncordon_node", needs=("name",)),
    _K + "deployment.actions.scale_deployment": Action(
        aim="deployment", back=_K + "deployment.actions.scale_deployment", needs=("name", "ns", "replicas")
    ),
    _K + "deployment.actions.rollout_deployment": Action(aim="deployment", needs=("name", "ns")),
    _K + "deployment.actions.create_deployment": Action(
        aim="new-deployment", back=_K + "deployment.actions.delete_deployment", needs=("spec_path", "ns")
    ),
    _K + "statefulset.actions.scale_statefulset": Action(
        aim="statefulset", back=_K + "statefulset.actions.scale_statefulset", needs=("name", "ns", "replicas")
    ),
    _K + "networking.actions.deny_all_ingress": Action(
        aim="policy", back=_K + "networking.actions.remove_deny_all_ingress", needs=("label_selectors", "ns")
    ),
    _K + "networking.actions.deny_all_egress": Action(
        aim="policy", back=_K + "networking.actions.remove_deny_all_egress", needs=("label_selectors", "ns")
    ),
    _K + "crd.actions.create_custom_object": Action(
        aim="new-object",
        back=_K + "crd.actions.delete_custom_object",
        needs=("group", "version", "plural", "ns", "resource"),
    ),
}

BACKS: Final = {
    _K + "pod.actions.exec_in_pods": ("label_selector|name_pattern", "ns", "container_name", "cmd"),
    _K + "node.actions.uncordon_node": ("name|label_selector",),
    _K + "deployment.actions.scale_deployment": ("name", "ns", "replicas"),
    _K + "deployment.actions.delete_deployment": ("name", "ns"),
    _K + "statefulset.actions.scale_statefulset": ("name", "ns", "replicas"),
    _K + "networking.actions.remove_deny_all_ingress": ("ns",),
    _K + "networking.actions.remove_deny_all_egress": ("ns",),
    _K + "crd.actions.delete_custom_object": ("group", "version", "plural", "name", "ns"),
}
"""What takes something back -> the arguments without which it takes back more than that."""

PROBES: Final = {
    _K + "pod.probes.pods_in_phase": ("label_selector", "ns"),
    _K + "pod.probes.pods_not_in_phase": ("label_selector", "ns"),
    _K + "pod.probes.pods_in_conditions": ("label_selector", "ns", "conditions"),
    _K + "pod.probes.count_pods": ("label_selector", "ns"),
    _K + "pod.probes.count_min_pods": ("label_selector", "ns"),
    _K + "deployment.probes.deployment_available_and_healthy": ("name", "ns"),
    _K + "deployment.probes.deployment_fully_available": ("name", "ns"),
    _K + "deployment.probes.deployment_not_fully_available": ("name", "ns"),
    _K + "statefulset.probes.statefulset_fully_available": ("name", "ns"),
    _K + "statefulset.probes.statefulset_not_fully_available": ("name", "ns"),
    _K + "service.probes.service_is_initialized": ("name", "ns"),
    _OURS + "schedulable": ("name",),
    _OURS + "pods_to_leave": ("name",),
    _OURS + "exit_code": ("cmd", "label_selector", "ns", "container_name"),
    _OURS + "exists": ("group", "version", "plural", "name", "ns"),
}
"""Probes that can fail -> what each must be given."""

_APPLY = "it fails on every client from 29 to 37", "crd.actions.create_custom_object"
_REPLACE = "it fails on every client from 29 to 37: no resourceVersion is sent", "crd.actions.create_custom_object"
_PATCH = "it sends a mapping as a strategic merge, which custom objects do not take", "crd.actions.create_custom_object"
_MESH = (
    "it sets no duration: its fault never expires when the run is killed",
    "crd.actions.create_custom_object, with a spec.duration",
)
_OLD = "it is deprecated", "the function that its warning names"
_EMPTY = "it is true when nothing matches, and so proves nothing"
_FOREVER = "nothing brings the same one back", ""

REFUSED: Final = {
    _K + "crd.actions.apply_from_json": _APPLY,
    _K + "crd.actions.apply_from_yaml": _APPLY,
    _K + "crd.actions.replace_custom_object": _REPLACE,
    _K + "crd.actions.replace_cluster_custom_object": _REPLACE,
    _K + "crd.actions.patch_custom_object": _PATCH,
    _K + "crd.actions.patch_cluster_custom_object": _PATCH,
    _K + "node.actions.drain_nodes": (
        "it leaves pods with an emptyDir where they are and reports success, and breaks on pods that nobody owns",
        _OURS + "drain_node",
    ),
    _K + "node.actions.delete_nodes": (
        "it deletes without draining, then raises AttributeError; without a selector it takes any node",
        _OURS + "drain_node",
    ),
    _K + "pod.actions.delete_pods": ("without a selector it deletes any pod", _K + "pod.actions.terminate_pods"),
    _K + "deployment.actions.delete_deployment": (
        "as an action it leaves nothing to bring back, and without a name it deletes all",
        _K + "deployment.actions.scale_deployment with replicas: 0",
    ),
    _K + "statefulset.actions.remove_statefulset": _FOREVER,
    _K + "daemonset.actions.delete_daemon_set": _FOREVER,
    _K + "replicaset.actions.delete_replica_set": ("without a name it deletes all", "pod.actions.terminate_pods"),
    _K + "namespace.actions.delete_namespace": _FOREVER,
    _K + "secret.actions.delete_secret": _FOREVER,
    _K + "service.actions.delete_service": _FOREVER,
    _K + "networking.actions.create_network_policy": (
        "which pods it hits cannot be told from here",
        _K + "networking.actions.deny_all_ingress",
    ),
    _K + "deployment.probes.deployment_partially_available": (
        "it raises TypeError when no replica is available",
        _K + "deployment.probes.deployment_available_and_healthy",
    ),
    _K + "daemonset.probes.daemon_set_partially_available": (
        "it raises TypeError when no pod is available",
        _K + "pod.probes.count_pods",
    ),
    _K + "pod.probes.pod_is_not_available": (_EMPTY, _K + "pod.probes.count_pods"),
    _K + "pod.probes.should_be_found_in_logs": ("it needs the answer of another probe", _OURS + "exit_code"),
    _K + "pod.probes.all_pods_healthy": (_EMPTY, _K + "pod.probes.pods_in_phase"),
    _K + "node.probes.all_nodes_must_be_ready_to_schedule": (
        f"{_EMPTY}; a cordoned node is ready to it",
        _OURS + "schedulable",
    ),
    _K + "node.probes.verify_nodes_condition": (_EMPTY, _OURS + "schedulable"),
    _K + "node.probes.nodes_must_be_healthy": (_EMPTY, _OURS + "schedulable"),
    **{
        f"{_K}chaosmesh.network.actions.{name}": _MESH
        for name in (
            "add_latency",
            "set_loss",
            "duplicate_packets",
            "reorder_packets",
            "corrupt_packets",
            "set_bandwidth",
        )
    },
    **dict.fromkeys(
        (f"{_K}chaosmesh.stress.actions.{name}" for name in ("stress_cpu", "stress_memory")),
        ("one that is there already is taken for a new one", "crd.actions.create_custom_object"),
    ),
    **{
        f"{_K}actions.{name}": _OLD
        for name in ("start_microservice", "kill_microservice", "scale_microservice", "remove_service_endpoint")
    },
    **{
        f"{_K}probes.{name}": _OLD
        for name in (
            "all_microservices_healthy",
            "microservice_available_and_healthy",
            "microservice_is_not_available",
            "service_endpoint_is_initialized",
            "deployment_is_not_fully_available",
            "deployment_is_fully_available",
        )
    },
}
"""Known to be broken or dangerous -> (why, what to use instead)."""


def lacking(needs: tuple[str, ...], given: object) -> tuple[str, ...]:
    """Which of the needed arguments are absent or empty."""
    found = given if isinstance(given, dict) else {}
    return tuple(need for need in needs if sum(_said(found.get(one)) for one in need.split("|")) != 1)


_CHOICES: Final = ("label_selector", "name_pattern")
_PLACES: Final = ("name", "ns", "group", "version", "plural", "container_name")


def elsewhere(struck: Mapping[str, Any], back: Mapping[str, Any]) -> tuple[str, ...]:
    """Which arguments make a way back take back something else than what is struck."""
    named = _names(struck)
    choices = (name for name in _CHOICES if name in back and back[name] != struck.get(name))
    places = (name for name in _PLACES if name in back and name in named and back[name] != named[name])
    # Of several pods it would take whichever comes first: only "all" hits the same ones twice.
    every = ("all",) if "cmd" in back and bool(back.get("all")) != bool(struck.get("all")) else ()
    return (*choices, *places, *every)


def _names(struck: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where it strikes; an object that it makes is named in its own text."""
    resource = struck.get("resource")
    inside = resource.get("metadata") if isinstance(resource, dict) else None
    return {**struck, "name": inside.get("name")} if isinstance(inside, dict) else struck


def _said(value: object) -> bool:
    return value is not None and value not in ("", [], {})
