"""Renders each chart with each of its `ci/*.yaml` into charts/rendered/, and the base of deploy/plain/. The results are committed: a change
of a template shows as what changes in a cluster. `python charts/render.py [--check]`."""

import argparse
import difflib
import os
import shutil
import subprocess
import sys
from pathlib import Path

CHARTS = Path(__file__).resolve().parent
RENDERED = CHARTS / "rendered"
PLAIN = CHARTS.parent / "deploy/plain"


def helm() -> str:
    cache = Path(os.environ.get("TIDEGATE_CACHE") or Path.home() / ".cache/tidegate")
    built = cache / "kubernetes/bin/helm"
    found = str(built) if built.exists() else shutil.which("helm")
    if not found:
        raise SystemExit("there is no helm\nhint: tests/kubernetes/box/box build helm")
    return found


def template(chart: str, *arguments: str, values: str | None = None) -> subprocess.CompletedProcess[str]:
    """The release is called as the chart, in the namespace `tidegate`. No cluster is asked anything."""
    # A directory of its own: nothing of the person's who runs this is read.
    environment = {**os.environ, "HELM_CONFIG_HOME": "/nonexistent", "KUBECONFIG": "/nonexistent"}
    command = [helm(), "template", chart, str(CHARTS / chart), "--namespace", "tidegate", "--kube-version", "1.34.0", *arguments]
    return subprocess.run(command, input=values, capture_output=True, text=True, env=environment)


def cases() -> list[tuple[str, Path]]:
    return [(path.parent.parent.name, path) for path in sorted(CHARTS.glob("*/ci/*.yaml"))]


def rendered(chart: str, values: Path, *arguments: str) -> str:
    done = template(chart, "--values", str(values), *arguments)
    if done.returncode:
        raise SystemExit(f"{values}: {done.stderr}")
    return done.stdout


def outputs() -> dict[Path, str]:
    """Every file that is rendered, and its text."""
    files = {RENDERED / chart / values.name: rendered(chart, values) for chart, values in cases()}
    for part in ("server", "worker"):
        # Kustomize knows no hooks: `helm test` would become a pod like others.
        text = rendered(f"tidegate-{part}", PLAIN / f"values/{part}.yaml", "--no-hooks")
        files[PLAIN / f"base/{part}.yaml"] = text.replace("managed-by: Helm", "managed-by: kustomize")
    return files


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail and show the difference if a file is out of date")
    arguments = parser.parse_args()
    differences = 0
    for path, text in outputs().items():
        if not arguments.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            continue
        old = path.read_text() if path.exists() else ""
        lines = list(difflib.unified_diff(old.splitlines(), text.splitlines(), str(path), "rendered now", lineterm=""))
        print("\n".join(lines), end="\n" if lines else "")
        differences += bool(lines)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
