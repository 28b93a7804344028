"""The admin door: who may in, what it refuses and how, leases that are renewed, and nothing of it at the data port."""

import socket
import subprocess
import sys
import time

import pytest

from refplatform.engine.faults.catalogue import known


@pytest.mark.parametrize("token", ["", "wrong", "a-token-for-the-tests-alon"])
@pytest.mark.parametrize(("method", "path"), [("GET", "/faults"), ("POST", "/faults"), ("DELETE", "/faults/abc")])
def test_nobody_gets_in_without_the_token(rig, method, path, token):
    status, body = rig.admin(method, path, {}, token=token)
    assert (status, body) == (401, {"problems": ["the admin door opens to its bearer token alone"]})


def test_the_door_listens_on_loopback_alone_and_the_data_port_does_not_serve_it(rig):
    assert rig.get("/faults") == 404
    port = int(rig.door.rsplit(":", 1)[1])
    with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(("127.0.0.2", port))  # bound to 0.0.0.0 it would accept


def test_begin_says_when_it_ends_and_get_says_what_it_does(rig):
    status, told = rig.admin("POST", body={"fault": "stall", "lease": 5, "parameters": {"tokens": 2}})
    assert status == 201
    assert told["ends_at"] == pytest.approx(time.time() + 5, abs=2)
    assert told["parameters"] == {"tokens": 2}
    assert (told["active"], told["matched"], told["picked"], told["struck"]) == (True, 0, 0, 0)
    assert 2 < rig.told(told["id"])["remaining"] <= 5
    assert rig.admin("DELETE", f"/faults/{told['id']}")[1]["remaining"] == 0


def test_a_fault_may_bear_a_name_that_was_written_down_before(rig):
    wish = {"fault": "no-done", "lease": 5, "id": "a1B2c3"}
    assert rig.admin("POST", body=wish)[1]["id"] == "a1B2c3"
    assert "id: a fault was begun as a1B2c3 before" in rig.admin("POST", body=wish)[1]["problems"]
    assert rig.admin("DELETE", "/faults/a1B2c3")[1]["active"] is False
    assert rig.admin("POST", body=wish)[0] == 422  # what was ended by name stays ended
    assert rig.admin("POST", body=wish | {"id": "../x"})[1]["problems"][0].startswith("id: String should match")


def test_all_problems_are_said_at_once(rig):
    body = {"fault": "slow", "lease": 31, "parameters": {"first": -1, "each": "x", "last": 1}, "pick": {"percent": 101}}
    status, told = rig.admin("POST", body=body | {"more": 1})
    assert status == 422
    assert [problem.split(":")[0] for problem in told["problems"]] == [
        *("lease", "more", "parameters.first", "parameters.each", "parameters.last", "pick.percent")
    ]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"fault": "quake", "lease": 1}, "there is no 'quake'; there are black-hole, cold-prefix-cache"),
        ({"fault": "hang", "lease": 0}, "lease: Input should be greater than 0"),
        ({"fault": "hang"}, "lease: Field required"),
        ({"fault": "hang", "lease": 1, "pick": {"percent": 5}}, "hang touches the whole engine, not single answers"),
        ({"fault": "xid", "lease": 1, "parameters": {"gpu": 2}}, "the engine has 2 of them, counted from 0"),
        ({"fault": "stall", "lease": 1, "parameters": {"tokens": True}}, "parameters.tokens: Input should be a valid"),
        ([], "expected a JSON object"),
    ],
)
def test_what_cannot_be_done_is_refused_and_not_begun(rig, body, problem):
    before = len(rig.admin("GET")[1]["faults"])
    status, told = rig.admin("POST", body=body)
    assert status == 422
    assert problem in "\n".join(told["problems"])
    assert len(rig.admin("GET")[1]["faults"]) == before


def test_a_lease_is_renewed_while_it_lasts_and_not_afterwards(rig):
    one = rig.begin("core-dead", lease=5)
    assert rig.admin("PUT", f"/faults/{one}", {"lease": 31})[0] == 422
    status, told = rig.admin("PUT", f"/faults/{one}", {"lease": 1.0})
    assert (status, told["active"]) == (200, True)
    assert told["remaining"] == pytest.approx(1.0, abs=0.1)
    rig.until(lambda: not rig.told(one)["active"])
    assert rig.admin("PUT", f"/faults/{one}", {"lease": 1})[0] == 404
    assert rig.ask().outcome == "ok"


def test_delete_ends_all_the_last_begun_first_and_twice_is_no_more_than_once(rig):
    begun = [rig.begin(fault) for fault in ("core-dead", "kv-exhaustion", "no-done")]
    assert [one["id"] for one in rig.admin("DELETE")[1]["ended"]] == begun[::-1]
    assert rig.admin("DELETE") == (200, {"ended": []})
    assert rig.admin("DELETE", f"/faults/{begun[0]}")[0] == 200
    assert rig.ask().outcome == "ok"


def test_what_is_not_there_is_404_and_what_is_not_done_405(rig):
    assert [rig.admin(*ask)[0] for ask in (("GET", "/faults/abc"), ("DELETE", "/faults/abc"), ("GET", "/"))] == [
        404
    ] * 3
    assert rig.admin("PUT", "/faults", {"lease": 1})[0] == 405


def test_each_fault_has_its_series_from_the_start_and_vllms_families_stay_alone(rig):
    assert all(rig.counted(name) is not None for name in known())
    lines = [line for line in rig.text("/metrics").splitlines() if "fault" in line and not line.startswith("#")]
    assert {line.split("{")[0] for line in lines} == {"refplatform_engine_fault_strikes_total"}


# How it is opened.


@pytest.fixture
def refused(tmp_path):
    """Starts an engine with these options, which must end; its exit status and what it said."""

    def start(*more, environment=None):
        calibration = tmp_path / "calibration.json"
        calibration.write_text(
            '{"name": "t", "max_num_seqs": 1, "max_num_batched_tokens": 2, "max_model_len": 2, "kv_cache_tokens": 32,'
            ' "c0": 1, "c_prefill": 0, "c_seq": 0, "c_kv": 0}'
        )
        command = [sys.executable, "-m", "refplatform.engine", "--port", "0", "--model", "m", "--calibration"]
        command += [str(calibration), "--fault-port", "0", *map(str, more)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=30, check=False, env=environment or {"PATH": ""}
        )
        return done.returncode, done.stderr

    return start


def test_there_is_no_door_without_a_token(refused, tmp_path):
    code, said = refused()
    assert code == 2
    assert "needs a token of at least 16 characters" in said
    token = tmp_path / "token"
    token.touch(0o600)
    assert refused("--fault-token-file", token)[0] == 2


def test_a_token_that_others_can_read_is_refused(refused, tmp_path):
    token = tmp_path / "token"
    token.write_text("long-enough-to-be-a-token")
    token.chmod(0o640)
    code, said = refused("--fault-token-file", token)
    assert code == 2
    assert "mode 600" in said
