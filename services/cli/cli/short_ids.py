"""Find the short ends that ids are told apart by."""

from collections.abc import Iterable, Sequence
from typing import Final

#: A part of an id that a command takes has so many characters at least.
PART_MIN_CHARS: Final = 4
#: Ids of so many characters are shown with a short end.
LONG_ID_CHARS: Final = 24


def find_short_ends(ids: Sequence[str]) -> list[str]:
    """Return for each long id its shortest end that none of the others has, for others an empty text."""
    return [_find_short_end(each, ids) if len(each) >= LONG_ID_CHARS else "" for each in ids]


def _find_short_end(own: str, ids: Iterable[str]) -> str:
    others = [each for each in ids if each != own]
    for length in range(PART_MIN_CHARS, len(own)):
        if not any(each.endswith(own[-length:]) for each in others):
            return own[-length:]
    return own
