"""Container images without a builder: layers from folders or tar files, written as the archive that `podman load`, `docker load` and
`ctr images import` read. The same content gives the same bytes, whenever and by whomever it is written."""

import hashlib
import io
import json
import os
import platform
import shutil
import tarfile
from pathlib import Path
from typing import IO

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
EPOCH = "1970-01-01T00:00:00Z"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def write(archive: Path, name: str, layers: list[Path], *, user: str = "", environment: dict[str, str] | None = None, **config: object) -> None:
    """Writes the image `name` (with its tag) to `archive`. A layer is a folder, or a tar file that is taken as it is;
    `config` holds further fields of the image's configuration: Entrypoint, Cmd, WorkingDir, Labels, ExposedPorts."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    tars = []
    try:
        for number, layer in enumerate(layers):
            tar = archive.with_name(f"{archive.name}.layer{number}")
            tars.append(tar)
            if layer.is_dir():
                pack(layer, tar)
            else:
                shutil.copyfile(layer, tar)
        digests = [digest(tar) for tar in tars]
        variables = [f"{key}={value}" for key, value in {"PATH": PATH, **(environment or {})}.items()]
        settings = {"Env": variables, "User": user, "WorkingDir": "/", **config}
        described = json.dumps({
            "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()), "os": "linux", "created": EPOCH, "config": settings,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{value}" for value in digests]},
            "history": [{"created": EPOCH, "created_by": "deploy/images/archive.py"} for _ in tars],
        }, sort_keys=True).encode()
        named = hashlib.sha256(described).hexdigest() + ".json"
        members = [f"{value}.tar" for value in digests]
        manifest = json.dumps([{"Config": named, "RepoTags": [name], "Layers": members}]).encode()
        unfinished = archive.with_name(archive.name + ".new")
        with tarfile.open(unfinished, "w") as out:
            add(out, "manifest.json", len(manifest), io.BytesIO(manifest))
            add(out, named, len(described), io.BytesIO(described))
            for member, tar in zip(members, tars, strict=True):
                with open(tar, "rb") as content:
                    add(out, member, tar.stat().st_size, content)
        os.replace(unfinished, archive)
    finally:
        for tar in tars:
            tar.unlink(missing_ok=True)


def pack(folder: Path, tar: Path) -> None:
    """A folder as a layer: everything belongs to root, nothing has a time, and modes do not depend on who packs it."""
    with tarfile.open(tar, "w", format=tarfile.PAX_FORMAT) as out:
        for path in sorted(folder.iterdir()):
            out.add(path, arcname=path.name, filter=anonymous)


def anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    if not member.issym() and not member.mode & 0o1000:
        member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    return member


def digest(path: Path) -> str:
    with open(path, "rb") as content:
        summed = hashlib.sha256()
        while block := content.read(1 << 20):
            summed.update(block)
        return summed.hexdigest()


def add(out: tarfile.TarFile, name: str, size: int, content: IO[bytes]) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    out.addfile(member, content)
