"""What every importer makes: a case with what was lost of it, or why there is none."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from contracts.criteria import CRITERION_MAX_CHARS
from contracts.judging.cases import Case, make_case

#: Who said what is imported as a label.
HUMAN, GRADER = "human", "grader"
#: Bytes of a file that is one document, and is read at once.
DOCUMENT_MAX_BYTES: Final = 256 << 20

_WORDS: Final = {
    **dict.fromkeys(("true", "yes", "y", "1", "pass", "passed", "correct", "good", "met"), True),
    **dict.fromkeys(("false", "no", "n", "0", "fail", "failed", "incorrect", "bad", "not_met"), False),
}
_PREFIX: Final = re.compile(r"[-*+\u2022]|\d{1,3}[.)]|(?:optional|never|check):", re.IGNORECASE)

Criteria = list[dict[str, Any]]


class Imported(NamedTuple):
    """A case, and what of it could not be taken over."""

    place: str
    case: Case
    lost: Sequence[str] = ()


class Skipped(NamedTuple):
    """Something that makes no case."""

    place: str
    reason: str


@dataclass(frozen=True)
class Fields:
    """Where to look in what another tool wrote, beside its own names; and by what all of it is judged."""

    result: str | None = None
    label: str | None = None
    criteria: str | None = None


@dataclass
class Draft:
    """What is known of a case, before it is one."""

    id: str
    result: Any
    criteria: Criteria = field(default_factory=list)
    labels: list[bool | None] = field(default_factory=list)
    label: bool | None = None
    labelled_by: str | None = None
    title: str | None = None
    payload: Any = None
    lost: list[str] = field(default_factory=list)


def finish(place: str, draft: Draft, fields: Fields) -> Imported | Skipped:
    """Return the case, by the criteria that were asked for in place of its own; or why there is none."""
    own: dict[str, Any] = {"criteria": draft.criteria, "labels": draft.labels or None}
    if fields.criteria is not None:
        known = [label for label in draft.labels if label is not None]
        draft.label = all(known) if draft.label is None and known and len(known) == len(draft.labels) else draft.label
        own = {"acceptance_criteria": fields.criteria}
    elif not draft.criteria:
        return Skipped(place, "; ".join([*draft.lost, "nothing says by what it is judged: give --criteria"]))
    value = {
        "id": draft.id[:200],
        "title": (draft.title or "").strip()[:500] or None,
        "result": draft.result,
        "payload": draft.payload,
        "label": draft.label,
        "labelled_by": draft.labelled_by,
        **own,
    }
    case = make_case(value)
    if isinstance(case, str):
        return Skipped(place, "; ".join([*draft.lost, case]))
    return Imported(place, case, draft.lost)


def skip_repeats(items: Iterator[Imported | Skipped]) -> Iterator[Imported | Skipped]:
    """Skip each case whose id another one has."""
    seen: dict[str, str] = {}
    for item in items:
        if isinstance(item, Imported) and (first := seen.setdefault(item.case.id, item.place)) != item.place:
            yield Skipped(item.place, f"id {item.case.id!r} is that of {first}")
        else:
            yield item


def make_criterion(text: str, **more: Any) -> dict[str, Any]:
    """Return a criterion of a text of any form: in one line, and read as no prefix. Raise ValueError if too long."""
    line = " ".join(text.split())
    line = f"Meets this: {line}" if _PREFIX.match(line) else line
    if not line or len(line) > CRITERION_MAX_CHARS:
        msg = f"a criterion of {len(line)} characters, and one has 1 to {CRITERION_MAX_CHARS}"
        raise ValueError(msg)
    return {"text": line, **more}


def read_label(value: Any) -> bool | None:
    """Return what a value says as a label: a boolean, 1 or 0, or a word such as `pass`; None if nothing known."""
    return _WORDS.get(str(value).strip().lower())


def look_up(sources: Sequence[Mapping[str, Any]], names: Sequence[str | None]) -> Any:
    """Return the value of the first of these names that any source has; None if none has."""
    for name in names:
        for source in sources:
            if name is not None and source.get(name) is not None:
                return source[name]
    return None


def as_mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping, or an empty one in place of anything else."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: Any) -> list[Any]:
    """Return a list, or an empty one in place of anything else."""
    return value if isinstance(value, list) else []
