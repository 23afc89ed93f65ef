"""Finds the browser of these tests: a Chromium that is installed, else the one that `make test` fetches in a package.

Run as a script it ends with status 1 where that package is needed.
"""

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
UNPACKED = Path(__file__).with_name(".chromium")
HAS_PACKAGE = (platform.system(), platform.machine()) == ("Linux", "x86_64")
NO_BROWSER = "no Chromium here: " + (
    "`make test` fetches one" if HAS_PACKAGE else "install one, or name one in SIGNOFF_CHROMIUM"
)
FONTS = [
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    *(Path.home() / name for name in (".fonts", ".local/share/fonts")),
]


@dataclass(frozen=True)
class Chromium:
    """A browser's program, and what it is to find in its environment."""

    path: str
    env: dict[str, str] = field(default_factory=dict)


def installed() -> str | None:
    """The machine's own."""
    return os.environ.get("SIGNOFF_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def find() -> Chromium | None:
    """The browser to be used."""
    if path := installed():
        return Chromium(path)
    return unpacked() if (UNPACKED / "ready").exists() else None


def unpacked() -> Chromium:
    """The package's, with its own libraries and font where the machine has none."""
    path, env = str(UNPACKED / "chromium"), {}
    if subprocess.run([path, "--version"], capture_output=True, check=False).returncode:
        libraries = [str(UNPACKED / "al2023/lib"), os.environ.get("LD_LIBRARY_PATH")]
        env["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, libraries))
    if not any(next(folder.rglob("*.[ot]t[fc]"), None) for folder in FONTS):
        env["FONTCONFIG_FILE"] = str(UNPACKED / "fonts/fonts.conf")
    return Chromium(path, env)


if __name__ == "__main__":
    sys.exit(HAS_PACKAGE and not installed())
