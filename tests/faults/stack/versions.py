"""Workers of other versions than today's: a named commit's, and one that says more than today's readers know."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from localstack.process import ServiceSpec

ROOT = Path(__file__).parents[3]
#: The commit of older workers: where reports came to be signed. There are none of before, since no versions mix across
#: that change; and where its history is not at hand, as in a shallow clone, no older workers come.
OLDER = "ad3e2034544dd838417ad5f511f9259e708b5687"
#: The commit of older jobstores and consoles, and of the stack that is upgraded (`make upgrade`): the last one before
#: leaders had epochs.
OLDER_STACK = "7e8dd69738d5f4ec551d2574626b7874b6c73d3c"
PARTS = ("proto", *(f"services/{name}" for name in ("servicekit", "jobstore", "executor", "validator", "console")))


def of_version(version: str, spec: ServiceSpec, kind: str, directory: Path, older: str = OLDER) -> ServiceSpec | None:
    """The same service as it was at a commit, as it will be, or as it is. None: there is no such."""
    path, argv = spec.env.get("PYTHONPATH", ""), spec.argv
    if version == "older":
        if not directory.exists() and not _unpacked(older, directory):
            return None
        path = ":".join(str(directory / part) for part in ("proto", "services/servicekit", f"services/{kind}"))
        dialled = spec.env.get("SIGNOFF_JOBSTORE", "").partition(",")[0]  # it knows of no more than one address
        spec = replace(spec, env={**spec.env, **({"SIGNOFF_JOBSTORE": dialled} if dialled else {})})
    elif version == "newer":
        path, argv = f"{ROOT / 'tests'}:{path}".rstrip(":"), [sys.executable, "-m", "faults.stack.newer", kind]
    return replace(spec, argv=argv, env={**spec.env, "PYTHONPATH": path})


def _unpacked(commit: str, directory: Path) -> bool:
    try:
        archive = _git("archive", commit, *PARTS)
    except (OSError, subprocess.CalledProcessError):
        return False
    directory.mkdir(parents=True)
    subprocess.run(["tar", "-x", "-C", str(directory)], input=archive, check=True)
    return True


def _git(*arguments: str) -> bytes:
    run = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, check=True)
    return run.stdout
