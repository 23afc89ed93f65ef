# ruff: noqa: INP001 - a script, called by file name
"""Prints the part of a lock that some packages need, so that an image installs nothing else.

    python deploy/locks.py requirements.lock signoff-contracts signoff-servicekit signoff-jobstore

It goes by the lock's own `# via` comments and needs nothing but Python: an image calls it while it is built.
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pin:
    """One package of a lock: its version with all hashes, and who asked for it."""

    name: str
    text: str
    via: frozenset[str]


def pins(lock: str) -> Iterator[Pin]:
    """All packages of a lock, in its order."""
    blocks: list[list[str]] = []
    for line in lock.splitlines():
        if line.startswith("    "):
            blocks[-1].append(line)
        elif line and not line.startswith("#"):
            blocks.append([line])
    for block in blocks:
        comments = [line.strip(" #").removeprefix("via").split() for line in block if line.startswith("    #")]
        text = "\n".join(line for line in block if not line.startswith("    #"))
        yield Pin(block[0].split("==")[0], text, frozenset(words[0] for words in comments if words))


def needed(lock: str, roots: Iterable[str]) -> list[Pin]:
    """What `roots` need, and those of `roots` that are in the lock themselves."""
    known = list(pins(lock))
    wanted = set(roots)
    while more := {pin.name for pin in known if pin.via & wanted} - wanted:
        wanted |= more
    return [pin for pin in known if pin.name in wanted]


if __name__ == "__main__":
    sys.stdout.writelines(f"{pin.text}\n" for pin in needed(Path(sys.argv[1]).read_text(), sys.argv[2:]))
