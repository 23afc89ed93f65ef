"""Say which changes of the catalogue break what was promised: few rules, all in one table."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from promises.catalogue import Promise

#: What strangers give: it may be taken more widely. All else they read, or rely on as it is.
GIVEN: Final = ("request", "parameter", "variable", "option", "argument")
_Promises = Mapping[tuple[str, str], Promise]
#: Of which kinds the owners of promises are, where they may be of another kind.
KINDS_OF_OWNERS: Final = {"rest": ("rest.route", "rest.request", "rest.answer"), "cli": ("cli.command",)}
_NUMBERS_WITHIN: Final = {"number": {"number", "integer"}, "float": {"float", "int"}}


class Break(NamedTuple):
    """A promise that is not kept, and in what way."""

    before: Promise
    words: str

    def __str__(self) -> str:
        """Return a sentence about it."""
        return f"{self.before.kind} {self.before.subject}: {self.words}"


def _is_same(before: str | None, after: str | None) -> bool:
    return before == after


def _may_go(before: str | None, after: str | None) -> bool:
    return after in {None, before}


def _may_come(before: str | None, after: str | None) -> bool:
    return before in {None, after}


def _may_gain(before: str | None, after: str | None) -> bool:
    """Whether each alternative is still one; `any` takes all."""
    taken = {kind for each in (after or "").split("|") for kind in _NUMBERS_WITHIN.get(each, {each})}
    return "any" in taken or {*(before or "").split("|")} - {""} <= taken


def _may_lose(before: str | None, after: str | None) -> bool:
    return _may_gain(after, before)


def _may_rise(before: str | None, after: str | None) -> bool:
    return after is None or (before is not None and float(after) >= float(before))


def _may_fall(before: str | None, after: str | None) -> bool:
    return after is None or (before is not None and float(after) <= float(before))


def _may_be_later(before: str | None, after: str | None) -> bool:
    return before is None or after is None or after >= before


def _is_free(_before: str | None, _after: str | None) -> bool:
    return True


class Rule(NamedTuple):
    """How a fact may change where strangers give what it is about, and where they are given it."""

    given: Callable[[str | None, str | None], bool]
    answered: Callable[[str | None, str | None], bool]
    words: str
    words_answered: str = ""


SAME: Final = Rule(_is_same, _is_same, "is another")
#: By the last word of a fact's name. One that is not there is None, and of those that are not listed none may change.
RULES: Final[Mapping[str, Rule]] = {
    "type": Rule(_may_gain, _may_lose, "is narrower", "is wider"),
    "required": Rule(_may_go, _may_come, "is new: it must be given", "has gone: it may be missing"),
    "closed": Rule(_may_go, _is_same, "refuses members that are not known"),
    "open": Rule(_is_same, _may_come, "has no room for new words any more"),
    "min": Rule(_may_fall, _is_free, "is narrower"),
    "min_exclusive": Rule(_may_fall, _is_free, "is narrower"),
    "min_length": Rule(_may_fall, _is_free, "is narrower"),
    "min_items": Rule(_may_fall, _is_free, "is narrower"),
    "max": Rule(_may_rise, _is_free, "is narrower"),
    "max_exclusive": Rule(_may_rise, _is_free, "is narrower"),
    "max_length": Rule(_may_rise, _is_free, "is narrower"),
    "max_items": Rule(_may_rise, _is_free, "is narrower"),
    "pattern": Rule(_may_go, _is_free, "is narrower, or is another"),
    "retention_days": Rule(_may_rise, _may_rise, "is shorter"),
    "problems": Rule(_may_gain, _may_gain, "lacks one"),
    "options": Rule(_may_gain, _may_gain, "lacks one"),
    "bases": Rule(_may_gain, _may_gain, "lacks one"),
    "deprecated": Rule(_is_free, _is_free, ""),
    "sunset": Rule(_may_be_later, _may_be_later, "is earlier"),
}
#: What is marked so may go. No promise becomes internal.
INTERNAL: Final = "internal"


def find_breaks(before: Iterable[Promise], after: Iterable[Promise]) -> Iterator[Break]:
    """Find the promises of before that do not hold after; a higher major version may lack what was deprecated."""
    kept, there = {(each.kind, each.subject): each for each in before}, {}
    there |= {(each.kind, each.subject): each for each in after}
    is_major = _major_of(there) > _major_of(kept)
    for key, promise in kept.items():
        if INTERNAL in promise.facts or promise.kind == "product":
            continue
        new = there.get(key)
        if new is not None:
            yield from _compare(promise, new)
        elif not (is_major and "deprecated" in promise.facts) and not _is_owner_gone(promise, kept, there):
            yield Break(promise, "is no more")
    subjects = {(each.door, each.subject) for each in kept.values()}
    owners = {(each.door, each.subject) for each in there.values()}
    for key in there.keys() - kept.keys():
        new = there[key]
        of = ((new.door, name.rstrip("[]{}")) for name in new.owners)  # of what is new itself nobody knows
        owner = next((each for each in of if each in owners), None)
        if owner in subjects and _is_given(new) and "required" in new.facts:
            yield Break(new, "is new, and must be given: those who do not know it are refused")


def _compare(before: Promise, after: Promise) -> Iterator[Break]:
    for name in sorted(before.facts.keys() | after.facts.keys()):
        old, new = before.facts.get(name), after.facts.get(name)
        rule = RULES.get(name.rpartition(".")[2], SAME)
        is_given = _is_given(before)
        if not (rule.given if is_given else rule.answered)(old, new):
            words = rule.words if is_given else rule.words_answered or rule.words
            yield Break(before, f"its `{name}` {words} ({_show(old)}, now {_show(new)})")


def _is_owner_gone(promise: Promise, kept: _Promises, there: _Promises) -> bool:
    """Return whether what a promise is a part of has gone, too, and says it for all its parts."""
    gone = ((kind, owner) for owner in promise.owners for kind in KINDS_OF_OWNERS.get(promise.door, (promise.kind,)))
    return any(key in kept and key not in there for key in gone)


def _is_given(promise: Promise) -> bool:
    return any(word in GIVEN for word in promise.kind.split("."))


def _major_of(promises: _Promises) -> int:
    product = promises.get(("product", "version"))
    return int(product.facts["major"]) if product else 0


def _show(value: str | None) -> str:
    return "not there" if value is None else value or "so"
