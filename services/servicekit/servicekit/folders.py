"""Read small files below a folder that an operator names, whatever a path says that others choose."""

import os
import stat
from pathlib import Path


def read_below(folder: Path, place: str, bytes_max: int, *, of_tenant: str = "") -> bytes | None:
    """Return up to `bytes_max` bytes of a file below a folder; of a tenant, below the folder in it with its name.

    Return None if `place` is no regular file that can be read, or a link leads out of the folder or the tenant's own.
    """
    if Path(of_tenant).name != of_tenant:
        return None
    try:
        folder = folder.resolve(strict=True)
        own = (folder / of_tenant).resolve(strict=True)
        path = (folder / place).resolve(strict=True)
        if not (path.is_relative_to(own) and own.is_relative_to(folder)):
            return None
        # A resolved path has no links. A pipe that took its place would block.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            return file.read(bytes_max) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    except (OSError, RuntimeError, ValueError):  # RuntimeError: links in a circle
        return None
