"""Run folders that hold nothing but a manifest and a load record of given streams."""

from __future__ import annotations

import json

from holdfast.store.load import LINES
from holdfast.store.pieces import LETTERS

MANIFEST = {
    "schema": "holdfast/run/v1",
    "scenario": "quickstart",
    "scenario_file": "scenarios/quickstart.yaml",
    "seed": 7,
    "zero": {"monotonic": 1000.0, "wall": 1_772_360_100.0},
    "versions": {"holdfast": "0.1.0"},
}


def line_of(stream):
    """A request as the load generator writes it."""
    start = stream.sent or 0.0
    return {
        "kind": "request",
        **{name: getattr(stream, name) for name in ("id", "due", "sent", "written", "headers", "ended", "status")},
        **{name: getattr(stream, name) for name in ("outcome", "error", "asked_tokens", "prompt_tokens")},
        "tokens": stream.answer_tokens,
        "counted": "events" if stream.answer_tokens is None else "server",
        "model": "sim",
        "content": "",
        "at": [round((piece.t - start) * 1e6) for piece in stream.pieces],
        "kinds": "".join(LETTERS[piece.kind] for piece in stream.pieces),
        "counts": [piece.tokens for piece in stream.pieces],
    }


def a_run(folder, streams, **changes):
    """Make the folder; `changes` replace keys of its manifest."""
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(MANIFEST | changes), encoding="utf-8")
    lines = [
        {"kind": "start", "planned": len(streams), "seed": 7},
        *map(line_of, streams),
        {"kind": "end", "dropped": 0},
    ]
    (folder / LINES).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return folder
