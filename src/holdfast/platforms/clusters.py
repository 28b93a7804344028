"""What functions for Kubernetes would hit, by uid; and how they are called, so that doing nothing is no success."""

from __future__ import annotations

import inspect
import json
import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml
from chaoslib.exceptions import ActivityFailed
from kubernetes.client import AppsV1Api, CoreV1Api, CustomObjectsApi, NetworkingV1Api
from kubernetes.client.exceptions import ApiException

from holdfast.errors import HoldfastError, InfrastructureError, TargetError
from holdfast.model.hands import MARK
from holdfast.model.platform import Identity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from holdfast.platforms.kubernetes import KubernetesPlatform

_ABSENT: Final = 404


class Functions:
    """Implements `hands.Cluster`."""

    def __init__(self, platform: KubernetesPlatform) -> None:
        self._platform = platform

    def target(self, aim: str, function: str, arguments: Mapping[str, Any]) -> Identity:
        """Looked up now; a namespace or a node says by its label that it may be touched."""
        api = self._platform.api
        try:
            if aim == "node":
                return _node(CoreV1Api(api), arguments)
            _may(CoreV1Api(api).read_namespace(arguments["ns"]))
            found = _AIMS[aim](api, function, arguments)
        except HoldfastError:
            raise
        except Exception as error:
            raise _told(function, error) from error
        return Identity(name=_words(found, arguments), role=aim, unit=f"{arguments['ns']}/{'+'.join(found.values())}")

    def replicas(self, aim: str, arguments: Mapping[str, Any]) -> int | None:
        """What its controller is to have now."""
        apps = AppsV1Api(self._platform.api)
        read = apps.read_namespaced_deployment if aim == "deployment" else apps.read_namespaced_stateful_set
        try:
            replicas: int | None = read(arguments["name"], arguments["ns"]).spec.replicas
        except Exception as error:
            raise _told(aim, error) from error
        return replicas

    def call(self, function: str, arguments: Mapping[str, Any]) -> Any:
        """A failure that it tells is a TargetError; what says nothing of the cluster is an InfrastructureError."""
        found, api = _found(function), self._platform.api
        # Ours take the client; the others make one of their own, from these.
        ours = "api" in inspect.signature(found).parameters
        try:
            answer = found(**arguments, **({"api": api} if ours else {"secrets": self._platform.secrets}))
        except Exception as error:
            if _absent(function, error):
                return None
            raise _told(function, error) from error
        return _believed(function, answer)


def _words(found: Mapping[str, str], given: Mapping[str, Any]) -> str:
    """Which of those that match it takes is the function's choice."""
    some = "" if given.get("all") or len(found) == 1 or "label_selectors" in given else f"{given.get('qty', 1)} of "
    return some + ", ".join(found)


def _found(function: str) -> Callable[..., Any]:
    module, _, name = function.rpartition(".")
    try:
        found: Callable[..., Any] = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise TargetError(f"there is no function {function}: {error}") from error
    return found


def _absent(function: str, error: Exception) -> bool:
    """Whether something was to be taken back that is not there any more."""
    cause = error.__context__ if isinstance(error, ActivityFailed) else error
    back = function.rpartition(".")[2].startswith(("remove_", "delete_"))
    return back and isinstance(cause, ApiException) and cause.status == _ABSENT


def _told(function: str, error: Exception) -> HoldfastError:
    name = function.rpartition(".")[2]
    if isinstance(error, ActivityFailed):
        return TargetError(f"{name}: {error}")
    if isinstance(error, ApiException):
        return InfrastructureError(f"{name}: {error.status} {error.reason}{_message(error)}")
    return InfrastructureError(f"{name} broke: {type(error).__name__}: {' '.join(str(error).split())}"[:300])


def _message(error: ApiException) -> str:
    try:
        return ": " + str(json.loads(error.body)["message"])
    except (ValueError, TypeError, KeyError):
        return ""


def _believed(function: str, answer: Any) -> Any:
    """What it answered. Raises TargetError for an answer that says that nothing was done."""
    name = function.rpartition(".")[2]
    if name in {"terminate_pods", "exec_in_pods", "cordon_node", "uncordon_node"} and not answer:
        raise TargetError(f"{name} hit nothing")
    if name == "exec_in_pods" and (bad := [one for one in answer if str(one["exit_code"]) != "0"]):
        raise TargetError(f"{bad[0]['pod_name']}: exit code {bad[0]['exit_code']}: {bad[0]['stderr'] or ''}")
    if isinstance(answer, dict) and answer.get("kind") == "Status" and answer.get("status") == "Failure":
        raise TargetError(f"{name}: {answer.get('message')}")
    return answer


def _may(found: Any) -> None:
    label, _, value = MARK.partition("=")
    if (found.metadata.labels or {}).get(label) != value:
        what = f"{found.metadata.name} is not marked as one that faults may touch"
        kind = "node" if hasattr(found.spec, "unschedulable") else "namespace"
        raise TargetError(what, hint=f"kubectl label {kind} {found.metadata.name} {MARK}")


def _node(v1: Any, given: Mapping[str, Any]) -> Identity:
    named = {"field_selector": f"metadata.name={given['name']}"} if given.get("name") else {}
    chosen = {"label_selector": given["label_selector"]} if given.get("label_selector") else {}
    found = v1.list_node(**named, **chosen).items
    if len(found) != 1:
        raise TargetError(f"one node is wanted, {len(found)} match", hint="name: NODE")
    _may(found[0])
    return Identity(name=found[0].metadata.name, role="node", unit=found[0].metadata.uid)


def _pods(api: Any, function: str, given: Mapping[str, Any]) -> dict[str, str]:
    chosen = {"label_selector": given["label_selector"]} if given.get("label_selector") else {}
    listed = CoreV1Api(api).list_namespaced_pod(given["ns"], **chosen).items
    pattern = re.compile(given.get("name_pattern") or "")
    found = {one.metadata.name: one.metadata.uid for one in listed if pattern.search(one.metadata.name)}
    wanted = 1 if given.get("all") or given.get("mode") == "percentage" else given.get("qty", 1)
    if not 1 <= wanted <= len(found):
        raise TargetError(f"{wanted} pods are wanted, {len(found)} match")
    if function.endswith(".exec_in_pods") and len(found) > 1 and not given.get("all"):
        what = f"{len(found)} pods match, and what is done in one might be taken back in another"
        raise TargetError(what, hint="all: true, there and in back; or a selector that one pod matches")
    return found


def _deployment(api: Any, _: str, given: Mapping[str, Any]) -> dict[str, str]:
    found = AppsV1Api(api).read_namespaced_deployment(given["name"], given["ns"])
    return {found.metadata.name: found.metadata.uid}


def _statefulset(api: Any, _: str, given: Mapping[str, Any]) -> dict[str, str]:
    found = AppsV1Api(api).read_namespaced_stateful_set(given["name"], given["ns"])
    return {found.metadata.name: found.metadata.uid}


def _policy(api: Any, function: str, given: Mapping[str, Any]) -> dict[str, str]:
    # The function gives its policy this name, whatever it is told.
    name = "chaostoolkit-" + function.rpartition(".")[2].replace("_", "-")
    _must_be_new(name, lambda: NetworkingV1Api(api).read_namespaced_network_policy(name, given["ns"]))
    labels = ",".join(f"{key}={value}" for key, value in given["label_selectors"].items())
    return _pods(api, function, {"ns": given["ns"], "label_selector": labels})


def _new_object(api: Any, _: str, given: Mapping[str, Any]) -> dict[str, str]:
    name = str(given["resource"]["metadata"]["name"])
    place = (given["group"], given["version"], given["ns"], given["plural"], name)
    _must_be_new(name, lambda: CustomObjectsApi(api).get_namespaced_custom_object(*place))
    return {name: "new"}


def _new_deployment(api: Any, _: str, given: Mapping[str, Any]) -> dict[str, str]:
    name = str(yaml.safe_load(Path(given["spec_path"]).read_text(encoding="utf-8"))["metadata"]["name"])
    _must_be_new(name, lambda: AppsV1Api(api).read_namespaced_deployment(name, given["ns"]))
    return {name: "new"}


def _must_be_new(name: str, look: Callable[[], Any]) -> None:
    """What is there already would be taken for what was made, and taken away afterwards."""
    try:
        look()
    except ApiException as error:
        if error.status == _ABSENT:
            return
        raise
    raise TargetError(f"there is one named {name} already", hint="another run's? look before you delete it")


_AIMS: Final[Mapping[str, Callable[[Any, str, Mapping[str, Any]], dict[str, str]]]] = {
    "pods": _pods,
    "deployment": _deployment,
    "statefulset": _statefulset,
    "policy": _policy,
    "new-object": _new_object,
    "new-deployment": _new_deployment,
}
