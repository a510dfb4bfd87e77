"""The image of the binary under test: how big it is, what is in it, and that it finds Services by the names that a cluster's DNS gives them."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import socket
import struct
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import stage

MOST = 40_000_000
SERVICE = "tidegate-server.flows.svc.cluster.local"
DNS = "127.9.9.9"
# As a kubelet writes it for pods of the namespace `flows`.
RESOLVER = f"nameserver {DNS}\nsearch flows.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n"
A, AAAA, NO_SUCH_NAME = 1, 28, 3


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Iterator[Path]:
    """The image's files, as a container has them."""
    folder = tmp_path_factory.mktemp("image")
    archive, root = folder / "tidegate.tar", folder / "root"
    subprocess.run([stage.ROOT / "deploy/images/build", "tidegate", "--binary", stage.binary(), "--output", archive], check=True)
    with tarfile.open(archive) as opened:
        for layer in json.load(opened.extractfile("manifest.json"))[0]["Layers"]:
            with tarfile.open(fileobj=io.BytesIO(opened.extractfile(layer).read())) as content:
                content.extractall(root)
    yield root
    shutil.rmtree(folder)


def test_it_is_small_and_has_no_library(root) -> None:
    """Of the binary that scripts/static-binary makes: `make test-kubernetes` uses that one."""
    files = [path for path in root.rglob("*") if path.is_file()]
    assert not [path for path in files if ".so" in path.name]
    size = sum(path.stat().st_size for path in files)
    print(f"\nthe image has {size / 1e6:.1f} MB in {len(files)} files")
    assert size < MOST


@contextlib.contextmanager
def names(known: dict[str, str]) -> Iterator[list[str]]:
    """A DNS server that knows these names; yields those that it was asked for."""
    asked = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind((DNS, 53))

        def answer() -> None:
            while True:
                question, sender = listener.recvfrom(512)
                if not question:
                    return
                end = question.index(0, 12) + 1
                labels, at = [], 12
                while question[at]:
                    labels.append(question[at + 1 : at + 1 + question[at]].decode())
                    at += 1 + question[at]
                (kind,) = struct.unpack_from("!H", question, end)
                address = known.get(".".join(labels))
                asked.append(".".join(labels))
                records = b"\xc0\x0c" + struct.pack("!HHIH", A, 1, 5, 4) + socket.inet_aton(address) if address and kind == A else b""
                head = question[:2] + struct.pack("!HHHHH", 0x8180 | (0 if address else NO_SUCH_NAME), 1, bool(records), 0, 0)
                listener.sendto(head + question[12 : end + 4] + records, sender)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield asked
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", (DNS, 53))
            thread.join()


@pytest.mark.short
def test_a_service_is_found_by_its_name(server, root) -> None:
    (root / "etc/resolv.conf").write_text(RESOLVER)
    for folder in (root, *root.parents[:2]):
        # The program runs as somebody else below.
        folder.chmod(0o755)
    url = server.url.replace("127.0.0.1", "tidegate-server")
    with names({SERVICE: "127.0.0.1"}) as asked:
        command = ["chroot", "--userspec=10001:10001", root, "/usr/local/bin/tidegate", "--api-url", url, "work-pool", "ls", "--output", "json"]
        done = subprocess.run(command, capture_output=True, text=True, env=stage.environment(TIDEGATE_HOME="/data"))
    assert done.returncode == 0, done.stderr
    assert isinstance(json.loads(done.stdout), list)
    assert SERVICE in asked
