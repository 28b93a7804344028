"""The state folder: whose it is, who works in it, what may be emptied, what a failing disk says."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import PlatformError, UsageError
from holdfast.platforms import document, layout
from holdfast.platforms.document import Document, Member, Overseer


def test_only_one_at_a_time_works_on_a_state_folder(tmp_path):
    where = layout.layout(tmp_path)
    with layout.locked(where), pytest.raises(PlatformError, match=rf"another holdfast \(pid {os.getpid()}\)"):
        layout.locked(where).__enter__()
    with layout.locked(where):
        pass  # free again


def test_a_folder_with_somebody_elses_files_is_never_emptied(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(UsageError, match="not Holdfast's"):
        layout.fresh(tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "precious"


def test_our_own_folder_is_emptied(tmp_path):
    folder = tmp_path / "data"
    layout.fresh(folder)
    (folder / "old").touch()
    layout.fresh(folder)
    assert [file.name for file in folder.iterdir()] == [layout.MARK]


def test_a_secret_is_readable_by_its_owner_only(tmp_path):
    layout.write(tmp_path / "key", "s", secret=True)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


@pytest.mark.parametrize(("number", "cause"), [(errno.ENOSPC, "no space left"), (errno.EROFS, "Read-only file system")])
def test_a_failing_disk_is_named_with_its_cause(number, cause):
    with pytest.raises(PlatformError, match=f"/srv/state: {cause}"), layout.naming(Path("/srv/state")):
        raise OSError(number, os.strerror(number))


def test_a_state_path_that_is_a_file_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(PlatformError, match="cannot write the state folder"):
        layout.locked(layout.layout(tmp_path / "file")).__enter__()


TEXT = st.text(max_size=8)
MEMBERS = st.builds(
    Member, name=TEXT, role=TEXT, port=st.integers(0, 65535), admin=st.integers(0, 65535), ready=TEXT, metrics=TEXT,
    faults=st.booleans(), program=TEXT, version=TEXT, log=TEXT,
)  # fmt: skip
DOCUMENTS = st.builds(
    Document, version=st.just(document.VERSION), phase=st.sampled_from(["starting", "up"]), profile=TEXT,
    options=st.dictionaries(TEXT, TEXT, max_size=2), started=st.floats(0, 2e9), fingerprint=TEXT,
    supervisor=st.builds(Overseer, pid=st.integers(0, 9), ticks=st.integers(0, 9), socket=TEXT),
    endpoints=st.dictionaries(TEXT, TEXT, max_size=2), processes=st.lists(MEMBERS, max_size=2).map(tuple),
    remembered=st.lists(TEXT, max_size=2).map(tuple),
)  # fmt: skip


@given(DOCUMENTS)
def test_platform_json_reads_back_what_was_written(record):
    assert document.parse(record.text(), "platform.json") == record


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"version": 1}', '{"version": 1, "supervisor": 3}'])
def test_a_damaged_platform_json_says_so(text):
    with pytest.raises(PlatformError, match=r"platform.json is damaged"):
        document.parse(text, "platform.json")


def test_a_platform_json_of_another_version_says_so():
    with pytest.raises(PlatformError, match="version 7, expected 1"):
        document.parse('{"version": 7}', "platform.json")
