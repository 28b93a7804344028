"""What faults of the packet filter ask of the kernel: the rules as text, and what is refused. Needs no root."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast import faults
from holdfast.errors import InfrastructureError, TargetError
from holdfast.faults.ways import nft
from holdfast.model.fault import Strike
from holdfast.model.hands import Address
from holdfast.model.platform import Identity
from targets import Targets
from wires import PORTS, Wires

GOLDEN = Path(__file__).parent / "golden"
AT_ADDRESSES = ("partition", "one_way", "reject", "drop_percent", "throttle")
AT_CONNECTIONS = ("stall_connections", "kill_connections")
ENGINE = Identity(name="engine-1", role="engine", unit="7@42")


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("partition", {}),
        ("one_way", {"lost": "requests"}),
        ("one_way", {"lost": "answers"}),
        ("reject", {}),
        ("drop_percent", {"percent": 30}),
        ("throttle", {"kbit": 1000}),
    ],
)
def test_the_rules_at_an_address_are_these(golden, fault, options):
    strike = Strike(id="a1b2", fault=fault, target=ENGINE, options=options)
    elements = (nft.Element(key=(Address("127.0.0.1", 8001),), unit="7@42"),)
    name = "-".join([fault, *map(str, options.values())])
    golden(GOLDEN / f"{name}.nft", faults.find(fault).script(elements, strike))


@pytest.mark.parametrize("fault", AT_CONNECTIONS)
def test_the_rules_at_live_connections_are_these(golden, fault):
    strike = Strike(id="a1b2", fault=fault, target=ENGINE, lease=1.5)
    here = Address("127.0.0.1", 8001)
    elements = [nft.Element(key=(here, Address("127.0.0.1", port)), unit="7@42") for port in (40001, 40002)]
    golden(GOLDEN / f"{fault}.nft", faults.find(fault).script(elements, strike))


def test_a_dry_run_prints_them_and_asks_the_kernel_nothing(tmp_path):
    wires = Wires(PORTS)
    strike = Strike(id="a1b2", fault="reject", target=ENGINE)
    (said,) = faults.find("reject").commands(Targets(tmp_path, hands={"network": wires}), strike)
    assert said == f"nft -f - <<'END'\n{(GOLDEN / 'reject.nft').read_text()}END"
    assert wires.asked == []


@pytest.mark.parametrize("name", ["", "a b", "a;b", "../x", "a" * 33, "{", "ä"])
def test_an_id_that_could_be_more_than_a_name_is_refused(name):
    with pytest.raises(TargetError, match="is not the id of a strike"):
        nft.scrap(name)


def test_a_unit_cannot_break_out_of_its_quotes():
    odd = nft.Element(key=(Address("127.0.0.1", 1),), unit='x" } } delete table inet other #')
    assert 'comment "x______delete_table_inet_other__"\n' in nft.script("a", [odd], 1.0, [])


@pytest.mark.parametrize(("lease", "seconds"), [(0.2, 1), (1.0, 1), (1.2, 2), (20.0, 20)])
def test_a_lease_is_whole_seconds_and_never_none(lease, seconds):
    # timeout 0s would mean: for ever
    element = nft.Element(key=(Address("127.0.0.1", 1),), unit="u")
    assert f" timeout {seconds}s " in nft.script("a", [element], lease, [])


@pytest.mark.parametrize("percent", [0, 4, 96, 100, 12.5, "30", None])
def test_a_percentage_that_is_nothing_all_or_no_whole_number_is_refused(percent):
    with pytest.raises(TargetError, match="percent: "):
        faults.find("drop_percent").read({"percent": percent})


@pytest.mark.parametrize("fault", AT_ADDRESSES)
def test_an_address_that_others_share_is_refused(tmp_path, fault):
    shared = Targets(tmp_path, hands={"network": Wires({"gateway-1": 80, "gateway-2": 80})})
    shared.start("gateway-1", "sleep", "60")
    try:
        with pytest.raises(TargetError, match="gateway-1 shares port 80"):
            faults.find(fault).apply(shared, shared.strike(fault, "gateway-1"))
    finally:
        shared.close()


def test_a_program_that_fails_is_told_and_never_taken_for_an_answer(tmp_path):
    wires = Wires()
    with pytest.raises(InfrastructureError, match="false failed"):
        wires.command(None, ["false"])
    with pytest.raises(InfrastructureError, match="no-such-program could not be run"):
        wires.command(None, ["no-such-program"])
