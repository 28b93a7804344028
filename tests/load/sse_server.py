"""A chat server that behaves as its first path segment says; a real process, plain asyncio, prints its port.

Every token's text is the monotonic second at which it was sent, the truth that a client's stamps are checked against.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
import sys
import time

GAP = 0.01
EVENT_STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def event(body: dict) -> bytes:
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def delta(text: str, finish: str | None = None) -> bytes:
    return event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]})


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def answer(status: str, body: bytes, *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(head).encode() + body


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def serve(self) -> None:
        try:
            while await self.one():
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.writer.close()

    async def one(self) -> bool:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split()[1]
        headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        raw = await self.reader.readexactly(int(headers.get("content-length", 0)))
        body = json.loads(raw) if raw.startswith(b"{") else {}
        behaviour = path.split("/")[1]
        keep = await getattr(self, behaviour.replace("-", "_"), self.ok)(body, headers)
        return keep is not False

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def begin(self) -> None:
        await self.send(EVENT_STREAM + chunked(event({"choices": [{"delta": {"role": "assistant", "content": ""}}]})))

    async def tokens(self, count: int, gap: float = GAP) -> None:
        for _ in range(count):
            await asyncio.sleep(gap)
            await self.send(chunked(delta(f"{time.monotonic():.6f} ")))

    async def finish(self, count: int, prompt: str) -> None:
        usage = {"prompt_tokens": round(len(prompt.split()) * 4 / 3), "completion_tokens": count}
        last = delta("", "stop") + event({"choices": [], "usage": usage}) + b"data: [DONE]\n\n"
        await self.send(chunked(last) + b"0\r\n\r\n")

    async def ok(self, body, headers) -> None:
        await self.begin()
        await self.tokens(body["max_tokens"])
        await self.finish(body["max_tokens"], body["messages"][0]["content"])

    async def slow(self, body, headers) -> None:
        """Streams of 50 tokens a second."""
        await self.begin()
        await self.tokens(body["max_tokens"], 0.02)
        await self.finish(body["max_tokens"], body["messages"][0]["content"])

    async def bursts(self, body, headers) -> None:
        """Tokens in ten writes of many events each: little work to send, and all the work to read."""
        await self.begin()
        for _ in range(10):
            await asyncio.sleep(GAP)
            await self.send(chunked(delta("word ") * (body["max_tokens"] // 10)))
        await self.finish(body["max_tokens"], body["messages"][0]["content"])

    async def swift(self, body, headers) -> None:
        """The whole answer at once, with the second of its sending."""
        whole = delta(f"{time.monotonic():.6f}", "stop") + b"data: [DONE]\n\n"
        await self.send(answer("200 OK", whole, "content-type: text/event-stream"))

    async def plain(self, body, headers) -> None:
        """A body with a length instead of chunks."""
        await self.send(answer("200 OK", delta("all", "stop") + b"data: [DONE]\n\n", "content-type: text/event-stream"))

    async def until_close(self, body, headers) -> bool:
        await self.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        await self.send(delta("all", "stop") + b"data: [DONE]\n\n")
        return False

    async def early(self, body, headers) -> None:
        """An informational answer before the real one."""
        await self.send(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")
        await self.plain(body, headers)

    async def ok_then_close(self, body, headers) -> bool:
        """Promises to keep the connection, then closes it while it is idle."""
        await self.plain(body, headers)
        return False

    async def busy(self, body, headers) -> None:
        error = {"error": {"message": "too many", "type": "rate_limit"}}
        await self.send(answer("429 Too Many Requests", json.dumps(error).encode()))

    async def broken(self, body, headers) -> None:
        await self.send(answer("500 Oops", f"no luck for {headers.get('authorization', 'nobody')}".encode()))

    async def redirect(self, body, headers) -> None:
        await self.send(answer("302 Found", b"", "location: /elsewhere"))

    async def cut(self, body, headers) -> bool:
        await self.begin()
        await self.tokens(3)
        return False

    async def reset(self, body, headers) -> bool:
        """Lingering for no time makes the close a RST."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return False

    async def hang_up(self, body, headers) -> bool:
        return False

    async def silent(self, body, headers) -> None:
        await asyncio.sleep(3)

    async def stall(self, body, headers) -> None:
        await self.begin()
        await self.tokens(3)
        await asyncio.sleep(3)

    async def drip(self, body, headers) -> None:
        """Never a long gap, never an end."""
        await self.begin()
        await self.tokens(300)

    async def error_event(self, body, headers) -> None:
        await self.begin()
        await self.tokens(2)
        await self.send(chunked(event({"error": {"message": "engine died"}})) + b"0\r\n\r\n")

    async def no_done(self, body, headers) -> None:
        await self.begin()
        await self.tokens(2)
        await self.send(chunked(delta("", "stop")) + b"0\r\n\r\n")

    async def done_then_cut(self, body, headers) -> bool:
        await self.begin()
        await self.send(chunked(delta("all", "stop") + b"data: [DONE]\n\n"))
        return False

    async def empty(self, body, headers) -> None:
        await self.begin()
        await self.finish(0, "")

    async def page(self, body, headers) -> None:
        await self.send(answer("200 OK", b"<html>welcome</html>", "content-type: text/html"))

    async def embeddings(self, body, headers) -> None:
        await self.json({"data": [{"embedding": [0.25, -1]}], "usage": {"prompt_tokens": len(body["input"].split())}})

    async def whole(self, body, headers) -> None:
        """The same in one piece, for who asked for it; else a stream."""
        if body["stream"]:
            await self.plain(body, headers)
            return
        text = body.get("prompt") or body["messages"][0]["content"]
        choice = {"message": {"content": text[:8]}, "text": text[:8], "finish_reason": "stop"}
        await self.json({"choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": body["max_tokens"]}})

    async def json(self, body) -> None:
        await self.send(answer("200 OK", json.dumps(body).encode(), "content-type: application/json"))

    async def health(self, body, headers) -> None:
        await self.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    async def echo(self, body, headers) -> None:
        """What was asked, as it came."""
        await self.json({"asked": body, "headers": headers})

    async def slowly(self, body, headers) -> None:
        """An answer byte by byte, a hundred a second: never a long gap, never an end."""
        for number in b"HTTP/1.1 200 OK\r\nx-long: " + b"x" * 1000:
            await self.send(bytes([number]))
            await asyncio.sleep(0.01)

    async def endless(self, body, headers) -> None:
        """An event stream that comes as fast as it is read."""
        await self.begin()
        while True:
            await self.send(chunked(b": " + b"x" * 65536 + b"\n\n"))

    async def nonsense(self, body, headers) -> bool:
        await self.send(b"SSH-2.0-OpenSSH_9.9\r\n")
        return False


async def main() -> None:
    tls, port = None, 0
    if len(sys.argv) == 2:
        port = int(sys.argv[1])
    elif len(sys.argv) > 2:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(sys.argv[1], sys.argv[2])
    serve = lambda r, w: Connection(r, w).serve()  # noqa: E731 - as short as it gets
    server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=1024, ssl=tls)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
