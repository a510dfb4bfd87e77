"""Layers from Debian 12: installed by mmdebstrap from the machine's own package sources, or single files of this machine."""

import os
import re
import shutil
import subprocess
from pathlib import Path

# With what wheels are linked with: numpy and its like are C++.
PYTHON = "python3-minimal,libpython3-stdlib,ca-certificates,libstdc++6"
LEFT_OUT = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/i18n/*"]


class Failed(Exception):
    """What went wrong, for the person at the terminal."""


def install(layer: Path, packages: str) -> None:
    """Debian with these packages. `essential` is the least variant that can configure packages.
    The sources go again before the layer is written: they name the mirror in use."""
    if not shutil.which("mmdebstrap"):
        raise Failed("mmdebstrap is missing\nhint: apt-get install mmdebstrap")
    sources = "".join(
        source.read_text() for pattern in ("sources.list", "sources.list.d/*.list", "sources.list.d/*.sources")
        for source in sorted(Path("/etc/apt").glob(pattern))
    )
    tidy = 'rm -rf "$1"/etc/apt/sources.list* "$1"/var/log/* "$1"/etc/resolv.conf'
    command = ["mmdebstrap", "--quiet", "--variant=essential", f"--include={packages}",
               *(f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT), f"--customize-hook={tidy}", "bookworm", str(layer), "-"]
    if subprocess.run(command, input=sources.encode(), env={**os.environ, "SOURCE_DATE_EPOCH": "0"}).returncode:
        raise Failed("mmdebstrap failed; the lines above are its own")


def shared_objects(program: Path) -> list[Path]:
    """The libraries that a program is linked with and the loader, by the names that it asks for; none if it is static."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True)
    if "not a dynamic executable" in listed.stderr + listed.stdout or "statically linked" in listed.stdout:
        return []
    if listed.returncode or "not found" in listed.stdout:
        raise Failed(f"cannot tell what {program} is linked with:\n{listed.stdout}{listed.stderr}")
    return [Path(path) for path in re.findall(r"(?:=> |^\s*)(/\S+) \(", listed.stdout, re.MULTILINE)]
