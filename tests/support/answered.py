"""A fault proxy's way to a server that answers as an engine does, and one client of it on one connection."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from pathlib import Path

PATIENCE = 5.0


class Answering:
    """`streaming.py` in a process of its own."""

    def __init__(self, port=0):
        words = [sys.executable, str(Path(__file__).with_name("streaming.py")), str(port)]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def end(self):
        self.process.kill()
        self.process.wait(PATIENCE)
        self.process.stdout.close()


class Client:
    """Keeps its connection, as gateways do."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def ask(self, tokens=6, *, stream=True, path="/v1/chat/completions", model="tiny", headers=None, **more):
        """Status, headers, body, and how it ended: "whole", "cut"; and the seconds until each read returned."""
        body = {"model": model, "max_tokens": tokens, "stream": stream, **more}
        began = time.monotonic()
        self.connection.request("POST", path, json.dumps(body), {"content-type": "application/json", **(headers or {})})
        return self.hear(began)

    def hear(self, began=0.0):
        try:
            answer = self.connection.getresponse()
        except http.client.RemoteDisconnected:
            return None, {}, b"", "cut", []
        got, times = b"", []
        try:
            while part := answer.read1(65536):
                got += part
                times.append(time.monotonic() - began)
        except (http.client.IncompleteRead, ConnectionError):
            return answer.status, dict(answer.getheaders()), got, "cut", times
        answer.close()
        return answer.status, dict(answer.getheaders()), got, "whole", times

    def asked(self):
        """How many requests for answers have come to the server."""
        self.connection.request("GET", "/v1/models")
        return json.loads(self.connection.getresponse().read())["asked"]

    def close(self):
        self.connection.close()


def told(body):
    """The events of a stream: objects, "[DONE]", or the text of what is no JSON."""
    found = []
    for event in body.decode().split("\n\n")[:-1]:
        payload = event.removeprefix("data: ")
        try:
            found.append(json.loads(payload))
        except ValueError:
            found.append(payload)
    return found


def text(body):
    """The words of a stream."""
    choices = [one["choices"] for one in told(body) if isinstance(one, dict)]
    return [each["delta"]["content"] for some in choices for each in some if each["delta"].get("content")]
