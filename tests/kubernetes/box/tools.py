"""Builds what no package of the system has: the box itself and the tools around it, from their Go modules, once."""

import hashlib
import os
import re
import shutil
import subprocess

from paths import BOX, CACHE, SOURCE, TOOLS
from processes import Failed

# The build's own sources, then packages that `go install` fetches. Helm needs two minutes, the box ten.
MODULES = {
    "kwok": "sigs.k8s.io/kwok/cmd/kwok@v0.8.0",
    "helm": "helm.sh/helm/v3/cmd/helm@v3.22.0",
    "kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0",
}
NAMES = ["kubernetes-box", *MODULES]


def require(*names: str) -> None:
    for name in names:
        if stamp(name) != wanted(name):
            build(name)


def missing(*names: str) -> list[str]:
    """Which of these tools would have to be built first."""
    return [name for name in names if stamp(name) != wanted(name)]


def stamp(name: str) -> str | None:
    path = TOOLS / f".{name}"
    return path.read_text() if path.exists() and (TOOLS / name).exists() else None


def wanted(name: str) -> str:
    if name in MODULES:
        return MODULES[name]
    sources = sorted(SOURCE.glob("*.go")) + [SOURCE / "pause/main.go", SOURCE / "go.mod"]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


def build(name: str) -> None:
    if not shutil.which("go"):
        raise Failed("Go is needed to build the cluster's programs\nhint: install Go 1.24 or newer")
    TOOLS.mkdir(parents=True, exist_ok=True)
    print(f"building {name} in {TOOLS}", flush=True)
    environment = {
        **os.environ, "GOCACHE": str(CACHE / "go-build"), "GOBIN": str(TOOLS), "CGO_ENABLED": "0",
        "GOFLAGS": "-trimpath -buildvcs=false", "GOWORK": "off",
    }
    if name in MODULES:
        commands = [["go", "install", "-ldflags", "-s -w", MODULES[name]]]
    else:
        commands = [
            ["go", "build", "-tags", "selinux_off,providerless", "-ldflags", box_flags(), "-o", str(BOX), "."],
            ["go", "build", "-ldflags", "-s -w", "-o", str(TOOLS / "pause"), "./pause"],
        ]
    for command in commands:
        if subprocess.run(command, cwd=SOURCE, env=environment).returncode:
            raise Failed(f"cannot build {name}; the lines above are Go's")
    # Last: a tool with a stamp is complete.
    (TOOLS / f".{name}").write_text(wanted(name))


def box_flags() -> str:
    """Without these the API server calls itself v0.0.0, and clients of some age refuse it."""
    found = re.search(r"^\s*k8s\.io/kubernetes (v1\.(\d+)\.\d+)$", (SOURCE / "go.mod").read_text(), re.MULTILINE)
    if not found:
        raise Failed("go.mod does not name k8s.io/kubernetes")
    values = {"gitVersion": found[1], "gitMajor": "1", "gitMinor": found[2], "gitTreeState": "clean", "gitCommit": "0" * 40,
              "buildDate": "2026-01-01T00:00:00Z"}
    packages = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"]
    return "-s -w " + " ".join(f"-X {package}.{key}={value}" for package in packages for key, value in values.items())
