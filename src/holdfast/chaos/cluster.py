"""What chaostoolkit-kubernetes lacks: a drain that leaves no pod behind, and probes that can fail.

Each takes the client of the cluster that is meant as `api`, beside what a document gives.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from kubernetes.client import CoreV1Api, CustomObjectsApi, V1Eviction, V1ObjectMeta
from kubernetes.client.exceptions import ApiException

from holdfast.errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator

_POLL: Final = 0.5
_REFUSED, _ABSENT = 429, 404
_OVER: Final = frozenset({"Succeeded", "Failed"})
_MIRROR: Final = "kubernetes.io/config.mirror"


def drain_node(name: str, timeout: float = 60.0, *, api: Any) -> list[str]:
    """Cordon one node and evict its pods, those with an emptyDir and those that nobody owns among them.

    An eviction that a PodDisruptionBudget refuses is asked for again. Raises TargetError with who is left after
    `timeout` seconds.
    """
    v1, deadline = CoreV1Api(api), time.monotonic() + timeout
    v1.patch_node(name, {"spec": {"unschedulable": True}})
    evicted: dict[str, str] = {}
    while left := list(_leaving(v1, name)):
        if time.monotonic() >= deadline:
            raise TargetError(f"{len(left)} pods are still on {name}: {', '.join(one.metadata.name for one in left)}")
        for pod in left:
            if pod.metadata.deletion_timestamp is None and _evict(v1, pod):
                evicted[pod.metadata.uid] = pod.metadata.name
        time.sleep(_POLL)
    return sorted(evicted.values())


def pods_to_leave(name: str, *, api: Any) -> int:
    """How many pods a drain of that node would still have to see gone. Raises ApiException without such a node."""
    v1 = CoreV1Api(api)
    v1.read_node(name)
    return sum(1 for _ in _leaving(v1, name))


def schedulable(name: str, *, api: Any) -> bool:
    """Whether that node is ready and takes pods. Raises ApiException when there is no such node."""
    node = CoreV1Api(api).read_node(name)
    ready = {one.type: one.status for one in node.status.conditions or ()}.get("Ready")
    return ready == "True" and not node.spec.unschedulable


def exit_code(cmd: str | list[str], label_selector: str, ns: str, container_name: str, *, api: Any) -> int:
    """With what a command ends in the first ready pod of those: what a client there sees.

    Raises TargetError when no pod is ready: then nobody saw anything.
    """
    import shlex  # noqa: PLC0415 - for one line

    from kubernetes.stream import stream  # noqa: PLC0415 - websockets

    v1 = CoreV1Api(api)
    ready = [one for one in v1.list_namespaced_pod(ns, label_selector=label_selector).items if _ready(one)]
    if not ready:
        raise TargetError(f"no pod {label_selector} is ready in {ns}")
    words = shlex.split(cmd) if isinstance(cmd, str) else cmd
    told = stream(
        v1.connect_get_namespaced_pod_exec,
        ready[0].metadata.name,
        ns,
        container=container_name,
        command=words,
        stdout=True,
        stderr=True,
        _preload_content=False,
    )
    try:
        told.run_forever(timeout=_LONGEST)
        code = told.returncode
    finally:
        told.close()
    if code is None:
        raise TargetError(f"{words[0]} in {ready[0].metadata.name} had not ended after {_LONGEST:g} s")
    return int(code)


_LONGEST: Final = 20.0


def exists(group: str, version: str, plural: str, name: str, ns: str, *, api: Any) -> bool:
    """Whether there is such a custom object."""
    try:
        CustomObjectsApi(api).get_namespaced_custom_object(group, version, ns, plural, name)
    except ApiException as error:
        if error.status == _ABSENT:
            return False
        raise
    return True


def _leaving(v1: Any, node: str) -> Iterator[Any]:
    """Its pods but those of a DaemonSet, those of the kubelet itself, and those that have ended."""
    for pod in v1.list_pod_for_all_namespaces(field_selector=f"spec.nodeName={node}").items:
        owners = {one.kind for one in pod.metadata.owner_references or () if one.controller}
        mirror = _MIRROR in (pod.metadata.annotations or {})
        if not (mirror or "DaemonSet" in owners or pod.status.phase in _OVER):
            yield pod


def _evict(v1: Any, pod: Any) -> bool:
    """Whether it was taken; a budget may refuse for now."""
    where = {"name": pod.metadata.name, "namespace": pod.metadata.namespace}
    try:
        v1.create_namespaced_pod_eviction(**where, body=V1Eviction(metadata=V1ObjectMeta(**where)))
    except ApiException as error:
        if error.status in {_REFUSED, _ABSENT}:
            return False
        raise
    return True


def _ready(pod: Any) -> bool:
    return any(one.type == "Ready" and one.status == "True" for one in pod.status.conditions or ())
