"""Keys that change while the gateway runs, and tenants beside one another: what one does is no other's trouble."""

import json


def config(web, server):
    return web.metrics(server.admin)("gateway_config_last_reload_successful")


def put(path, text):
    """As a configuration is pushed: whole, in one step."""
    draft = path.with_suffix(".new")
    draft.write_text(text)
    draft.replace(path)


def test_a_key_that_is_taken_out_opens_nothing_and_a_new_one_does(engine, gateway, web, tmp_path):
    server, keys = gateway(engine()), tmp_path / "keys.json"
    before = keys.read_text()
    assert web.ask(server.url, 1).status == 200
    put(keys, json.dumps({"sk-new": "initech"}))
    web.eventually(lambda: web.ask(server.url, 1).status == 401)
    assert web.ask(server.url, 1, key="sk-new").status == 200
    put(keys, before)
    web.eventually(lambda: web.ask(server.url, 1).status == 200)
    assert web.ask(server.url, 1, key="sk-new").status == 401
    assert config(web, server) == 1


def test_a_bad_key_file_changes_nothing_but_is_told(engine, gateway, web, tmp_path):
    server, keys = gateway(engine()), tmp_path / "keys.json"
    before = keys.read_text()
    for bad in ("{not json", "{}", '{"sk-1": 5}', ""):
        put(keys, bad)
        web.eventually(lambda: config(web, server) == 0)
        assert web.ask(server.url, 1).status == 200
        put(keys, before)
        web.eventually(lambda: config(web, server) == 1)
    keys.unlink()
    web.eventually(lambda: config(web, server) == 0)
    assert web.ask(server.url, 1).status == 200
    put(keys, before)
    web.eventually(lambda: config(web, server) == 1)
    told = [line["reason"] for line in server.lines if line["event"] == "keys refused"]
    assert told[0] == "not JSON at line 1"
    assert len(told) == 5
    assert "sk-" not in server.log.read_text()


def test_requests_are_counted_by_tenant_and_the_nameless_together(engine, gateway, web):
    server = gateway(engine())
    assert web.metrics(server.admin)("gateway_requests_total", tenant="globex") == 0  # exists before it happens
    web.ask(server.url, 2)
    web.ask(server.url, 2, key="sk-other")
    web.ask(server.url, 2, key="sk-wrong")
    value = web.metrics(server.admin)
    assert value("gateway_requests_total", tenant="acme", code="200") == 1
    assert value("gateway_requests_total", tenant="globex", code="200") == 1
    assert value("gateway_requests_total", tenant="", code="401") == 1
    assert value("gateway_ttft_seconds_count", tenant="acme") == 1
    assert value("gateway_streams_total", tenant="acme", ending="complete") == 1


def test_one_tenant_cannot_take_anothers_share(engine, gateway, web):
    server = gateway(engine(c0=0.05), fair_above=4)
    quiet = web.open(server.url, path=web.path, body=web.chat(400), key="sk-other").until(b'"content":"')
    noisy = [web.open(server.url, path=web.path, body=web.chat(400)).until(b'"content":"') for _ in range(3)]
    held = web.ask(server.url, 1)
    assert (held.status, held.json["error"]["type"], held.headers["retry-after"]) == (429, "rate_limit_error", "1")
    assert web.ask(server.url, 1, key="sk-other").status == 200  # the house is full, its share is not
    value = web.metrics(server.admin)
    assert value("gateway_requests_total", code="429", outcome="rejected", tenant="acme") == 1
    assert value("gateway_requests_total", code="429", tenant="globex") == 0
    for one in (quiet, *noisy):
        one.drop()
    web.eventually(lambda: web.ask(server.url, 1).status == 200)


def test_the_engine_stops_within_a_second_once_the_client_has_left(engine, gateway, web):
    backend = engine(c0=0.05)
    server = gateway(backend)
    streams = [web.open(server.url, path=web.path, body=web.chat(400)).until(b'"content":"') for _ in range(5)]
    assert web.metrics(backend.url)("vllm:num_requests_running") == 5
    for one in streams:
        one.drop()
    web.eventually(lambda: web.metrics(backend.url)("vllm:num_requests_running") == 0, within=1.0)
    assert web.metrics(backend.url)("vllm:kv_cache_usage_perc") == 0
