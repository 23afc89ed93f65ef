"""Check results by rules, without any model: read checks, and find what a check finds in a result.

`find_fault` is for doors that accept checks, and is quick for any text. Running a check on a result may be slow, so
`python -m contracts.checks` runs checks in a process that ends when a check takes too much time or memory.
"""

from functools import lru_cache

from contracts.checks.base import Check, CheckError, Finding, Subject
from contracts.checks.forms import CHECK_MAX_CHARS, find_vacuity, read_check

__all__ = ["CHECK_MAX_CHARS", "Check", "CheckError", "Finding", "Subject", "find_fault", "needs_context", "read_check"]


@lru_cache(maxsize=500)
def find_fault(text: str, *, may_be_vacuous: bool = False) -> CheckError | None:
    """Return the error of a text that is no check, or None if the text is a check. Answers are cached by text.

    `may_be_vacuous` accepts a check that every result meets, for checks that were stored before these were refused.
    """
    try:
        check = read_check(text)
    except CheckError as error:
        return error.with_traceback(None)
    fault = None if may_be_vacuous else find_vacuity(check)
    return fault and CheckError(str(fault), at=text.index(" ") + 1)


@lru_cache(maxsize=500)
def needs_context(text: str) -> bool:
    """Return whether a check depends on more than the result, such as the payload; True if the text is no check."""
    try:
        return read_check(text).needs_context
    except CheckError:
        return True
