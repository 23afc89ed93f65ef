"""Check a result by rule: what a check may ask for, and what it finds, without any model.

`find_fault` is for doors that accept checks: it is quick whatever the text. Making a check of a result may not be:
`python -m contracts.checks` makes checks in a process that ends when one takes too much time or memory.
"""

from functools import lru_cache

from contracts.checks.base import Check, CheckError, Finding, Subject
from contracts.checks.forms import CHECK_MAX_CHARS, find_vacuity, read_check

__all__ = ["CHECK_MAX_CHARS", "Check", "CheckError", "Finding", "Subject", "find_fault", "needs_context", "read_check"]


@lru_cache(maxsize=500)
def find_fault(text: str, *, may_be_vacuous: bool = False) -> CheckError | None:
    """Return why a text is no check, or None if it is one; kept for all jobs that have the same check.

    `may_be_vacuous` is for checks that were stored before vacuity was looked for.
    """
    try:
        check = read_check(text)
    except CheckError as error:
        return error.with_traceback(None)
    fault = None if may_be_vacuous else find_vacuity(check)
    return fault and CheckError(str(fault), at=text.index(" ") + 1)


@lru_cache(maxsize=500)
def needs_context(text: str) -> bool:
    """Return whether the outcome of a check depends on more than the result: on the payload, or on what came before."""
    try:
        return read_check(text).needs_context
    except CheckError:
        return True
