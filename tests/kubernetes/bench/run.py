#!/usr/bin/env python3
"""`make bench-kubernetes`: how quickly and how cheaply runs become Jobs, on the box with kwok's nodes. See docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

# The server and the worker are started as the tests start them.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import measures  # noqa: E402
from figures import Table  # noqa: E402
from scene import Scene  # noqa: E402

ROOT = Path(__file__).resolve().parents[3]
BOX = ROOT / "tests/kubernetes/box/box"
MEASURES = ["idle", "verdicts", "kills", "burst", "live"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench-kubernetes", description=__doc__)
    parser.add_argument("--runs", type=int, default=5000, help="of the burst, and pods that live (default 5000)")
    parser.add_argument("--killed-runs", type=int, default=1000, help="runs during which the worker is killed (default 1000)")
    parser.add_argument("--kills", type=int, default=50, help="how often (default 50)")
    parser.add_argument("--rounds", type=int, default=50, help="runs of the idle measure (default 50)")
    parser.add_argument("--quiet-seconds", type=float, default=60, help="how long nothing changes, for requests and processor (default 60)")
    parser.add_argument("--alone", action="store_true", help="without the reference")
    parser.add_argument("--only", action="append", choices=MEASURES, help="only this measure; may be repeated")
    parser.add_argument("--output", type=Path, default=Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "bench-kubernetes.json")
    arguments = parser.parse_args()
    box, was_up = up(arguments.runs)
    table = Table()
    try:
        with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as folder:
            measure(arguments, Scene(box, Path(folder)), table)
    finally:
        subprocess.run([BOX, "fake-nodes", "0"], check=False)
        if not was_up:
            subprocess.run([BOX, "down"], check=False)
    print("\n" + table.text())
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(table.rows, indent=2) + "\n")
    print(f"\nwritten to {arguments.output}")


def measure(arguments: argparse.Namespace, scene: Scene, table: Table) -> None:
    wanted = arguments.only or MEASURES
    if "idle" in wanted:
        reference = [] if arguments.alone else measures.upstream(scene, environment("kubernetes"), min(arguments.rounds, 10))
        measures.idle(scene, table, arguments.rounds, reference)
    if "verdicts" in wanted:
        if scene.box["why_no_kubelet"]:
            print(f"verdicts: left out, since no kubelet runs here: {scene.box['why_no_kubelet']}")
        else:
            measures.verdicts(scene, table, 5)
    if "kills" in wanted:
        measures.kills(scene, table, arguments.killed_runs, arguments.kills)
    if "burst" in wanted:
        measures.burst(scene, table, arguments.runs)
    if "live" in wanted:
        measures.alive(scene, table, arguments.runs, arguments.quiet_seconds)


def environment(name: str) -> Path:
    made = subprocess.run([ROOT / "scripts/python-env", name], stdout=subprocess.PIPE, text=True, check=True)
    return Path(made.stdout.strip())


def up(runs: int) -> tuple[dict, bool]:
    """The box with nodes for so many pods, and whether it was there before."""
    was_up = subprocess.run([BOX, "status"], capture_output=True).returncode == 0
    # A fake node takes ten thousand pods; more nodes spread the scheduler's work.
    subprocess.run([BOX, "up", "--fake-nodes", str(max(2, runs // 500))], check=True)
    return json.loads(subprocess.run([BOX, "status"], capture_output=True, text=True, check=True).stdout), was_up


if __name__ == "__main__":
    sys.exit(main())
