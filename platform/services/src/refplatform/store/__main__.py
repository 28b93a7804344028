"""The model store on the command line: `python -m refplatform.store --help`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from refplatform import process
from refplatform.store.engines import EngineRefusedError, Way, take_along
from refplatform.store.manifest import Profile
from refplatform.store.models import ModelStore
from refplatform.store.reference import StoreError, read_reference

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

PROG: Final = "refplatform.store"
EXIT_WRONG: Final = 1
EXIT_UNKNOWN: Final = 10
"""There was nothing to verify, which says nothing about models."""

EXAMPLES: Final = """\
python -m refplatform.store --store models add chat@1 ./weights
  python -m refplatform.store --store models add chat@1-fp8 ./weights-fp8 --quantization fp8 --calibration h100-fp8
  python -m refplatform.store --store models use chat@1-fp8
  python -m refplatform.store --store models use chat --previous
  python -m refplatform.store --store models switch chat@1-fp8 --engine http://127.0.0.1:8001
  python -m refplatform.store --store models switch chat --previous --engine http://127.0.0.1:8001
  python -m refplatform.store --store models verify
  python -m refplatform.store --store models gc --keep 3"""


def main(argv: list[str] | None = None) -> None:
    """Read the arguments, do the one thing, end with its exit code."""
    args = _parser().parse_args(argv)
    verb: Callable[[ModelStore, argparse.Namespace], int] = args.run
    try:
        raise SystemExit(verb(ModelStore(args.store), args))
    except EngineRefusedError as error:
        process.fail(PROG, str(error), code=EXIT_WRONG)
    except StoreError as error:
        process.fail(PROG, str(error))
    except OSError as error:
        reason = f"{error.filename or args.store}: {error.strerror or error}"
        process.fail(PROG, reason, code=process.EXIT_TEMPORARY)


def _add(store: ModelStore, args: argparse.Namespace) -> int:
    profile = Profile(quantization=args.quantization, calibration=args.calibration)
    manifest = store.add(read_reference(args.model), args.source, profile)
    print(f"{manifest.name}@{manifest.version} {manifest.digest} {len(manifest.files)} files {manifest.size} bytes")
    return 0


def _list(store: ModelStore, args: argparse.Namespace) -> int:
    for manifest in store.manifests():
        used = store.used(manifest.name)
        mark = "in use" if used and used.version == manifest.version else ""
        if args.json:
            print(json.dumps(asdict(manifest) | {"digest": manifest.digest, "in_use": bool(mark)}))
        else:
            row = (f"{manifest.name}@{manifest.version}", manifest.profile.quantization, f"{manifest.size}", mark)
            print("  ".join((*row, manifest.digest)))
    return 0


def _verify(store: ModelStore, args: argparse.Namespace) -> int:
    manifests = (store.find(read_reference(args.model)),) if args.model else store.manifests()
    if not manifests:
        sys.stderr.write(f"{PROG}: {args.store} has no models; nothing was verified\n")
        return EXIT_UNKNOWN
    wrong = False
    for manifest in manifests:
        flaws = store.verify(manifest)
        right = f"{manifest.name}@{manifest.version}: {len(manifest.files)} files as they were added"
        print("\n".join(map(str, flaws)) or right)
        wrong = wrong or bool(flaws)
    return EXIT_WRONG if wrong else 0


def _use(store: ModelStore, args: argparse.Namespace) -> int:
    reference = read_reference(args.model)
    used = store.use_previous(reference.name) if args.previous else store.use(reference)
    before = f", before it {used.previous}" if used.previous else ""
    print(f"{reference.name}@{used.version} in use{before}")
    return 0


def _switch(store: ModelStore, args: argparse.Namespace) -> int:
    reference = read_reference(args.model)
    manifest = store.previous(reference.name) if args.previous else store.find(reference)
    way = Way(
        in_flight=args.in_flight, wait_seconds=args.wait_seconds, patience=args.timeout, between=args.between_seconds
    )
    take_along(manifest, args.engine, way, tell=lambda line: print(line, flush=True))
    used = store.choose(manifest)  # every engine has read every byte, or had it in memory
    before = f", before it {used.previous}" if used.previous else ""
    print(f"{manifest.name}@{used.version} in use{before}")
    return 0


def _gc(store: ModelStore, args: argparse.Namespace) -> int:
    collected = store.gc(keep=args.keep)
    for version in collected.versions:
        print(f"{version} forgotten")
    print(f"{collected.blobs} blobs, {collected.size} bytes")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = process.parser(
        prog=PROG, about="Versions of models: their content kept once, by digest, and checked.", example=EXAMPLES
    )
    parser.add_argument("--store", type=Path, required=True, metavar="DIR", help="folder of the store")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    add = verbs.add_parser("add", help="take in a file or folder as a new version")
    add.add_argument("model", metavar="NAME@VERSION")
    add.add_argument("source", type=Path, help="file or folder")
    add.add_argument("--quantization", default="none", help="how the weights are stored: none, fp8, int4, ...")
    add.add_argument("--calibration", metavar="NAME", help="the calibration with which an engine runs this version")
    add.set_defaults(run=_add)

    listing = verbs.add_parser("list", help="every version, its profile, size and digest")
    listing.add_argument("--json", action="store_true", help="one manifest a line")
    listing.set_defaults(run=_list)

    verify = verbs.add_parser("verify", help="read every byte; exit 1 when one is wrong, 10 when there is nothing")
    verify.add_argument("model", nargs="?", metavar="NAME[@VERSION]", help="default: all")
    verify.set_defaults(run=_verify)

    use = verbs.add_parser("use", help="choose the version in use, after verifying it")
    use.add_argument("model", metavar="NAME@VERSION")
    use.add_argument("--previous", action="store_true", help="switch back to the version before")
    use.set_defaults(run=_use)

    _add_switch(verbs)

    gc = verbs.add_parser("gc", help="take away content without a version")
    gc.add_argument("--keep", type=process.count, metavar="N", help="and all but the newest N versions of each model")
    gc.set_defaults(run=_gc)
    return parser


def _add_switch(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    switch = verbs.add_parser(
        "switch", help="let running engines serve a version, then choose it; when one refuses, all go back, exit 1"
    )
    switch.add_argument("model", metavar="NAME@VERSION")
    switch.add_argument("--previous", action="store_true", help="the version that was in use before")
    switch.add_argument(
        "--engine", action="append", required=True, metavar="URL", help="an engine; several are asked in turn"
    )
    switch.add_argument(
        "--in-flight", choices=("wait", "abort"), default="wait", help="requests under way (default %(default)s)"
    )
    switch.add_argument(
        "--wait-seconds",
        type=process.seconds,
        default=30.0,
        metavar="S",
        help="for so long, then refuse (default 30)",
    )
    switch.add_argument(
        "--timeout",
        type=process.factor,
        default=600.0,
        metavar="S",
        help="for an engine's answer (default 600)",
    )
    switch.add_argument(
        "--between-seconds",
        type=process.seconds,
        default=2.0,
        metavar="S",
        help="between two engines (default 2)",
    )
    switch.set_defaults(run=_switch)


if __name__ == "__main__":
    main()
