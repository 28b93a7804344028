"""Debian's Alertmanager outside of /usr: only the path of its templates changes, and nothing moves."""

from __future__ import annotations

from holdfast.platforms import relocation

OLD = relocation.COMPILED_IN.encode()


def test_the_templates_folder_is_replaced_in_place_and_longer_paths_stay():
    program = b"before" + OLD + b"between" + OLD + b"/ui/after"
    made = relocation.patched(program)
    assert len(made) == len(program)
    assert made == b"before../../programs/templates" + b"/" * 10 + b"between" + OLD + b"/ui/after"


def test_only_a_program_from_an_unpacked_package_with_templates_is_relocated(tmp_path):
    program = tmp_path / "usr" / "bin" / "prometheus-alertmanager"
    program.parent.mkdir(parents=True)
    program.write_bytes(OLD)
    assert relocation.needed(program) is None
    templates = tmp_path / relocation.COMPILED_IN.lstrip("/")
    templates.mkdir(parents=True)
    (templates / "default.tmpl").write_text("{{ }}")
    move = relocation.needed(program)
    state = tmp_path / "state"
    (state / relocation.FOLDER).mkdir(parents=True)
    relocation.relocate(move, state)
    assert move.target(state).stat().st_mode & 0o111
    assert (state / "data/alertmanager/../../programs/templates/default.tmpl").parent.name == "templates"
    assert (state / "programs/templates/default.tmpl").read_text() == "{{ }}"
