"""From a profile to the files that supervisord, Prometheus and Alertmanager read."""

from __future__ import annotations

import configparser
import json
import re
import shlex
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import SpecError, UsageError
from holdfast.platforms import configuration, processes, profile
from holdfast.platforms.layout import Layout
from holdfast.platforms.processes import Place, Process, Tool

HOME = Path(__file__).parents[2] / "platform" / "local"
GOLDEN = Path(__file__).parent / "golden"
WHERE = Layout(state=Path("/srv/state"))
PLACE = Place(state=WHERE.state, home=Path("/srv/platform/local"), python="/usr/bin/python3", keys=WHERE.keys)
MINIMAL = """
title: one
options: {failover: on, count: 2}
processes:
  - {name: engine, replicas: "{count}", command: [serve, "{port}", "{failover}"], ready: {tcp: port}}
endpoints: {gateway: "", prometheus: "", alertmanager: "", alerts: ""}
"""


def sim(**options: str) -> tuple[tuple[Process, ...], dict[str, str]]:
    read = profile.read((HOME / "sim.yaml").read_text(), "sim.yaml")
    chosen = profile.with_options(read, options)
    found = processes.slots(read, chosen)
    ports = {name: 20_001 + number for number, name in enumerate(processes.port_names(found))}
    tools = {name: Tool(path=f"/usr/bin/{name}", version="1.2") for name in processes.tools_used(read)}
    tools["redis-server"] = Tool(path="/opt/redis-server", environment=(("LD_LIBRARY_PATH", "/opt/lib"),))
    known = processes.common(found, options=chosen, ports=ports, tools=tools, place=PLACE)
    return processes.expand(found, known=known, ports=ports, tools=tools), known


def test_supervisord_conf_of_the_sim_profile(golden):
    made, _ = sim()
    text = configuration.supervisord(
        made, where=WHERE, socket=Path("/srv/state/run/supervisor.sock"), setpriv="/usr/bin/setpriv"
    )
    golden(GOLDEN / "supervisord.conf", text)


def test_prometheus_targets_of_the_sim_profile(golden):
    made, _ = sim()
    golden(
        GOLDEN / "targets.json",
        json.dumps({k: json.loads(v) for k, v in configuration.targets(made).items()}, indent=2),
    )


@pytest.mark.parametrize("name", ["prometheus.yaml", "alertmanager.yaml"])
def test_configuration_files_of_the_sim_profile(golden, name):
    _, known = sim()
    text = processes.fill((HOME / name).read_text(), known)
    assert yaml.safe_load(text)
    golden(GOLDEN / name, text)


def test_gateways_share_one_port_and_have_an_admin_port_each():
    made, _ = sim(gateways="3")
    gateways = [one for one in made if one.role == "gateway"]
    assert len({one.port for one in gateways}) == 1
    assert len({one.admin for one in gateways}) == 3


def test_an_option_reaches_the_command_and_on_stays_a_word():
    def failover(made):
        words = next(one.command for one in made if one.role == "gateway")
        return words[words.index("--failover") + 1]

    assert failover(sim()[0]) == "on"
    assert failover(sim(failover="off")[0]) == "off"


def test_faults_may_touch_what_serves_but_not_the_record_of_alerts():
    made, _ = sim()
    assert {one.role for one in made if not one.faults} == {"links", "reaper"}


def test_no_option_port_or_placeholder_is_silently_ignored():
    read = profile.read(MINIMAL, "x.yaml")
    with pytest.raises(UsageError, match="no option fail-over"):
        profile.with_options(read, {"fail-over": "off"})
    with pytest.raises(UsageError, match=r"\{tool:x\} in .* means nothing here"):
        processes.fill("{tool:x}", {})


@pytest.mark.parametrize("count", ["0", "-1", "many", "101", ""])
def test_a_count_of_replicas_is_a_whole_number_from_1_to_100(count):
    with pytest.raises(UsageError, match="expected 1 to 100 replicas"):
        processes.slots(profile.read(MINIMAL, "x.yaml"), {"count": count})


def test_every_problem_of_a_profile_is_reported_at_once():
    broken = MINIMAL.replace("title: one", "titel: one").replace("ready: {tcp: port}", "ready: {tcp: door}")
    with pytest.raises(SpecError) as error:
        profile.read(broken, "x.yaml")
    text = str(error.value)
    assert "x.yaml: titel: Extra inputs are not permitted" in text
    assert "x.yaml: title: Field required" in text
    assert "processes.0.ready" in text


def test_a_profile_that_is_not_yaml_is_a_problem_at_its_line():
    with pytest.raises(SpecError, match=r"x.yaml:2:"):
        profile.read("title: one\n  processes: [", "x.yaml")


def test_an_unknown_profile_names_those_there_are(tmp_path):
    with pytest.raises(UsageError) as error:
        profile.find("simm", HOME)
    assert "sim" in error.value.hint


def test_braces_of_go_templates_and_promql_stay():
    text = '{{ $labels.instance }} up{job="engine"} {{ "x" }}'
    assert processes.fill(text, {}) == text


WORDS = st.text(st.characters(exclude_categories=("C",)), min_size=1)


@given(st.lists(WORDS, min_size=1, max_size=4), WORDS)
def test_supervisord_reads_back_every_command_that_is_written_for_it(words, value):
    process = Process(
        name="one", role="one", command=tuple(words), environment=(("NAME", value),), port=1, admin=0, ready="",
        metrics="", faults=False, program="", version="",
    )  # fmt: skip
    try:
        text = configuration.supervisord([process], where=WHERE, socket=Path("/s"), setpriv="")
    except UsageError:
        assert re.search(r"\s[;#]", shlex.join([f"NAME={value}", *words]))
        return
    # supervisord's own reader: a RawConfigParser with these comment signs, %-expansion, then shlex.
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"), strict=False)
    parser.read_string(text)
    assert shlex.split(parser["program:one"]["command"] % {}) == ["env", f"NAME={value}", *words]


def test_gateways_reach_engines_and_redis_through_the_links():
    made, known = sim()
    links = next(one for one in made if one.name == "links")
    routes = dict(one.split("=", 1) for one in links.command[links.command.index("--routes") + 1].split(","))
    behind = {one.name: one for one in made if one.via}
    assert list(routes) == list(behind) == ["redis", "engine-1", "engine-2", "engine-3"]
    for name, one in behind.items():
        assert (one.via, routes[name]) == ("links", f"127.0.0.1:{one.link}=127.0.0.1:{one.port}")
    gateway = next(one for one in made if one.role == "gateway").command
    engines = ",".join(one.way for name, one in behind.items() if name != "redis")
    assert behind["engine-1"].way == f"http://engine-1.platform.internal:{behind['engine-1'].link}"
    assert engines in gateway
    assert f"redis://127.0.0.1:{behind['redis'].link}/0" in gateway
    assert known["urls:engine"] != known["links:engine"]  # what scrapes the engines does not go through


def words_after(process, *flags):
    return tuple(process.command[process.command.index(flag) + 1] for flag in flags)


def test_gateways_ask_the_links_for_the_names_of_engines():
    made, known = sim()
    links, gateway = (next(one for one in made if one.name == name) for name in ("links", "gateway-1"))
    assert words_after(links, "--domain") == ("platform.internal",)
    assert words_after(gateway, "--resolver", "--upstream-ca") == (f"127.0.0.1:{links.port}", "")
    assert known["resolver:redis"] == ""  # it speaks no HTTP, and is known by its address


def test_without_names_gateways_know_addresses():
    made, _ = sim(names="off")
    gateway, engine = (next(one for one in made if one.name == name) for name in ("gateway-1", "engine-1"))
    assert words_after(gateway, "--resolver", "--upstream-ca") == ("", "")
    assert engine.way == f"http://127.0.0.1:{engine.link}"


@pytest.mark.parametrize(("names", "host"), [("lab.internal", "engine-1.lab.internal"), ("off", "127.0.0.1")])
def test_with_tls_gateways_believe_the_platforms_authority_and_the_links_end_it_for_engines_alone(names, host):
    made, _ = sim(tls="on", names=names)
    links, gateway, engine = (next(one for one in made if one.name == n) for n in ("links", "gateway-1", "engine-1"))
    assert words_after(gateway, "--upstream-ca") == ("/srv/state/config/tls/ca.pem",)
    assert engine.way == f"https://{host}:{engine.link}"
    routes = words_after(links, "--routes")[0].split(",")
    assert [one.endswith("=tls") for one in routes] == [False, True, True, True]  # redis, engines


def test_without_links_gateways_reach_engines_straight():
    made, known = sim(links="off")
    assert all(one.name != "links" and not one.link and not one.via for one in made)
    assert known["links:engine"] == known["urls:engine"]
    assert known["link:redis"] == known["port:redis"]
