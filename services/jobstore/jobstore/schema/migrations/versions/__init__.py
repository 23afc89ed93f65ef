"""Revisions of the tables, a file each, whose name begins with the revision: to know them, none is imported."""

from pathlib import Path
from typing import Final

#: The oldest first.
REVISIONS: Final = tuple(sorted(file.name.partition("_")[0] for file in Path(__file__).parent.glob("[0-9]*_*.py")))
