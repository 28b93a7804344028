"""A server of the tests' own that answers as an engine does: streams of events, whole answers, models, health.

    python streaming.py PORT

Each request may say in `max_tokens` how many words it wants; `pace` seconds lie between two of them.
"""

from __future__ import annotations

import http.server
import json
import sys
import time


class Answer(http.server.BaseHTTPRequestHandler):
    """Keeps connections, and frames streams in chunks that end where no event does."""

    protocol_version = "HTTP/1.1"
    asked = 0

    def do_GET(self):
        self.whole({"data": [{"id": "tiny"}], "asked": Answer.asked})

    def do_POST(self):
        Answer.asked += 1
        wish = json.loads(self.rfile.read(int(self.headers["content-length"])))
        tokens = wish.get("max_tokens", 4)
        usage = {"prompt_tokens": 3, "completion_tokens": tokens, "total_tokens": 3 + tokens}
        if not wish.get("stream"):
            message = {"message": {"role": "assistant", "content": "word " * tokens}, "finish_reason": "length"}
            self.whole({"choices": [message], "usage": usage})
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for event in events(tokens, usage):
            self.chunk(event[:7])
            self.chunk(event[7:])
            time.sleep(wish.get("pace", 0))
        self.chunk(b"")

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def whole(self, said):
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        """Nothing."""


def events(tokens, usage):
    """The role, the words, the reason, the usage, the end mark."""
    yield event({"choices": [{"delta": {"role": "assistant", "content": ""}, "finish_reason": None}]})
    for number in range(tokens):
        reason = "length" if number == tokens - 1 else None
        yield event({"choices": [{"delta": {"content": f"w{number} é"}, "finish_reason": reason}]})
    yield event({"choices": [], "usage": usage})
    yield b"data: [DONE]\n\n"


def event(said):
    return b"data: " + json.dumps(said, ensure_ascii=False).encode() + b"\n\n"


if __name__ == "__main__":
    http.server.ThreadingHTTPServer.request_queue_size = 128
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer)
    print(server.server_port, flush=True)
    server.serve_forever()
