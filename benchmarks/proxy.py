"""What the fault proxy costs when it breaks nothing: added latency, throughput, CPU for the tokens of many streams.

    .venv/bin/python benchmarks/proxy.py [--against toxiproxy-server]

Everything runs on this machine, so the figures are differences: the same exchange straight and through the proxy. The
echo server is a process of its own on the loop that the proxy has.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

EXCHANGES = 3000
STREAMS = 300
TOKENS = 100
TOKEN = b"x" * 250
SERVER = """
import asyncio
class Echo(asyncio.Protocol):
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data): self.transport.write(data)
async def main():
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()
"""


def main() -> None:
    """Measure straight, through ours, and through another that speaks the same API."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", help="a toxiproxy-server, on PATH or as a path")
    given = parser.parse_args()
    loop = "import uvloop; uvloop.run(main())" if importlib.util.find_spec("uvloop") else "asyncio.run(main())"
    server = subprocess.Popen([sys.executable, "-c", SERVER + loop], stdout=subprocess.PIPE, text=True)
    started = [server]
    try:
        upstream = int(server.stdout.readline())
        _tell("straight", upstream, None)
        ours = subprocess.Popen(
            [sys.executable, "-m", "holdfast.proxy", "--port", "0"], stdout=subprocess.PIPE, text=True
        )
        started.append(ours)
        _tell("through holdfast.proxy", _proxied(ours.stdout.readline().split()[-1], upstream), ours.pid)
        if given.against:
            with socket.create_server(("127.0.0.1", 0)) as one:
                port = one.getsockname()[1]
            command = shutil.which(given.against) or given.against
            theirs = subprocess.Popen([command, "-port", str(port)], stdout=subprocess.DEVNULL)
            started.append(theirs)
            _tell("through toxiproxy", _proxied(f"127.0.0.1:{port}", upstream), theirs.pid)
    finally:
        for one in started:
            one.kill()
            one.wait()


def _proxied(api: str, upstream: int) -> int:
    body = json.dumps({"name": "a", "listen": "127.0.0.1:0", "upstream": f"127.0.0.1:{upstream}"}).encode()
    deadline = time.monotonic() + 10
    while True:
        try:
            with urllib.request.urlopen(f"http://{api}/proxies", body) as answer:
                return int(json.load(answer)["listen"].rpartition(":")[2])
        except OSError:
            if time.monotonic() > deadline:
                raise


def _tell(what: str, port: int, pid: int | None) -> None:
    times = sorted(_exchanges(port))
    p99 = times[len(times) * 99 // 100]
    rate = _throughput(port)
    before = _cpu(pid)
    took = asyncio.run(_streams(port))
    cpu = (_cpu(pid) - before) / (STREAMS * TOKENS * 2) * 1e6
    print(
        f"{what:24} round trip {statistics.median(times) * 1e6:5.0f} us, p99 {p99 * 1e6:6.0f} us;"
        f" {rate / 1e6:5.0f} MB/s; {STREAMS * TOKENS / took:7.0f} tokens/s over {STREAMS} streams"
        + (f", {cpu:.1f} us of CPU a token" if pid else "")
    )


def _exchanges(port: int) -> list[float]:
    times = []
    with socket.create_connection(("127.0.0.1", port)) as one:
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(EXCHANGES):
            began = time.perf_counter()
            one.sendall(TOKEN)
            _read(one, len(TOKEN))
            times.append(time.perf_counter() - began)
    return times


def _throughput(port: int, size: int = 100_000_000) -> float:
    """Bytes a second there and back."""
    block = b"x" * 1_000_000
    with socket.create_connection(("127.0.0.1", port)) as one, ThreadPoolExecutor(1) as pool:
        began = time.perf_counter()
        sending = pool.submit(lambda: [one.sendall(block) for _ in range(size // len(block))])
        _read(one, size)
        sending.result()
        return size / (time.perf_counter() - began)


def _read(one: socket.socket, size: int) -> None:
    while size > 0:
        size -= len(one.recv(min(size, 2**18)))


async def _streams(port: int) -> float:
    """Many streams at once, each token answered before the next is sent; seconds."""

    async def stream() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(TOKENS):
            writer.write(TOKEN)
            await reader.readexactly(len(TOKEN))
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(stream() for _ in range(STREAMS)))
    return time.perf_counter() - began


def _cpu(pid: int | None) -> float:
    """Seconds of CPU of a process so far."""
    if pid is None:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


if __name__ == "__main__":
    main()
