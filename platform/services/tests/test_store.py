"""The model store: whole or not there, each content once, no damage that is not seen. Attacked by real processes."""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refplatform.store import Manifest, ModelStore, Profile, StoreError, read_reference
from refplatform.store.__main__ import main
from refplatform.store.manifest import File, read_manifest

TEST = {
    "name": "test",
    "max_num_seqs": 8,
    "max_num_batched_tokens": 256,
    "max_model_len": 1024,
    "kv_cache_tokens": 4096,
    "c0": 0.002,
    "c_prefill": 0.0,
    "c_kv": 0.0,
    "c_seq": 0.0,
}
COMMAND = [sys.executable, "-m", "refplatform.store", "--store"]


def source(tmp_path, name="weights", **files):
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    for path, content in (files or {"model.bin": b"m" * 5000, "config.json": b"{}"}).items():
        (folder / path.replace("_", ".", 1)).write_bytes(content)
    return folder


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "store")


def add(store, tmp_path, version="1", name="weights", *, profile=None, **files):
    profile = profile or Profile()
    return store.add(read_reference(f"chat@{version}"), source(tmp_path, name, **files), profile)


def run(tmp_path, *words, **options):
    command = [*COMMAND, str(tmp_path / "store"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)


def blobs(tmp_path):
    return sorted((tmp_path / "store" / "blobs").glob("??/*"))


def damage(blob, content):
    blob.chmod(0o644)
    blob.write_bytes(content)


# Adding.


def test_a_version_is_its_files_its_profile_and_a_digest(store, tmp_path):
    manifest = add(store, tmp_path, profile=Profile(quantization="fp8", calibration="h100-fp8"))
    assert [file.path for file in manifest.files] == ["config.json", "model.bin"]
    assert manifest.size == 5002  # 5000 + 2
    assert store.find(read_reference("chat@1")) == manifest
    assert store.find(read_reference(f"chat@{manifest.digest}")) == manifest
    assert manifest.profile.calibration == "h100-fp8"


def test_equal_content_is_kept_once_over_files_and_versions(store, tmp_path):
    add(store, tmp_path, "1", a_bin=b"same", b_bin=b"same", c_bin=b"one")
    add(store, tmp_path, "2", "second", a_bin=b"same", c_bin=b"two")
    assert len(blobs(tmp_path)) == 3  # same, one, two


def test_the_same_again_changes_nothing_and_another_content_is_refused(store, tmp_path):
    first = add(store, tmp_path)
    assert add(store, tmp_path) == first
    with pytest.raises(StoreError, match="a version never changes"):
        add(store, tmp_path, a_bin=b"more")
    assert store.manifests() == (first,)


def test_a_single_file_is_a_model_too(store, tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"x")
    assert store.add(read_reference("org/chat@q4"), path, Profile()).files[0].path == "model.gguf"


def test_what_is_no_plain_file_is_refused(store, tmp_path):
    folder = source(tmp_path)
    os.mkfifo(folder / "pipe")
    with pytest.raises(StoreError, match="pipe: not a plain file"):
        store.add(read_reference("chat@1"), folder, Profile())
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreError, match="no files"):
        store.add(read_reference("chat@1"), tmp_path / "empty", Profile())
    with pytest.raises(StoreError, match="needs a version"):
        store.add(read_reference("chat"), folder, Profile())
    assert store.manifests() == ()


def test_an_add_that_is_killed_leaves_nothing_to_be_seen_and_can_be_repeated(store, tmp_path):
    folder = source(tmp_path, a_bin=b"first")
    with (folder / "z.bin").open("wb") as big:
        big.truncate(1_000_000_000)  # takes no space here
    process = subprocess.Popen([*COMMAND, str(tmp_path / "store"), "add", "chat@1", str(folder)])
    tmp = tmp_path / "store" / "tmp"
    while not (tmp.is_dir() and any(size > 1_000_000 for size in sizes(tmp))):
        assert process.poll() is None, "it was too fast to be killed"
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    assert store.manifests() == ()
    with pytest.raises(StoreError, match="not in the store"):
        store.find(read_reference("chat@1"))
    assert len(list(tmp.glob("*"))) == 1
    store.gc()
    assert list(tmp.glob("*")) == []
    assert blobs(tmp_path) == []  # also the first file, which was complete
    (folder / "z.bin").write_bytes(b"z")
    manifest = store.add(read_reference("chat@1"), folder, Profile())
    assert store.verify(manifest) == ()


def sizes(folder):
    for path in folder.glob("*"):
        with contextlib.suppress(FileNotFoundError):  # renamed meanwhile
            yield path.stat().st_size


def test_many_who_add_the_same_at_once_agree(tmp_path):
    folder = source(tmp_path, a_bin=b"a" * 300_000, b_bin=b"b" * 300_000)
    store = ModelStore(tmp_path / "store")
    failures = []

    def one(version):
        try:
            store.add(read_reference(f"chat@{version}"), folder, Profile())
        except Exception as error:  # noqa: BLE001 - a thread's error must reach the test
            failures.append(error)

    threads = [threading.Thread(target=one, args=(number % 2,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [manifest.version for manifest in store.manifests()] in (["0", "1"], ["1", "0"])
    assert len(blobs(tmp_path)) == 2
    assert all(store.verify(manifest) == () for manifest in store.manifests())


def test_of_two_who_add_different_contents_as_one_version_one_is_refused(tmp_path):
    store, refused = ModelStore(tmp_path / "store"), []

    def one(name):
        try:
            add(store, tmp_path, "1", name, a_bin=name.encode() * 50_000)
        except StoreError as error:
            refused.append(error)

    threads = [threading.Thread(target=one, args=(name,)) for name in ("left", "right")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert store.verify(store.find(read_reference("chat@1"))) == ()


def test_a_disk_that_takes_no_more_ends_the_add_with_75_and_leaves_nothing(tmp_path):
    folder = source(tmp_path, a_bin=b"a" * 3_000_000)

    def small_disk():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))  # bytes of any one file

    done = run(tmp_path, "add", "chat@1", folder, preexec_fn=small_disk)
    assert done.returncode == 75
    assert done.stderr.count("\n") == 1
    assert "File too large" in done.stderr
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file() and path.name != "lock"] == []


# Damage.


def test_every_kind_of_damage_is_told_with_the_blob(store, tmp_path):
    manifest = add(store, tmp_path, a_bin=b"aaaa", b_bin=b"bbbb", c_bin=b"cccc")
    by_path = {file.path: tmp_path / "store" / "blobs" / file.sha256[:2] / file.sha256 for file in manifest.files}
    damage(by_path["a.bin"], b"aaXa")
    damage(by_path["b.bin"], b"bb")
    by_path["c.bin"].unlink()
    flaws = {flaw.path: flaw for flaw in store.verify(manifest)}
    assert flaws["a.bin"].what.startswith("has the content of ")
    assert flaws["b.bin"].what == "has 2 bytes, not 4"
    assert flaws["c.bin"].what == "is missing"
    assert flaws["a.bin"].sha256 in str(flaws["a.bin"])
    with pytest.raises(StoreError, match="has the content of"):
        store.use(read_reference("chat@1"))
    assert store.used("chat") is None


def test_adding_again_heals(store, tmp_path):
    manifest = add(store, tmp_path)
    for blob in blobs(tmp_path):
        damage(blob, b"?")
    add(store, tmp_path)
    assert store.verify(manifest) == ()


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_manifest_in_which_one_byte_is_changed_is_refused_or_is_another_one(place, byte):
    files = (File(path="a.bin", sha256="0" * 64, size=4),)
    content = Manifest(name="chat", version="1", files=files, profile=Profile()).content
    changed = bytearray(content)
    changed[place % len(content)] = byte
    try:
        read = read_manifest(bytes(changed))
    except StoreError:
        return
    assert (read.content == content) is (bytes(changed) == content)


def test_a_manifest_that_was_moved_or_damaged_is_refused_and_stops_a_collection(store, tmp_path):
    add(store, tmp_path)
    path = tmp_path / "store" / "manifests" / "chat" / "1.json"
    (path.with_name("2.json")).write_bytes(path.read_bytes())
    with pytest.raises(StoreError, match=r"chat@2: the manifest is that of chat@1"):
        store.find(read_reference("chat@2"))
    (path.with_name("2.json")).write_bytes(path.read_bytes()[:40])
    with pytest.raises(StoreError, match=r"chat@2: the manifest cannot be read"):
        store.gc()
    assert len(blobs(tmp_path)) == 2


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../../x", "a\0b"])
def test_a_file_cannot_lead_out_of_its_model(path):
    with pytest.raises(StoreError):
        File(path=path, sha256="0" * 64, size=0)


@pytest.mark.parametrize(
    "text",
    ["", "@1", "../x@1", "a@../1", "a@", "/a@1", "a//b", "a@sha256:12/", "a b@1", "a.json@1", "a@x@y", "a" * 101],
)
def test_names_that_could_be_paths_are_refused(text):
    with pytest.raises(StoreError):
        read_reference(text)


# In use, and back.


def test_the_version_in_use_is_what_the_name_alone_means_and_back_is_one_move(store, tmp_path):
    add(store, tmp_path, "1", "w1", a_bin=b"one")
    add(store, tmp_path, "2", "w2", a_bin=b"two")
    with pytest.raises(StoreError, match="no version is in use"):
        store.find(read_reference("chat"))
    store.use(read_reference("chat@1"))
    with pytest.raises(StoreError, match="no previous version"):
        store.use_previous("chat")
    store.use(read_reference("chat@2"))
    assert store.find(read_reference("chat")).version == "2"
    used = store.use_previous("chat")
    assert (used.version, used.previous) == ("1", "2")
    assert store.use(read_reference("chat@1")) == used  # already
    assert store.use_previous("chat").version == "2"


def test_a_previous_version_that_is_not_whole_is_not_switched_to(store, tmp_path):
    add(store, tmp_path, "1", "w1", a_bin=b"one")
    first = blobs(tmp_path)[0]
    add(store, tmp_path, "2", "w2", a_bin=b"two")
    store.use(read_reference("chat@1"))
    store.use(read_reference("chat@2"))
    first.unlink()
    with pytest.raises(StoreError, match="is missing"):
        store.use_previous("chat")
    assert store.used("chat").version == "2"


def test_a_version_can_be_laid_out_without_taking_space(store, tmp_path):
    manifest = add(store, tmp_path)
    store.checkout(manifest, tmp_path / "out")
    assert (tmp_path / "out" / "model.bin").read_bytes() == b"m" * 5000
    assert (tmp_path / "out" / "model.bin").stat().st_nlink == 2
    for blob in blobs(tmp_path):
        blob.unlink()
    with pytest.raises(OSError, match="No such file"):
        store.checkout(manifest, tmp_path / "broken")
    assert [path for path in tmp_path.iterdir() if "broken" in path.name] == []


# Collecting.


def test_a_collection_keeps_what_a_version_needs_and_what_is_in_use(store, tmp_path):
    for version in "12345":
        add(store, tmp_path, version, f"w{version}", a_bin=version.encode(), same_bin=b"same")
        os.utime(tmp_path / "store" / "manifests" / "chat" / f"{version}.json", (int(version), int(version)))
    store.use(read_reference("chat@1"))
    store.use(read_reference("chat@2"))
    collected = store.gc(keep=1)
    assert collected.versions == ("chat@3", "chat@4")  # 5 is the newest, 2 in use, 1 the one before
    assert (collected.blobs, collected.size) == (2, 2)
    assert [manifest.version for manifest in store.manifests()] == ["1", "2", "5"]
    assert all(store.verify(manifest) == () for manifest in store.manifests())
    assert store.gc().blobs == 0


def test_a_collection_waits_until_nobody_adds(store, tmp_path):
    import fcntl

    add(store, tmp_path)
    with (tmp_path / "store" / "lock").open("ab") as handle:
        fcntl.flock(handle, fcntl.LOCK_SH)  # somebody adds
        thread = threading.Thread(target=store.gc)
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
        fcntl.flock(handle, fcntl.LOCK_UN)
        thread.join(10)
    assert not thread.is_alive()


# On the command line.


@pytest.fixture
def command(tmp_path, capsys):
    """Runs the command line in this process: its exit code, and what it said on both streams."""

    def call(*words):
        with pytest.raises(SystemExit) as ended:
            main(["--store", str(tmp_path / "store"), *map(str, words)])
        return (ended.value.code, *capsys.readouterr())

    return call


def test_the_verbs_say_what_they_did_and_end_with_their_codes(tmp_path, command):
    code, _, complaint = command("verify")
    assert (code, complaint.count("\n")) == (10, 1)  # nothing was verified
    assert command("add", "chat@1", source(tmp_path), "--quantization", "fp8")[1].split()[0] == "chat@1"
    assert command("use", "chat@1") == (0, "chat@1 in use\n", "")
    assert "fp8" in command("list")[1]
    assert json.loads(command("list", "--json")[1])["in_use"] is True
    assert command("verify", "chat") == (0, "chat@1: 2 files as they were added\n", "")
    assert command("gc", "--keep", "1") == (0, "0 blobs, 0 bytes\n", "")
    code, said, complaint = command("use", "chat", "--previous")
    assert (code, said, complaint.count("\n")) == (2, "", 1)
    damage(blobs(tmp_path)[0], b"?")
    code, said, _ = command("verify")
    assert (code, said.count("\n")) == (1, 1)
    code, _, complaint = command("verify", "chat@9")
    assert (code, complaint.count("\n")) == (2, 1)


# Engines.


def arguments(tmp_path, port, *words, calibration=None):
    given = calibration or tmp_path / "test.json"
    if calibration is None:
        given.write_text(json.dumps(TEST))
    return ["--port", port, "--calibration", given, "--model-store", tmp_path / "store", *words]


def test_an_engine_serves_a_version_under_the_models_name_with_the_profiles_calibration(spawn, store, tmp_path, web):
    add(store, tmp_path, profile=Profile(calibration="fp8"))
    folder = tmp_path / "calibrations"
    folder.mkdir()
    (folder / "fp8.json").write_text(json.dumps(TEST | {"max_model_len": 777}))
    port = web.port()
    words = arguments(tmp_path, port, "--model", "chat@1", calibration=folder)
    server = spawn("refplatform.engine", *words, url=f"http://127.0.0.1:{port}", ready="/health")
    card = web.fetch(server.url, "/v1/models").json["data"][0]
    assert (card["id"], card["max_model_len"]) == ("chat", 777)
    assert web.ask(server.url, 1).status == 200


@pytest.mark.parametrize("model", ["chat@1", "chat"])
def test_an_engine_refuses_damaged_weights_before_it_listens(store, tmp_path, model, web):
    add(store, tmp_path)
    store.use(read_reference("chat@1"))
    wrong = blobs(tmp_path)[0]
    damage(wrong, b"?")
    words = arguments(tmp_path, web.port(), "--model", model)
    command = [sys.executable, "-m", "refplatform.engine", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert wrong.name in done.stderr


def test_an_engine_without_its_model_says_so_and_ends_with_2(tmp_path, web):
    words = arguments(tmp_path, web.port(), "--model", "chat@1")
    command = [sys.executable, "-m", "refplatform.engine", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "chat@1: not in the store" in done.stderr


def test_a_lazy_engine_listens_at_once_and_its_first_request_waits_for_the_weights(spawn, store, tmp_path, web):
    add(store, tmp_path)
    port = web.port()
    words = arguments(tmp_path, port, "--model", "chat@1", "--lazy", "--load-seconds", "0.5")
    server = spawn("refplatform.engine", *words, url=f"http://127.0.0.1:{port}", ready="/health")
    began = time.monotonic()
    assert web.ask(server.url, 1).status == 200
    assert time.monotonic() - began >= 0.5
    assert web.ask(server.url, 1).status == 200


def test_a_lazy_engine_with_damaged_weights_answers_nothing_and_is_not_healthy(spawn, store, tmp_path, web):
    add(store, tmp_path)
    wrong = blobs(tmp_path)[0]
    damage(wrong, b"?")
    port = web.port()
    words = arguments(tmp_path, port, "--model", "chat@1", "--lazy")
    server = spawn("refplatform.engine", *words, url=f"http://127.0.0.1:{port}", ready="/health")
    refused = web.ask(server.url, 1)
    assert refused.status == 503
    assert wrong.name in refused.json["error"]["message"]
    assert web.fetch(server.url, "/health").status == 503
