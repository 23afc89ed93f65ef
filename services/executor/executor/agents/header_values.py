"""Read the values that headers refer to: from variables of the executor, or from files below one folder."""

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from contracts.agents import ENV_PREFIX
from executor.errors import AgentHeaderError

#: The most bytes of a value.
VALUE_MAX_BYTES = 8 << 10
_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")


class HeaderValues:
    """Read values when they are needed, so that a file that is replaced counts from the next request on."""

    def __init__(self, environ: Mapping[str, str], folder: Path | None) -> None:
        self._environ = environ
        self._folder = folder

    def read(self, references: Mapping[str, str]) -> dict[str, str]:
        """Return the values by header. Raise AgentHeaderError, which holds none of them, if one cannot be sent."""
        return {name: self._read(name, reference) for name, reference in references.items()}

    def _read(self, name: str, reference: str) -> str:
        kind, _, place = reference.partition(":")
        if kind == "env" and place.startswith(ENV_PREFIX):
            source, value = f"the variable {place} of the executor", self._environ.get(place)
        elif kind == "file" and self._folder is not None:
            source, value = f"the file {place} below SIGNOFF_AGENT_HEADER_DIR", _read_file(self._folder, place)
        else:
            where = "SIGNOFF_AGENT_HEADER_DIR is not set" if kind == "file" else "its value is no reference"
            raise AgentHeaderError(f"the header {name} cannot be sent: {where}")
        if value is None:
            raise AgentHeaderError(f"the header {name} cannot be sent: {source} is missing, or cannot be read")
        if len(value) > VALUE_MAX_BYTES or not _VALUE.fullmatch(value):
            expected = f"1 to {VALUE_MAX_BYTES} printable characters of ASCII without spaces around them"
            raise AgentHeaderError(f"the header {name} cannot be sent: {source} does not hold {expected}")
        return value


def _read_file(folder: Path, place: str) -> str | None:
    """Return a file's text without its last line break, cut a little over what a value may be.

    None: there is no regular file, or a link leads out of the folder.
    """
    try:
        folder = folder.resolve(strict=True)
        path = (folder / place).resolve(strict=True)
        if not path.is_relative_to(folder):
            return None
        # What is resolved has no links; a pipe that took its place would be waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            data = file.read(VALUE_MAX_BYTES + 3)
    except (OSError, RuntimeError, ValueError):  # RuntimeError: links in a circle
        return None
    return data.decode("latin-1").removesuffix("\n").removesuffix("\r")
