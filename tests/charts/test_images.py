"""deploy/images: what is in the image, that the same content gives the same bytes, and that a program finds its libraries there."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from conftest import ROOT

# Any program that is linked as ours is.
PROGRAM = Path("/usr/bin/true")


def build(output: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [ROOT / "deploy/images/build", "tidegate", "--output", output, *arguments]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("image") / "image.tar"
    done = build(path, "--binary", str(PROGRAM), "--name", "registry.example/tidegate:1")
    assert done.returncode == 0, done.stderr
    return path


def described(archive: Path) -> tuple[dict, dict]:
    with tarfile.open(archive) as opened:
        manifest = json.load(opened.extractfile("manifest.json"))[0]
        return manifest, json.load(opened.extractfile(manifest["Config"]))


@pytest.fixture(scope="module")
def root(archive, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("root")
    with tarfile.open(archive) as opened:
        for layer in described(archive)[0]["Layers"]:
            with tarfile.open(fileobj=opened.extractfile(layer)) as content:
                content.extractall(folder)
    # The program runs as somebody else below.
    folder.chmod(0o755)
    return folder


def test_configuration(archive) -> None:
    manifest, config = described(archive)
    assert manifest["RepoTags"] == ["registry.example/tidegate:1"]
    assert config["config"]["User"] == "10001:10001"
    assert config["config"]["Entrypoint"] == ["/usr/local/bin/tidegate"]
    assert "TIDEGATE_HOME=/data" in config["config"]["Env"]
    assert config["os"] == "linux" and config["architecture"] in ("amd64", "arm64")


def test_the_same_content_gives_the_same_bytes(archive, tmp_path) -> None:
    again = tmp_path / "again.tar"
    # Whatever the person who builds it keeps from others by default.
    mask = os.umask(0o077)
    try:
        assert build(again, "--binary", str(PROGRAM), "--name", "registry.example/tidegate:1").returncode == 0
    finally:
        os.umask(mask)
    assert again.read_bytes() == archive.read_bytes()


def test_nothing_else_is_in_it(root) -> None:
    assert (root / "etc/ssl/certs/ca-certificates.crt").stat().st_size > 10_000
    assert "tidegate:x:10001:" in (root / "etc/passwd").read_text()
    assert not list(root.glob("**/sh")) and not list(root.glob("**/*.pyc"))
    for folder in ("data", "tmp"):
        assert (root / folder).stat().st_mode & 0o7777 == 0o1777


def test_the_program_finds_its_libraries(root) -> None:
    if os.geteuid():
        pytest.skip("only root may change its root directory")
    run = ["chroot", "--userspec=10001:10001", root, "/usr/local/bin/tidegate"]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_binary_that_is_not_there_is_named(tmp_path) -> None:
    done = build(tmp_path / "x.tar", "--binary", str(tmp_path / "nowhere"))
    assert done.returncode == 1 and "hint: scripts/static-binary" in done.stderr
