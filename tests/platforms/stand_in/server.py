"""Answers on one or two ports once it has loaded; ends at once with its last words when it has any."""

import argparse
import os
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--admin", type=int)
parser.add_argument("--upstreams")
parser.add_argument("--load-seconds", type=float, default=0)
parser.add_argument("--last-words", default="")
parser.add_argument("--slow", type=float, default=0)
args = parser.parse_args()
born = time.monotonic()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{os.getpid()} {os.environ.get('NAME', '')}".encode()
        self.send_response(200 if time.monotonic() - born >= args.load_seconds else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(HTTPServer):
    def server_bind(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if args.admin:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.socket.bind(self.server_address)


if args.last_words:
    time.sleep(args.slow)
    sys.exit(args.last_words)
servers = [Server(("127.0.0.1", port), Handler) for port in (args.port, args.admin) if port]
for server in servers[1:]:
    threading.Thread(target=server.serve_forever, daemon=True).start()
servers[0].serve_forever()
