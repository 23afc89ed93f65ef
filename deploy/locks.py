# ruff: noqa: INP001 - a script, called by file name
"""Print the part of a lock that some packages need, so that an image installs nothing else.

    python deploy/locks.py requirements.lock signoff-contracts signoff-servicekit signoff-jobstore

It reads the lock's own `# via` comments and needs only Python: images run it while they are built.
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pin:
    """One package of a lock: its version with all hashes, and the packages that need it."""

    name: str
    text: str
    via: frozenset[str]


def parse_pins(lock: str) -> Iterator[Pin]:
    """Parse the packages of a lock, in its order."""
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


def select_needed(lock: str, roots: Iterable[str]) -> list[Pin]:
    """Select what `roots` need, and those of `roots` that are in the lock themselves."""
    pins = list(parse_pins(lock))
    names = set(roots)
    while more := {pin.name for pin in pins if pin.via & names} - names:
        names |= more
    return [pin for pin in pins if pin.name in names]


if __name__ == "__main__":
    sys.stdout.writelines(f"{pin.text}\n" for pin in select_needed(Path(sys.argv[1]).read_text(), sys.argv[2:]))
