"""A Kubernetes API of the few endpoints that functions under test ask: real HTTP, objects in a dictionary."""

from __future__ import annotations

import contextlib
import json
import threading
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse

KINDS = {"pods": "Pod", "nodes": "Node", "deployments": "Deployment", "networkpolicies": "NetworkPolicy"}
KINDS |= {"namespaces": "Namespace", "networkchaos": "NetworkChaos"}


@dataclass
class TinyCluster:
    """Objects by (plural, namespace, name). A Deployment's controller makes good for deleted pods when asked to."""

    objects: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    """(method, path) of everything that was no GET."""
    deaf: bool = False
    """Says 200 to what would change something, and changes nothing."""

    def put(self, plural: str, name: str, ns: str = "", **body: Any) -> dict[str, Any]:
        labels = body.pop("labels", {})
        meta = {"name": name, "uid": str(uuid.uuid4()), "labels": labels, **({"namespace": ns} if ns else {})}
        made = {"kind": KINDS[plural], "metadata": {**body.pop("metadata", {}), **meta}, **body}
        self.objects[plural, ns, name] = made
        return made

    def pod(self, name: str, node: str = "node1", **labels: str) -> dict[str, Any]:
        spec = {"nodeName": node, "containers": [{"name": "main"}]}
        return self.put("pods", name, "llm", labels=labels, spec=spec, status={"phase": "Running"})

    def of(self, plural: str, ns: str = "") -> list[dict[str, Any]]:
        return [one for (kind, place, _), one in self.objects.items() if kind == plural and ns in ("", place)]

    def serve(self) -> ThreadingHTTPServer:
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            def do(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(size) or b"null")
                code, told = cluster.answer(self.command, self.path, body)
                text = json.dumps(told).encode()
                with contextlib.suppress(ConnectionError):  # whoever asked may have given up
                    self.send_response(code)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)

            do_GET = do_POST = do_PATCH = do_DELETE = do  # noqa: N815 - names that http.server looks for

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def answer(self, method: str, path: str, body: Any) -> tuple[int, dict[str, Any]]:
        url = urlparse(path)
        words, asked = url.path.strip("/").split("/"), parse_qs(url.query)
        words = words[2:] if words[0] == "api" else words[3:]
        ns = words[1] if words[0] == "namespaces" and len(words) > 2 else ""
        plural, *name = words[2:] if ns else words
        if method != "GET":
            self.asked.append((method, url.path))
        if method == "GET" and not name:
            return 200, self._listed(plural, ns, asked)
        return self._one(method, (plural, ns, name[0] if name else ""), name[1:], body)

    def _one(self, method: str, key: tuple[str, str, str], below: list[str], body: Any) -> tuple[int, dict[str, Any]]:
        if below == ["eviction"]:
            return self._one("DELETE", key, [], None)
        if method == "POST":
            key = (*key[:2], body["metadata"]["name"])
            if key in self.objects:
                return 409, _status(409, f"{key[2]} already exists")
            if not self.deaf:
                self.put(key[0], key[2], key[1], **{name: one for name, one in body.items() if name == "spec"})
            return 201, body
        found = self.objects.get(key)
        if found is None:
            return 404, _status(404, f"{key[2]} not found")
        if method == "DELETE" and not self.deaf:
            del self.objects[key]
        if method == "PATCH" and not self.deaf:
            found["spec"].update(body.get("spec", {}))
        return 200, found

    def _listed(self, plural: str, ns: str, asked: dict[str, list[str]]) -> dict[str, Any]:
        wanted = dict(one.split("=") for one in asked.get("labelSelector", [""])[0].split(",") if one)
        fields = dict(one.split("=") for one in asked.get("fieldSelector", [""])[0].split(",") if one)
        items = [
            one
            for one in self.of(plural, ns)
            if wanted.items() <= one["metadata"]["labels"].items()
            and fields.get("metadata.name", one["metadata"]["name"]) == one["metadata"]["name"]
            and fields.get("spec.nodeName", one.get("spec", {}).get("nodeName")) == one.get("spec", {}).get("nodeName")
        ]
        return {"kind": f"{KINDS[plural]}List", "apiVersion": "v1", "metadata": {}, "items": items}


def _status(code: int, message: str) -> dict[str, Any]:
    return {"kind": "Status", "status": "Failure", "code": code, "message": message, "reason": "NotSo"}


def kubeconfig(server: str, *, insecure: bool = False) -> str:
    """A kubeconfig with the one context `tiny`."""
    cluster = {"server": server, **({"insecure-skip-tls-verify": True} if insecure else {})}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "tiny",
            "clusters": [{"name": "tiny", "cluster": cluster}],
            "users": [{"name": "me", "user": {"token": "secret"}}],
            "contexts": [{"name": "tiny", "context": {"cluster": "tiny", "user": "me"}}],
        }
    )


def three_engines() -> TinyCluster:
    """Two nodes that may be touched, three engines in a namespace that may be, and one in a namespace that may not."""
    made = TinyCluster()
    made.put("namespaces", "kube-system")
    made.put("namespaces", "llm", labels={"holdfast-faults": "allowed"})
    made.put("namespaces", "others")
    for name in ("node1", "node2"):
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        labels = {"holdfast-faults": "allowed", "pool": "gpu"}
        made.put("nodes", name, labels=labels, spec={"podCIDR": "10.0.0.0/24"}, status=ready)
    for number in (1, 2, 3):
        made.pod(f"engine-{number}", app="engine")
    return made


def cordon(node: str = "node1") -> dict[str, Any]:
    """What `act` is given to cordon a node."""
    takes = {"probe": "holdfast.chaos.cluster.schedulable", "arguments": {"name": node}, "within": 0.2}
    return {
        "action": "chaosk8s.node.actions.cordon_node",
        "arguments": {"name": node},
        "proof": {**takes, "tolerance": False},
        "gone": {**takes, "tolerance": True},
        "back": {"action": "chaosk8s.node.actions.uncordon_node", "arguments": {"name": node}},
    }
