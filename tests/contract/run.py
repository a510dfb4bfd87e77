#!/usr/bin/env python3
"""Records the reference's answers to the cases, or replays the cases against a server and tells every difference.

    run.py record [--only NOUN] [--prefect PATH | --url URL]
    run.py replay (--url URL | --binary PATH | --reference) [--only NOUN] [--case NAME] [--salt TEXT]

Judges nothing itself: the recording is the contract, differences.json the only exceptions.
"""

import argparse
import concurrent.futures
import contextlib
import fnmatch
import json
import os
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import httpx  # noqa: E402

import own  # noqa: E402
from harness import described, document, registry, servers  # noqa: E402
from harness.compare import Aliases, Differences, compare  # noqa: E402
from harness.proof import Proof  # noqa: E402
from harness.session import Session  # noqa: E402
from harness.summary import Summary  # noqa: E402

RECORDED = pathlib.Path(__file__).parent / "recorded"


def main() -> int:
    options = _arguments()
    chosen = _chosen(registry.load(), options)
    if not chosen:
        print("no case matches", file=sys.stderr)
        return 2
    with _server(options) as url, httpx.Client(timeout=300.0) as client:
        return record(chosen, client, url, options) if options.command == "record" else replay(chosen, client, url, options)


def record(chosen, client, url, options) -> int:
    total = 0
    for noun, cases in chosen.items():
        target = RECORDED / f"{noun}.json"
        old = json.loads(target.read_text()) if target.exists() and options.case else {}
        new = play_all(cases, noun, client, url, options, strict=True, proofs=())
        write(target, {**old, **new})
        steps = sum(map(len, new.values()))
        total += steps
        print(f"{noun}: {len(new)} cases, {steps} steps")
    print(f"{total} steps recorded")
    return 0


def replay(chosen, client, url, options) -> int:
    allowed = Differences(options.exact)
    summary = Summary()
    proofs = [Proof(document.reference())] + [Proof(document.ours(), only_declared=True)] * (not options.reference)
    passed = failed = 0
    for noun, cases in chosen.items():
        recorded = json.loads((RECORDED / f"{noun}.json").read_text())
        for name, seen in play_all(cases, noun, client, url, options, strict=False, proofs=proofs).items():
            expected = recorded[name]
            aliases = Aliases()
            for index, step in enumerate(expected, start=1):
                if index > len(seen):
                    lines = ["not reached"]
                else:
                    lines = compare(f"{noun}/{name}", index, step, seen[index - 1], allowed, aliases)
                if lines:
                    failed += 1
                    summary.add(noun, step["request"], lines)
                    if options.summary:
                        continue
                    print(f"FAIL {noun}/{name} step {index}: {step['request']}")
                    for line in lines[: options.lines]:
                        print(f"    {line}")
                    if len(lines) > options.lines:
                        print(f"    … and {len(lines) - options.lines} more")
                else:
                    passed += 1
    if options.summary:
        summary.print()
    is_whole = not (options.only or options.case)
    if is_whole and not options.url and not options.reference:
        prove_the_rest(proofs, client, url, options)
    proven, unproven = tell(proofs, is_whole)
    passed, failed = passed + proven, failed + unproven
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def prove_the_rest(proofs, client, url, options) -> None:
    """What no recording can show: our own operations, and what a server answers that asks for tokens."""
    own.ask_everything(Session(client, url, "own", options.salt, proofs=proofs))
    with servers.ours(_binary(options), PREFECT_SERVER_CSRF_PROTECTION_ENABLED="true") as guarded:
        Session(client, guarded, "tokens", options.salt, proofs=proofs).get("/csrf-token?client=me")


def tell(proofs, is_whole) -> tuple[int, int]:
    """Prints what the answers were not, and of a whole replay also what was never answered; counts what is proven and what not."""
    proven = unproven = 0
    if is_whole:
        for line in (unexplained := described.unexpected()):
            print(f"FAIL documents: {line}")
        unproven += len(unexplained)
    for proof in proofs:
        lines = [f"{request}: {'; '.join(problems)}" for request, problems in proof.wrong.items()]
        if is_whole:
            missing = proof.missing()
            lines += missing + proof.mistaken()
            proven += len(proof.wanted()) - len(missing)
        for line in lines:
            print(f"FAIL document: {line}")
        unproven += len(lines)
    return proven, unproven


def play_all(cases, noun, client, url, options, strict, proofs) -> dict[str, list[dict]]:
    """The steps of each case, in the cases' order. Cases that wait may wait beside each other."""
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        running = {name: pool.submit(play, function, name, noun, client, url, options.salt, strict, proofs) for name, function in cases.items()}
        return {name: future.result() for name, future in running.items()}


def play(function, name, noun, client, url, salt, strict, proofs) -> list[dict]:
    session = Session(client, url, f"{noun}/{name}", salt, strict, proofs)
    try:
        function(session)
    except Exception as error:
        if strict:
            print(f"case {noun}/{name} failed after step {len(session.steps)}", file=sys.stderr, flush=True)
            raise
        print(f"case {noun}/{name} ended early: {error!r}")
    return session.steps


def write(target: pathlib.Path, cases: dict[str, list[dict]]) -> None:
    """One step a line: compact, and a diff of the file reads well."""
    lines = []
    for name, steps in cases.items():
        rows = ",\n".join("  " + json.dumps(step, ensure_ascii=False) for step in steps)
        lines.append(f" {json.dumps(name)}: [\n{rows}\n ]")
    target.parent.mkdir(exist_ok=True)
    target.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def _chosen(loaded, options):
    chosen = {}
    wanted = options.only or ["*"]
    for noun, cases in loaded.items():
        kept = {name: case for name, case in cases.items() if not options.case or fnmatch.fnmatch(name, options.case)}
        if kept and any(fnmatch.fnmatch(noun, only) for only in wanted):
            chosen[noun] = kept
    return chosen


def _server(options):
    if options.url:
        return contextlib.nullcontext(options.url.rstrip("/"))
    if options.command == "record" or options.reference:
        return servers.reference(options.prefect)
    return servers.ours(_binary(options))


def _binary(options) -> str:
    if options.binary:
        return options.binary
    if named := os.environ.get("TIDEGATE_BIN"):
        return named
    root = pathlib.Path(__file__).parent.parent.parent
    release = root / "target/release/tidegate"
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
    return str(release if release.exists() else target / "debug/tidegate")


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("record", "replay"))
    parser.add_argument("--url", help="API address of a running server, with /api")
    parser.add_argument("--binary", help="our binary to start on a fresh folder")
    parser.add_argument("--prefect", default=shutil.which("prefect") or str(pathlib.Path(sys.executable).parent / "prefect"))
    parser.add_argument("--reference", action="store_true", help="replay against the reference itself: shows what a recording cannot promise")
    parser.add_argument("--only", action="append", help="a noun (pattern); may be repeated")
    parser.add_argument("--case", help="a case name (pattern)")
    parser.add_argument("--salt", default="", help="makes the names differ, for a server that has seen the cases before")
    parser.add_argument("--exact", action="store_true", help="compare the echoed input, context and body of 422 answers, too")
    parser.add_argument("--summary", action="store_true", help="count the failing steps by operation and first difference only")
    parser.add_argument("--jobs", type=int, default=1, help="cases of one noun that run beside each other")
    parser.add_argument("--lines", type=int, default=12, help="differences shown per step")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
