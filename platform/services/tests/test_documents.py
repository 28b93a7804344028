"""The document service as a real process: what is kept, what is counted, and what it says when it cannot embed."""

import json
import signal
import sqlite3
import threading
import time
from contextlib import closing, suppress
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

DOCUMENTS, SEARCH = "/v1/documents", "/v1/search"
WORDS = " ".join(f"word{number}" for number in range(2000))
"""Some 17,800 bytes: 4450 tokens."""


def vector(text):
    """The same text, the same vector; two texts, hardly ever the same direction."""
    return [byte - 128 for byte in sha256(text.encode()).digest()]


def embedded(texts):
    data = [{"object": "embedding", "index": n, "embedding": vector(text)} for n, text in enumerate(texts)]
    return 200, {"object": "list", "data": data, "usage": {"prompt_tokens": len(texts)}}, {}


def refused(code, **headers):
    return code, {"error": {"message": "not now"}}, headers


class Model(ThreadingHTTPServer):
    """In the gateway's place: embeds, or does what the test says; remembers what it was asked."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Asked)
        self.behave, self.ready = (lambda _: embedded), True
        self.asked, self.at_once, self.most_at_once = [], 0, 0
        self.lock, self.released = threading.Lock(), threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def sizes(self):
        return sorted(len(body["input"]) for body, _ in self.asked)

    def handle_error(self, request, client_address):
        pass  # its client may leave


class Asked(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.say(200 if self.server.ready else 503, {}, {})

    def do_POST(self):
        model = self.server
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with model.lock:
            model.asked.append((body, dict(self.headers)))
            model.at_once += 1
            model.most_at_once = max(model.most_at_once, model.at_once)
            act = model.behave(len(model.asked))
        try:
            self.say(*act(body["input"]))
        finally:
            with model.lock:
                model.at_once -= 1

    def say(self, code, answer, headers):
        content = json.dumps(answer).encode()
        self.send_response(code)
        for name, value in {"content-length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def model():
    with Model() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join(5)


@pytest.fixture
def documents(spawn, web, tmp_path):
    """Starts the service before a gateway; what it keeps outlives it."""
    keys = tmp_path / "document-keys.json"
    keys.write_text(json.dumps({"sk-test": "acme", "sk-other": "globex"}))

    def start(gateway, *, deadline=5, ready="/ready"):
        port = web.port()
        args = ["--port", port, "--gateway", gateway.url, "--keys", keys, "--data", tmp_path, "--model", "chat"]
        args += ["--deadline", deadline]
        return spawn("refplatform.documents", *args, url=f"http://127.0.0.1:{port}", ready=ready)

    return start


def sent(web, server, text="high tide", key="sk-test", **fields):
    return web.fetch(server.url, DOCUMENTS, {"text": text, **fields}, key=key)


def found(web, server, query, key="sk-test", k=5):
    reply = web.fetch(server.url, SEARCH, {"query": query, "k": k}, key=key)
    assert reply.status == 200, reply.body
    return reply.json["data"]


def counts(web, server):
    value = web.metrics(server.url)
    names = ("stored", "unchanged", "rejected", "failed", "cancelled")
    return {name: value("documents_total", outcome=name) for name in names if value("documents_total", outcome=name)}


def test_a_document_is_split_embedded_in_batches_and_found_by_what_it_says(documents, model, web):
    server = documents(model)
    reply = web.fetch(server.url, DOCUMENTS, {"title": "Words", "text": WORDS}, headers={"x-request-id": "abc-1"})
    assert (reply.status, reply.json["state"], reply.headers["x-request-id"]) == (201, "stored", "abc-1")
    chunks = reply.json["chunks"]
    # Each passage has 200 tokens at most, of which 40 were in the one before: 4450 / 200 < chunks <= 4450 / 150.
    assert 4450 / 200 < chunks <= 4450 / 150
    assert sum(model.sizes) == chunks
    assert set(model.sizes[1:]) == {8}
    body, headers = model.asked[0]
    assert (body["model"], headers["authorization"], headers["x-request-id"]) == ("chat", "Bearer sk-test", "abc-1")
    passage = body["input"][3]
    best = found(web, server, passage)
    assert len(best) == 5
    assert (best[0]["text"], best[0]["document"], best[0]["title"]) == (passage, reply.json["id"], "Words")
    assert best[0]["score"] == pytest.approx(1, abs=1e-5)
    assert [one["score"] for one in best] == sorted((one["score"] for one in best), reverse=True)
    assert web.fetch(server.url, f"{DOCUMENTS}/{reply.json['id']}").json["text"] == WORDS
    value = web.metrics(server.url)
    assert value("documents_chunks_total") == chunks
    assert value("documents_processing_seconds_count", outcome="stored") == value("documents_total") == 1
    assert value("documents_processing_seconds_bucket", outcome="stored", le="2.0") == 1
    assert value("documents_embedding_attempts_total", result="ok") == len(model.asked)
    assert value("documents_in_progress") == 0


def test_the_same_document_again_costs_nothing_and_changes_nothing(documents, model, web):
    server = documents(model)
    first, again, changed = (sent(web, server, text, id="d") for text in ("high tide", "high tide", "low tide"))
    assert [(one.status, one.json["state"]) for one in (first, again, changed)] == [
        (201, "stored"),
        (200, "unchanged"),
        (200, "replaced"),
    ]
    assert len(model.asked) == 2
    assert [one["text"] for one in found(web, server, "high tide")] == ["low tide"]
    assert sent(web, server, "no id").json["id"] == sent(web, server, "no id").json["id"]
    assert counts(web, server) == {"stored": 3, "unchanged": 2}
    assert web.metrics(server.url)("documents_chunks_total") == 3


def test_a_document_can_be_taken_back(documents, model, web):
    server = documents(model)
    sent(web, server, id="d")
    assert delete(server, "d").status == 200
    assert delete(server, "d").status == web.fetch(server.url, f"{DOCUMENTS}/d").status == 404
    assert found(web, server, "high tide") == []


def delete(server, identity, key="sk-test"):
    import http.client

    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    connection.request("DELETE", f"{DOCUMENTS}/{identity}", headers={"authorization": f"Bearer {key}"})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


def test_a_tenant_neither_reads_nor_finds_nor_deletes_what_another_has(documents, model, web):
    server = documents(model)
    sent(web, server, "what acme knows", id="d")
    assert web.fetch(server.url, f"{DOCUMENTS}/d", key="sk-other").status == 404
    assert delete(server, "d", key="sk-other").status == 404
    assert found(web, server, "what acme knows", key="sk-other") == []
    assert sent(web, server, "what globex knows", key="sk-other", id="d").status == 201
    assert found(web, server, "x")[0]["text"] == "what acme knows"


def test_what_a_client_does_wrong_is_told_and_not_counted_against_the_service(documents, model, web):
    server = documents(model)
    wrong = [
        ("{", "sk-test", 400),
        ({"text": " "}, "sk-test", 400),
        ({"title": "no text"}, "sk-test", 400),
        ({"text": "x" * 70_000}, "sk-test", 413),  # 17,500 tokens
        ({"text": "x"}, "sk-wrong", 401),
        ({"text": "x"}, None, 401),
    ]
    for body, key, status in wrong:
        reply = web.fetch(server.url, DOCUMENTS, body, key=key)
        assert (reply.status, reply.json["error"]["type"]) == (status, "invalid_request_error")
    with suppress(OSError):  # it may hang up while we still send
        assert web.fetch(server.url, DOCUMENTS, b"x" * (9 << 20)).status == 413
    web.eventually(lambda: counts(web, server) == {"rejected": len(wrong) + 1})
    assert model.asked == []
    assert "sk-" not in server.log.read_text()


def test_without_an_engine_the_answer_is_503_in_time_and_nothing_is_kept(documents, model, web):
    server = documents(model)
    model.behave = lambda _: lambda texts: refused(503, retry_after="1")
    began = time.monotonic()
    reply = sent(web, server, WORDS, id="d")
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    assert time.monotonic() - began < 5
    assert counts(web, server) == {"failed": 1}
    assert web.metrics(server.url)("documents_processing_seconds_count", outcome="failed") == 1
    assert web.fetch(server.url, f"{DOCUMENTS}/d").status == 404
    assert web.fetch(server.url, SEARCH, {"query": "word"}).status == 503
    assert ["not now" in line["error"] for line in server.lines] == [True, False, True]


def test_one_batch_that_fails_takes_the_whole_document_with_it(documents, model, web):
    server = documents(model)
    model.behave = lambda number: embedded if number != 2 else lambda texts: refused(400)
    assert sent(web, server, WORDS, id="d").status == 502
    assert web.fetch(server.url, f"{DOCUMENTS}/d").status == 404
    model.behave = lambda _: embedded
    assert sent(web, server, WORDS, id="d").status == 201


def test_a_refusal_that_passes_is_tried_again(documents, model, web):
    server = documents(model)
    model.behave = lambda number: embedded if number != 1 else lambda texts: refused(503)
    assert sent(web, server).status == 201
    value = web.metrics(server.url)
    assert value("documents_embedding_attempts_total", result="unavailable") == 1
    assert value("documents_embedding_attempts_total", result="ok") == 1


def test_a_gateway_that_is_gone_is_no_hang(documents, model, web):
    server = documents(model, ready="/health")  # no connection is kept that would outlive the listener
    model.shutdown()
    model.server_close()
    reply = sent(web, server)
    assert reply.status == 503
    assert "no connection" in reply.json["error"]["message"]
    assert web.metrics(server.url)("documents_embedding_attempts_total", result="connection") == 3
    assert web.fetch(server.url, "/ready").status == 503
    assert web.fetch(server.url, "/health").status == 200


def test_a_gateway_that_is_silent_costs_no_more_than_the_deadline(documents, model, web):
    server = documents(model, deadline=1)
    model.behave = lambda _: silent(model)
    began = time.monotonic()
    assert sent(web, server).status == 503
    assert 1 <= time.monotonic() - began < 2
    value = web.metrics(server.url)
    # Two tries of half a second; when the second ends, so does the deadline.
    assert value("documents_embedding_attempts_total", result="timeout") >= 1
    assert len(model.asked) == 2


def silent(model):
    def wait(texts):
        model.released.wait(20)
        return embedded(texts)

    return wait


def test_a_gateway_that_is_silent_once_costs_one_try(documents, model, web):
    server = documents(model, deadline=2)
    model.behave = lambda number: silent(model) if number == 1 else embedded
    assert sent(web, server).status == 201


@pytest.mark.e2e
def test_an_outage_is_not_answered_with_a_storm_of_retries(documents, model, web):
    server = documents(model)
    model.behave = lambda _: lambda texts: refused(500)
    replies = [sent(web, server, f"document {number}") for number in range(40)]
    assert {reply.status for reply in replies} == {503}
    # Ten retries are saved, one comes in for each five documents, and one for each two seconds this takes.
    assert 40 + 10 <= len(model.asked) <= 40 + 10 + 8 + 10


def test_what_the_gateway_holds_against_the_client_reaches_the_client(documents, model, web):
    server = documents(model)
    for tried, code in enumerate((401, 402, 403, 429), start=1):
        model.behave = lambda _, code=code: lambda texts: refused(code, retry_after="7")
        reply = sent(web, server)
        assert (reply.status, reply.headers["retry-after"]) == (code, "7")
        assert len(model.asked) == tried
    assert counts(web, server) == {"rejected": 4}


def test_vectors_that_are_none_are_the_services_failure(documents, model, web):
    server = documents(model)
    model.behave = lambda _: lambda texts: (200, {"data": []}, {})
    assert sent(web, server).status == 502
    assert counts(web, server) == {"failed": 1}
    assert web.metrics(server.url)("documents_embedding_attempts_total", result="malformed") == 1


def test_a_store_that_does_not_work_is_said_and_counted(documents, model, web, tmp_path):
    server = documents(model)
    with closing(sqlite3.connect(tmp_path / "documents.db", isolation_level=None)) as db:
        db.execute("DROP TABLE chunks")
    assert sent(web, server, id="d").status == 503
    assert counts(web, server) == {"failed": 1}
    with closing(sqlite3.connect(tmp_path / "documents.db")) as db:
        assert db.execute("SELECT count(*) FROM documents").fetchone() == (0,)


def test_a_client_that_leaves_is_counted_as_that_and_nothing_is_kept(documents, model, web):
    server = documents(model)
    model.behave = lambda _: silent(model)
    leaving = web.open(server.url, path=DOCUMENTS, body={"text": "high tide", "id": "d"})
    web.eventually(lambda: model.asked)
    leaving.connection.close()
    web.eventually(lambda: counts(web, server) == {"cancelled": 1})
    assert web.fetch(server.url, f"{DOCUMENTS}/d").status == 404
    assert web.metrics(server.url)("documents_embedding_attempts_total", result="cancelled") == 1


def test_few_requests_are_under_way_however_many_documents_wait(documents, model, web):
    server = documents(model)
    model.behave = lambda _: slow
    waiting = [
        web.open(server.url, path=DOCUMENTS, body={"text": WORDS + f" {number}", "id": str(number)})
        for number in range(6)
    ]
    assert {one.finish().status for one in waiting} == {201}
    assert model.most_at_once == 8


def slow(texts):
    time.sleep(0.02)
    return embedded(texts)


def test_more_requests_than_can_wait_are_refused_at_once(documents, model, web):
    server = documents(model)
    model.behave = lambda _: silent(model)
    waiting = [web.open(server.url, path=DOCUMENTS, body={"text": f"text {number}"}) for number in range(64)]
    web.eventually(lambda: web.metrics(server.url)("documents_in_progress") == 64)
    reply = sent(web, server, "one too many")
    assert (reply.status, "retry-after" in reply.headers) == (503, True)
    model.released.set()
    assert {one.finish().status for one in waiting} == {201}


def test_it_is_ready_only_while_the_gateway_is(documents, model, web):
    model.ready = False
    server = documents(model, ready="/health")
    assert web.fetch(server.url, "/ready").status == 503
    model.ready = True
    assert web.fetch(server.url, "/ready").status == 200


def test_on_sigterm_it_finishes_the_document_it_has_and_exits_0(documents, model, web):
    server = documents(model)
    model.behave = lambda _: silent(model)
    last = web.open(server.url, path=DOCUMENTS, body={"text": "high tide", "id": "d"})
    web.eventually(lambda: model.asked)
    server.signal(signal.SIGTERM)
    model.released.set()
    assert last.finish().status == 201
    assert server.process.wait(10) == 0


def test_what_was_answered_survives_kill_9(documents, model, web):
    server = documents(model)
    reply = sent(web, server, WORDS)
    server.process.kill()
    server.process.wait(5)
    again = documents(model)
    assert sent(web, again, WORDS).json["state"] == "unchanged"
    assert web.fetch(again.url, f"{DOCUMENTS}/{reply.json['id']}").json["chunks"] == reply.json["chunks"]


def test_real_vectors_find_the_passage_that_answers(documents, engine, gateway, web):
    front = gateway(engine())
    server = documents(front)
    for name, text in {
        "tide": "The tide comes in twice a day and covers the harbour wall.",
        "bread": "Bread needs flour, water, salt and yeast, and an oven.",
        "rail": "The railway station closes at midnight.",
    }.items():
        assert sent(web, server, text, id=name).status == 201
    assert [one["document"] for one in found(web, server, "when is the railway station open", k=1)] == ["rail"]
    assert [one["document"] for one in found(web, server, "flour and yeast for bread", k=1)] == ["bread"]
    value = web.metrics(front.admin)
    assert value("gateway_requests_total", endpoint="embeddings", outcome="ok") == 5
    assert value("gateway_requests_total", outcome="ok") == 5
    # Vectors have no first token: the promise about first tokens neither counts them as slow nor as quick.
    assert value("gateway_ttft_seconds_count") == 0
    assert value("gateway_tokens_total") == 0
    assert all(line["tokens"] > 0 for line in front.lines)  # what went in is what the tenant has used


def test_with_its_only_engine_dead_a_document_fails_in_time_and_goes_in_later(documents, engine, gateway, web):
    port = web.port()
    backend = engine(port=port)
    server = documents(gateway(backend))
    backend.process.kill()
    backend.process.wait(5)
    began = time.monotonic()
    reply = sent(web, server, id="d")
    assert (reply.status, time.monotonic() - began < 5) == (503, True)
    assert int(reply.headers["retry-after"]) >= 1
    engine(port=port)
    web.eventually(lambda: web.fetch(server.url, "/ready").status == 200)
    assert sent(web, server, id="d").status == 201
    assert counts(web, server) == {"failed": 1, "stored": 1}
