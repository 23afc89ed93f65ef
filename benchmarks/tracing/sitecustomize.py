"""Record each line of Signoff that runs, by windows of time; Python imports this file first in traced processes.

The benchmark copies this file into a folder of its own. There the file `window` holds the number of the open window,
one byte that the benchmark writes; what ran is written beside it when the process ends. Lines are seen in all threads,
and in coroutines wherever they go on.
"""

import atexit
import json
import mmap
import os
import sys
import threading
from collections import defaultdict
from pathlib import Path
from types import FrameType
from typing import Any

FOLDER = Path(__file__).parent
ROOTS = tuple((FOLDER / "roots").read_text().split(os.pathsep))

with (FOLDER / "window").open("r+b") as file:
    window = mmap.mmap(file.fileno(), 1)
ran: defaultdict[int, set[tuple[str, int]]] = defaultdict(set)


def on_call(frame: FrameType, _event: str, _argument: Any) -> Any:
    """Trace a call into Signoff's code, and let all others run untraced."""
    return on_line if frame.f_code.co_filename.startswith(ROOTS) else None


def on_line(frame: FrameType, event: str, _argument: Any) -> Any:
    """Record a line."""
    if event == "line":
        ran[window[0]].add((frame.f_code.co_filename, frame.f_lineno))
    return on_line


def write() -> None:
    """Write what ran, for the benchmark."""
    sys.settrace(None)
    lines = {number: sorted(seen) for number, seen in dict(ran).items()}
    (FOLDER / f"{os.getpid()}.json").write_text(json.dumps(lines))


atexit.register(write)
threading.settrace(on_call)
sys.settrace(on_call)
