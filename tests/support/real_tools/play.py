"""Plays golden answers through the tools' own code; prints what each says as JSON.

Run by a Python that can import what the tools need. Arguments: TOOL=FOLDER, where the tool's packages lie. Standard
input: the answers.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module

from absent import Empty


def main():
    sys.meta_path.insert(0, Empty())
    goldens, found = json.load(sys.stdin), {}
    out, sys.stdout = sys.stdout, sys.stderr
    for word in sys.argv[1:]:
        name, _, folder = word.partition("=")
        sys.path.insert(0, folder)
        each, run = import_module(f"{name}_says").says(goldens)
        found[name] = {"each": each, "run": run}
    json.dump(found, out)


if __name__ == "__main__":
    main()
