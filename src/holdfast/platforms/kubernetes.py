"""A Kubernetes cluster as far as faults need it: which one it is, where they are written down, what may be touched.

It offers no load and knows no roles yet, so no scenario can be played on it: single experiments can.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from holdfast.errors import PlatformError, TargetError
from holdfast.model.hands import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from holdfast.model.platform import Endpoints, Hand, Identity, Replica

NAME: Final = "kubernetes"
RECORD: Final = "cluster.json"
LONGEST: Final = 10.0
"""Seconds that a request waits for its connection, and again for each part of its answer."""
INSTALL: Final = "pip install 'holdfast[kubernetes]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """How a cluster is reached: by which kubeconfig and context; `uid` is that of its namespace kube-system."""

    kubeconfig: str
    context: str
    uid: str


@dataclass(frozen=True, kw_only=True)
class KubernetesPlatform:
    """Implements `Driver`; `folder` holds the ledger of this cluster's faults and says which cluster it is."""

    folder: Path
    where: Where
    name: str = NAME

    @staticmethod
    def open(state: Path) -> KubernetesPlatform:
        """The cluster that KUBECONFIG names, in a folder of its own in `state`. Raises PlatformError."""
        where = _here()
        folder = state / f"{NAME}-{where.uid[:8]}"
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".{RECORD}.{os.getpid()}"
        draft.write_text(json.dumps(asdict(where)), encoding="utf-8")
        draft.replace(folder / RECORD)
        return KubernetesPlatform(folder=folder, where=where)

    @staticmethod
    def load(folder: Path) -> KubernetesPlatform:
        """The cluster of that folder; it is not asked. Raises PlatformError when the folder is none of ours."""
        try:
            return KubernetesPlatform(folder=folder, where=Where(**json.loads((folder / RECORD).read_bytes())))
        except (OSError, ValueError, TypeError) as error:
            raise PlatformError(f"{folder} is the folder of no cluster: {error}") from error

    @property
    def address(self) -> str:
        """Its folder."""
        return str(self.folder)

    @property
    def allowed(self) -> frozenset[str]:
        """No roles: what may be touched says a label, on the namespace or the node."""
        return frozenset()

    def endpoints(self) -> Endpoints:
        """Raises PlatformError: load is offered to embedded platforms alone."""
        raise PlatformError("no load can be offered to a cluster yet", hint="holdfast chaos run plays one experiment")

    def ledger(self) -> Path:
        """Beside the record."""
        return self.folder / "faults.ndjson"

    def fingerprint(self) -> str:
        """Of the cluster that is reached now. Raises PlatformError when none is."""
        return _uid(self.api)

    def replicas(self, role: str) -> tuple[Replica, ...]:  # noqa: ARG002 - it knows no roles
        """None."""
        return ()

    def roles(self) -> tuple[str, ...]:
        """None."""
        return ()

    def alive(self, identity: Identity) -> bool:
        """Raises TargetError: nothing here is struck by its role."""
        raise TargetError(f"{identity.name} is no replica of a role")

    def kill(self, identity: Identity) -> None:
        """Raises TargetError: nothing here is struck by its role."""
        raise TargetError(f"{identity.name} is no replica of a role")

    def restore(self, role: str) -> None:
        """Its controllers do."""

    def hand(self, kind: type[Hand]) -> Hand:
        """A cluster's functions, and nothing else. Raises TargetError for the rest."""
        if kind is not Cluster:
            raise TargetError(f"a cluster has no {kind.__name__.lower()}", hint="holdfast.chaos.kubernetes: act")
        from holdfast.platforms.clusters import Functions  # noqa: PLC0415 - imports a second of clients

        return cast("Hand", Functions(self))

    def describe(self) -> Mapping[str, str]:
        """Which one."""
        return {"platform": self.name, "context": self.where.context}

    @cached_property
    def api(self) -> Any:
        """A client of this very cluster. Raises PlatformError when another one, or none, is reached."""
        made = client(self.where.context)
        if _uid(made) != self.where.uid:
            what = f"context {self.where.context} is another cluster than the one of {self.folder.name}"
            raise PlatformError(what, hint=f"KUBECONFIG={self.where.kubeconfig}")
        return made

    @property
    def secrets(self) -> dict[str, str]:
        """What every function gets: certificates are verified, and the context is this one whatever is current."""
        return _secrets(self.where.context)


def clusters(state: Path) -> Iterator[Path]:
    """Folders of clusters on which faults were written down here."""
    yield from (path.parent for path in sorted(state.glob(f"{NAME}-*/{RECORD}")))


def client(context: str) -> Any:
    """The client that chaostoolkit-kubernetes itself would make. Raises PlatformError when it is not a safe one."""
    try:
        from chaosk8s import create_k8s_api_client  # noqa: PLC0415 - an extra, and half a second
        from kubernetes.config import kube_config  # noqa: PLC0415 - an extra, and half a second
    except ImportError as error:
        raise PlatformError("chaostoolkit-kubernetes is not installed", hint=INSTALL) from error
    _kubeconfig(kube_config)
    try:
        made = create_k8s_api_client(_secrets(context))
    except Exception as error:
        raise PlatformError(
            f"no client for context {context!r}: {error}", hint="kubectl config get-contexts"
        ) from error
    _refuse_unsafe(made.configuration)
    _bound_requests()
    return made


@cache
def _bound_requests() -> None:
    """For every client of this process, those of chaostoolkit-kubernetes too: none waits for ever for an answer."""
    from kubernetes.client.rest import RESTClientObject  # noqa: PLC0415 - an extra, and half a second

    before = RESTClientObject.request

    def request(self: Any, *words: Any, _request_timeout: Any = None, **more: Any) -> Any:
        return before(self, *words, _request_timeout=_request_timeout or LONGEST, **more)

    RESTClientObject.request = request


def _refuse_unsafe(made: Any) -> None:
    near = made.host.startswith(("http://127.0.0.1", "http://localhost", "http://[::1]"))
    if not made.host.startswith("https://") and not near:
        raise PlatformError(f"{made.host} is not encrypted", hint="an https:// server in the kubeconfig")
    if not made.verify_ssl:
        raise PlatformError(
            f"the certificate of {made.host} would not be verified",
            hint="take insecure-skip-tls-verify out of the kubeconfig, and name certificate-authority",
        )


def _here() -> Where:
    """Which cluster is reached now; asked each time, because a kubeconfig changes."""
    try:
        from kubernetes.config import kube_config  # noqa: PLC0415 - an extra, and half a second
    except ImportError as error:
        raise PlatformError("chaostoolkit-kubernetes is not installed", hint=INSTALL) from error
    path = _kubeconfig(kube_config)
    try:
        context = _context(kube_config, path)
    except Exception as error:
        raise PlatformError(f"{path} is no kubeconfig: {error}") from error
    return Where(kubeconfig=str(path), context=context, uid=_uid(client(context)))


def _kubeconfig(kube_config: Any) -> Path:
    path = Path(kube_config.KUBE_CONFIG_DEFAULT_LOCATION).expanduser()
    if not path.is_file():
        # Without that file chaostoolkit-kubernetes would ask http://localhost, and verify nothing.
        raise PlatformError(f"there is no kubeconfig {path}", hint="KUBECONFIG=PATH, one file")
    return path


def _context(kube_config: Any, path: Path) -> str:
    # As chaostoolkit-kubernetes itself looks for it.
    return os.environ.get("KUBERNETES_CONTEXT") or kube_config.list_kube_config_contexts(str(path))[1]["name"]


def _uid(api: Any) -> str:
    from kubernetes.client import CoreV1Api  # noqa: PLC0415 - an extra, and half a second

    try:
        return str(CoreV1Api(api).read_namespace("kube-system", _request_timeout=10).metadata.uid)
    except Exception as error:
        raise PlatformError(f"the cluster does not say who it is: {_short(error)}", hint="kubectl get ns") from error


def _short(error: Exception) -> str:
    return str(getattr(error, "reason", "") or error).splitlines()[0][:200]


def _secrets(context: str) -> dict[str, str]:
    return {"KUBERNETES_VERIFY_SSL": "true", "KUBERNETES_CONTEXT": context}
