"""Cut a long result into sections that overlap, so that a passage at a border stands whole in one of them. Pure.

JSON keeps its shape: a section has its members under their names. Criteria about the whole result are judged by an
excerpt.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from random import SystemRandom
from typing import Any, Final

from signoff.jsontext import json_text

#: Characters by which sections overlap: any passage of so many stands whole in one section.
OVERLAP_CHARS: Final = 1_000
#: Characters by which a border is moved at most, to the beginning of a word.
_SNAP_CHARS: Final = 200

#: Passages of an excerpt: two of them are its head, two its tail.
_PASSAGES: Final = 8
#: The mark of an omission in an excerpt.
LEFT_OUT: Final = "[..]"
_random = SystemRandom()

#: The path to a scalar or an empty container, and its value.
_Leaf = tuple[tuple[str | int, ...], Any]


def cut_result(result: Any, chars: int) -> list[Any]:
    """Return the sections of a result, in order, each of about `chars` characters; a short result is one section."""
    sections: list[list[_Leaf]] = [[]]
    used = 0
    for leaf, size in _measure(_list_leaves(result, chars)):
        if sections[-1] and used + size > chars:
            is_same_text = sections[-1][-1][0] == leaf[0]  # its parts overlap by themselves
            kept, used = ([], 0) if is_same_text else _take_end(sections[-1])
            sections.append(kept)
        sections[-1].append(leaf)
        used += size
    return [_build(section, 0) for section in sections]


def cut_text(text: str, chars: int) -> Iterator[str]:
    """Yield the sections of a text, of at most `chars` characters; two neighbours share at least OVERLAP_CHARS."""
    start = 0
    while len(text) - start > chars:
        end = _snap(text, start + chars)
        yield text[start:end]
        start = _snap(text, end - OVERLAP_CHARS)
    yield text[start:]


def take_excerpt(text: str, chars: int) -> str:
    """Return the head and the tail of a text, and passages from between, of about `chars` characters in all.

    The passages are drawn at random, one from each part of the text, so that no author can place words in them.
    """
    size = chars // _PASSAGES
    edge = 2 * size
    drawn = _PASSAGES - 4
    borders = [edge + (len(text) - 2 * edge) * number // drawn for number in range(drawn + 1)]
    starts = [_random.randrange(start, max(end - size, start) + 1) for start, end in pairwise(borders)]
    middle = [text[_snap(text, start) : _snap(text, start + size)] for start in starts]
    passages = [text[: _snap(text, edge)], *middle, text[_snap(text, len(text) - edge) :]]
    return f"\n{LEFT_OUT}\n".join(passages)


def _snap(text: str, at: int) -> int:
    """Return the index of the last word that begins at most _SNAP_CHARS before `at`; `at` itself if none does."""
    for place in range(at, max(0, at - _SNAP_CHARS), -1):
        if text[place - 1].isspace():
            return place
    return at


def _list_leaves(value: Any, chars: int) -> Iterator[_Leaf]:
    stack: list[_Leaf] = [((), value)]
    while stack:
        path, item = stack.pop()
        if item and isinstance(item, dict):
            stack += [((*path, name), child) for name, child in reversed(item.items())]
        elif item and isinstance(item, list):
            stack += [((*path, place), child) for place, child in reversed(list(enumerate(item)))]
        elif isinstance(item, str) and len(item) > chars:
            yield from ((path, part) for part in cut_text(item, chars))
        else:
            yield path, item


def _measure(leaves: Iterator[_Leaf]) -> Iterator[tuple[_Leaf, int]]:
    for leaf in leaves:
        path, value = leaf
        name = path[-1] if path else 0
        yield leaf, (len(value) if isinstance(value, str) else len(json_text(value))) + len(str(name)) + 4


def _take_end(section: Sequence[_Leaf]) -> tuple[list[_Leaf], int]:
    """Return a section's last members, of about OVERLAP_CHARS in all, and their size; the first may be a text's end."""
    taken: list[_Leaf] = []
    used = 0
    for (path, value), size in _measure(reversed(section)):
        if used + size <= OVERLAP_CHARS:
            taken.append((path, value))
            used += size
            continue
        if isinstance(value, str) and (room := len(value) - (used + size - OVERLAP_CHARS)) > 0:
            end = value[_snap(value, len(value) - room) :]
            taken.append((path, end))
            used += size - len(value) + len(end)
        break
    return taken[::-1], used


def _build(leaves: Sequence[_Leaf], depth: int) -> Any:
    path, value = leaves[0]
    if len(path) == depth:
        return value
    groups = [(name, list(group)) for name, group in groupby(leaves, key=lambda leaf: leaf[0][depth])]
    if isinstance(path[depth], int):
        return [_build(group, depth + 1) for _, group in groups]
    return {name: _build(group, depth + 1) for name, group in groups}
