"""Ask the type checker about mutants that no test notices: `make lint` would not let these through."""

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from mutants.making import Mutant

_ERROR = re.compile(r"^(?:.*/)?(?P<name>\w+)\.py:\d+: error: (?P<said>.*)$", re.MULTILINE)


def find_refused(root: Path, mutants: Iterable[Mutant]) -> set[Mutant]:
    """Return the mutants with an error of types that their original has not.

    Each is a module of its own, and so is each original: what a copy says of itself against the rest is no difference.
    """
    named = {f"mutant_{number}": mutant for number, mutant in enumerate(mutants)}
    originals = {file: f"original_{number}" for number, file in enumerate(sorted({one.file for one in named.values()}))}
    with TemporaryDirectory() as folder:
        for file, name in originals.items():
            Path(folder, f"{name}.py").write_text((root / file).read_text("utf-8"), "utf-8")
        for name, mutant in named.items():
            Path(folder, f"{name}.py").write_text(mutant.apply((root / mutant.file).read_text("utf-8")), "utf-8")
        said = _check(root, folder) if named else {}
    nothing = Counter[str]()
    return {one for name, one in named.items() if said.get(name, nothing) - said.get(originals[one.file], nothing)}


def _check(root: Path, folder: str) -> dict[str, Counter[str]]:
    """Return what is said of each module of a folder, without numbers of lines."""
    distributions = sorted(str(path) for path in (root / "services").iterdir())
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", ".mypy_cache/mutants", folder],
        cwd=root,
        env=os.environ | {"MYPYPATH": ":".join(distributions)},
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode not in {0, 1}:
        raise RuntimeError(ran.stdout + ran.stderr)
    said: dict[str, Counter[str]] = {}
    for found in _ERROR.finditer(ran.stdout):
        said.setdefault(found["name"], Counter())[found["said"].replace(found["name"], "")] += 1
    return said
