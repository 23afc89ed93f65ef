"""The case of words: capitals where something stands, lower case for kinds, codes and settings."""

from enum import StrEnum

from contracts.waiting import Owner, WaitCode
from signoff import status
from signoff.errors import ErrorCode

#: Where something stands, or what has become of it.
STANDING = {
    "Circuit",
    "ExecutionState",
    "ItemOutcome",
    "JobLogStatus",
    "JobStatus",
    "JudgingState",
    "LetterOutcome",
    "OperationState",
}
#: Words that are no names: a sign stands before a field.
OTHERS = {"JobOrder"}


def test_words_of_where_something_stands_are_in_capitals_and_others_are_not() -> None:
    found = [each for each in vars(status).values() if isinstance(each, type) and issubclass(each, StrEnum)]
    kinds = {each.__name__: each for each in [*found, ErrorCode, WaitCode, Owner] if each is not StrEnum}
    assert kinds.keys() >= STANDING | OTHERS
    for name, kind in kinds.items():
        words = {word.value for word in kind}
        if name not in OTHERS:
            assert words == {word.name if name in STANDING else word.name.lower() for word in kind}, name
