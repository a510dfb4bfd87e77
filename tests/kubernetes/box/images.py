"""Images that tests run in the box, made from the machine's own files: `pause`, `busybox` and, when asked for, Debian's Python."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from paths import IMAGES, SOURCE, TOOLS
from processes import Failed

sys.path.insert(0, str(SOURCE.parents[2] / "deploy/images"))
import archive  # noqa: E402
import debian  # noqa: E402


def require(*, python: bool = False) -> list[Path]:
    """The archives of the images, made where they are missing."""
    makers = {"pause": pause, "busybox": busybox, **({"python": debian_python} if python else {})}
    archives = []
    for name, make in makers.items():
        path = IMAGES / f"{name}.tar"
        if not path.exists():
            print(f"making the image localhost/{name}:1", flush=True)
            with tempfile.TemporaryDirectory() as folder:
                make(path, Path(folder))
        archives.append(path)
    return archives


def pause(path: Path, root: Path) -> None:
    shutil.copy(TOOLS / "pause", root / "pause")
    archive.write(path, "localhost/pause:1", [root], user="65535:65535", Entrypoint=["/pause"])


def busybox(path: Path, root: Path) -> None:
    program = shutil.which("busybox")
    if not program:
        raise Failed("busybox is missing\nhint: tests/kubernetes/box/box setup")
    for folder in ("bin", "etc", "root", "tmp"):
        (root / folder).mkdir()
    (root / "tmp").chmod(0o1777)
    shutil.copy(program, root / "bin/busybox")
    for applet in subprocess.run([program, "--list"], check=True, capture_output=True, text=True).stdout.split():
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    archive.write(path, "localhost/busybox:1", [root], Cmd=["/bin/sh"])


def debian_python(path: Path, folder: Path) -> None:
    layer = folder / "layer.tar"
    debian.install(layer, debian.PYTHON)
    archive.write(path, "localhost/python:1", [layer], Cmd=["/usr/bin/python3"])
